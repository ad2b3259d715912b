"""What a model is said to be able to do (contract ollama-store §5.7)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from puna.prompts import capabilities, choose_template, list_capabilities
from puna.store import Model
from puna.store.gguf import TensorInfo
from tests.prompts.models import header, model

GO_ALL = "{{ .Tools }}{{ .Suffix }}{{ range .Messages }}{{ if .Thinking }}<t>{{ .Thinking }}</t>{{ end }}{{ end }}"
HEAD = replace(header("bert", pooling_type=4), tensors=(TensorInfo("cls.output.weight", "F16", (64, 1), 0),))


def shown(given: Model) -> tuple[str, ...]:
    return capabilities(given, choose_template(given))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (model(), ("completion",)),
        (model(template="{{ .Prompt }}"), ("completion",)),
        (model(template=GO_ALL), ("completion", "tools", "insert", "thinking")),
        (model(jinja="{{ tools }}<think></think>"), ("tools", "thinking", "completion")),
        (model(template="{{ .Tools }}", jinja="<think></think> tools"), ("tools", "thinking", "completion")),
        (model(template=GO_ALL, jinja="tools"), ("completion", "tools", "insert", "thinking")),
        (model(weights=header("bert", pooling_type=0)), ("embedding",)),
        (model(weights=header("bert", pooling_type=4)), ("embedding",)),
        (model(weights=HEAD), ("rerank",)),
        (model(weights=replace(HEAD, kv={"bert.pooling_type": 1})), ("embedding",)),
        (model(weights=header(vision__block_count=3)), ("completion", "vision")),
        (model(weights=header(vision__block_count=3, audio__block_count=3)), ("completion", "vision", "audio")),
        (model(projector=header("clip")), ("completion", "vision")),
        (model(projector=header("clip", has_audio_encoder=True)), ("completion", "vision", "audio")),
        (
            model(projector=header("clip", has_audio_encoder=True, vision__projector_type="gemma3nv")),
            ("completion", "vision"),
        ),
        (model(model_family="gptoss", template="{{ .Tools }}"), ("completion", "tools", "thinking")),
        (model(capabilities=("image", "completion")), ("image", "completion")),
    ],
)
def test_capabilities_in_the_order_of_their_detection(given: Model, expected: tuple[str, ...]) -> None:
    assert shown(given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (model("a", template=GO_ALL), ("completion", "tools", "insert", "thinking")),
        (model("a", jinja="tools <think></think>"), ("completion",)),
        (model("a", template="{{ .Prompt }}", jinja="tools"), ("completion",)),
        (model("a", jinja="tools <think></think>", parser="qwen3-coder"), ("tools", "thinking", "completion")),
        (model("a", template="{{ if"), ("completion",)),
    ],
)
def test_lists_look_at_the_go_template_only(given: Model, expected: tuple[str, ...]) -> None:
    assert list_capabilities(given) == expected
    assert list_capabilities(given) == expected


def test_lists_keep_nothing_of_an_incomplete_model() -> None:
    whole = model("half", weights=header("bert", pooling_type=1))
    half = replace(whole, header=None, weights=None)
    assert list_capabilities(half) == ("completion",)
    assert list_capabilities(whole) == ("embedding",)
