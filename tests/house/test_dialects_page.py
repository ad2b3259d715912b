"""The page about dialects says what becomes of every field, once, and names a test for it that is there."""

from __future__ import annotations

import ast
import inspect
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import anthropic.resources.messages
import ollama
import openai.resources
import pytest
from openai.resources.audio.transcriptions import Transcriptions
from openai.resources.chat.completions import Completions as ChatCompletions
from openai.resources.responses import Responses

from puna.api import app, openapi
from puna.engine.options import HISTORIC, OPTIONS
from tests.dialects import anthropic as anthropic_fields
from tests.dialects import ollama as ollama_fields
from tests.dialects import openai as openai_fields
from tests.dialects.fields import Route, places
from tests.dialects.page import PAGE, ROUTES, page
from tests.house.tree import read

TRANSPORT = {"self", "extra_headers", "extra_query", "extra_body", "timeout"}


def title(route: Route) -> str:
    return route.title


def test_the_page_is_the_one_that_the_tables_make() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `.venv/bin/python -m tests.dialects.page`"


@pytest.mark.parametrize("route", ROUTES, ids=title)
def test_every_field_of_a_body_is_there_once(route: Route) -> None:
    listed = [field.name for field in route.fields]
    assert [name for name, count in Counter(listed).items() if count > 1] == []
    if route.body is not None:
        assert places(route.body) - set(listed) == set()


def test_every_option_is_there_once() -> None:
    listed = [field.name for field in ollama_fields.OPTIONS.fields]
    assert sorted(listed) == sorted(f"options.{name}" for name in {*OPTIONS, *HISTORIC})


def test_every_route_with_a_body_is_there() -> None:
    assert app.build_app is not None  # the routes name their bodies when they are imported
    assert openapi._bodies - {route.body for route in ROUTES} == set()


@pytest.mark.parametrize(
    ("method", "route"),
    [
        (ChatCompletions.create, openai_fields.CHAT),
        (openai.resources.Completions.create, openai_fields.COMPLETIONS),
        (openai.resources.Embeddings.create, openai_fields.EMBEDDINGS),
        (Responses.create, openai_fields.RESPONSES),
        (Transcriptions.create, openai_fields.TRANSCRIPTIONS),
        (anthropic.resources.messages.Messages.create, anthropic_fields.MESSAGES),
        (anthropic.resources.messages.Messages.count_tokens, anthropic_fields.COUNT_TOKENS),
        (ollama.Client.generate, ollama_fields.GENERATE),
        (ollama.Client.chat, ollama_fields.CHAT),
        (ollama.Client.embed, ollama_fields.EMBED),
        (ollama.Client.embeddings, ollama_fields.EMBEDDINGS),
        (ollama.Client.create, ollama_fields.CREATE),
        (ollama.Client.show, ollama_fields.SHOW),
        (ollama.Client.pull, ollama_fields.TRANSFER),
    ],
)
def test_every_field_that_an_sdk_sends_is_there(method: Callable[..., Any], route: Route) -> None:
    sent = {name.removesuffix("_") for name in inspect.signature(method).parameters} - TRANSPORT
    assert sent - {field.name.partition(".")[0].removesuffix("[]") for field in route.fields} == set()


def test_every_test_that_is_named_is_there_and_knows_the_field() -> None:
    wrong = []
    for route in ROUTES:
        for field in route.fields:
            file, _, test = field.shown_by.partition("::")
            own_name = field.name.rpartition(".")[2].removesuffix("[]").strip("_")
            if test not in _tests(file) or (field.value is None and own_name not in read(file)):
                wrong.append(f"{route.title}: {field.name}: {field.shown_by}")
    assert wrong == []


@cache
def _tests(file: str) -> set[str]:
    tree = ast.parse(read(file))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
