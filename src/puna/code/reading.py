"""From a request's body to what is asked, in all dialects alike (contract code-completion H2 to H4, §1.3)."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from starlette.requests import Request

from puna.code.failures import NotSupported
from puna.code.types import CompletionRequest
from puna.code.upstream import DEFAULTS
from puna.errors import FieldRefused
from puna.serving.bodies import Wire
from puna.serving.wire import decode, read_body

MODEL = TypeVar("MODEL", bound=Wire)

MAX_TOKENS = 128  # where the request does not say
MOST_TOKENS = 4096  # of one completion, whatever the request says
MOST_CHOICES = 4


class Sampling(Wire):
    """Fields that many bodies share; the names are Ollama's."""

    temperature: float | None = None
    seed: int | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repeat_penalty: float | None = None

    def sampling(self) -> dict[str, Any]:
        """What is given."""
        return {name: value for name in Sampling.model_fields if (value := getattr(self, name)) is not None}


async def read(request: Request, model: type[MODEL]) -> MODEL:
    """The body as `model`, whatever its content type. Raises `BadRequest`, or 413 for one that is too large."""
    return decode(await read_bytes(request), model)


async def read_bytes(request: Request) -> bytes:
    body = await read_body(request, limit=request.app.state.wire.max_body)
    return body.removeprefix(codecs.BOM_UTF8)


def tokens(limit: int | None) -> int:
    """How many tokens an answer may have; a negative limit is none."""
    if limit is None:
        return MAX_TOKENS
    return min(limit, MOST_TOKENS) if limit >= 0 else MOST_TOKENS


def stops(value: object, param: str = "stop") -> tuple[str, ...]:
    """A text, a list of texts or nothing; empty texts say nothing. Raises `FieldRefused`."""
    given: list[Any] = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(text, str) for text in given):
        raise FieldRefused(f"{param} must be a text or a list of texts", param)
    return tuple(text for text in given if text)


def repeated(ask: CompletionRequest, n: int) -> list[CompletionRequest]:
    """`ask` once per choice. Seeds count up where they matter, or all choices would be the same."""
    if not ask.sampling.get("temperature"):
        return [ask] * n
    seed = int(ask.sampling.get("seed", DEFAULTS["seed"]))
    return [replace(ask, sampling={**ask.sampling, "seed": seed + index}) for index in range(n)]


def choices(n: int | None, param: str = "n") -> int:
    """Raises `FieldRefused`."""
    if n is None:
        return 1
    if not 1 <= n <= MOST_CHOICES:
        raise FieldRefused(f"{param} must be between 1 and {MOST_CHOICES}", param)
    return n


def refuse(values: Mapping[str, object]) -> None:
    """Raises `NotSupported` for the first field that holds something."""
    for name, value in values.items():
        if value:
            raise NotSupported(f"{name} cannot be used for completions")


def agent(request: Request) -> str:
    """Who asks, as far as the request says: what "latest wins" goes by (X3)."""
    return request.headers.get("user-agent", "")
