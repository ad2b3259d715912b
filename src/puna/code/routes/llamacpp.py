"""llama.cpp's `/infill` and `/completion` (contract code-completion §1.9, I1 to I6, S4)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from puna.code.answering import all_pieces, completer_of, completions, json_line
from puna.code.errors import llamacpp_error
from puna.code.failures import NotSupported
from puna.code.openai_shapes import event
from puna.code.reading import Sampling, agent, choices, read, repeated, stops, tokens
from puna.code.types import CompletionRequest, ContextFile, Mode, Outcome
from puna.errors import FieldRefused
from puna.serving.bodies import Wire
from puna.serving.requestlog import note
from puna.serving.streams import EventStream

Json = dict[str, Any]

_MS = 1_000_000  # nanoseconds


class InputFile(Wire):
    filename: str = ""
    text: str = ""


class LlamaBody(Sampling):
    """What both routes read; `cache_prompt` and `samplers` change nothing here."""

    model: str = ""
    n_predict: int | None = None
    max_tokens: int | None = None
    n_indent: int = 0
    n_cmpl: int | None = None
    stop: Any = None
    id_slot: int = -1
    t_max_predict_ms: int = 0
    response_fields: list[str] = Field(default_factory=list)
    stream: bool = False

    def common(self, client: str) -> dict[str, Any]:
        """The fields that both routes fill in alike; `n_predict: 0` only warms the cache (I2)."""
        limit = tokens(self.max_tokens if self.n_predict is None else self.n_predict)
        warm: Mode | None = None if limit else "warm"
        return {
            "model": self.model,
            "max_tokens": limit,
            "mode": warm,
            "stop": stops(self.stop),
            "sampling": self.sampling(),
            "min_indent": max(self.n_indent, 0),
            "predict_ms": max(self.t_max_predict_ms, 0),
            "session": f"slot {self.id_slot}" if self.id_slot >= 0 else "",
            "client": client,
        }


class InfillBody(LlamaBody):
    input_prefix: str | None = None
    input_suffix: str | None = None
    input_extra: list[InputFile] = Field(default_factory=list)
    prompt: str = ""

    def completion(self, client: str) -> CompletionRequest:
        """Raises `FieldRefused`."""
        if self.input_prefix is None:
            raise FieldRefused('"input_prefix" is required', "input_prefix")
        if self.input_suffix is None:
            raise FieldRefused('"input_suffix" is required', "input_suffix")
        return CompletionRequest(
            prompt=self.input_prefix + self.prompt,  # I1
            suffix=self.input_suffix,
            exact=True,
            extra=tuple(ContextFile(file.filename, file.text) for file in self.input_extra),
            **self.common(client),
        )


class CompletionBody(LlamaBody):
    prompt: str | list[str] = ""

    def completion(self, client: str) -> CompletionRequest:
        """Raises `FieldRefused`."""
        prompts = [self.prompt] if isinstance(self.prompt, str) else self.prompt
        if len(prompts) != 1:
            raise FieldRefused('"prompt" must be one text', "prompt")
        return CompletionRequest(prompt=prompts[0], raw=True, **self.common(client))


async def infill(request: Request) -> Response:
    body = await read(request, InfillBody)
    ask = body.completion(agent(request))
    served = await completer_of(request).served(body.model)
    if not (served.fills_in_the_middle or (request.app.state.config.emulation and served.chats)):
        raise NotSupported("this model does not fill gaps: it has no tokens for it")  # I5
    return await _answered(request, body, ask)


async def completion(request: Request) -> Response:
    body = await read(request, CompletionBody)
    return await _answered(request, body, body.completion(agent(request)))


async def _answered(request: Request, body: LlamaBody, ask: CompletionRequest) -> Response:
    note(request, model=body.model)
    asks = repeated(ask, choices(body.n_cmpl, "n_cmpl"))
    if body.stream:
        return EventStream(_events(request, body, asks), lambda error: event(llamacpp_error(error)))
    found = await completions(request, asks)
    told = [
        selected(last(each.text, each.outcome, body, index), body.response_fields) for index, each in enumerate(found)
    ]
    return json_line(told if len(told) > 1 else told[0])


async def _events(request: Request, body: LlamaBody, asks: Sequence[CompletionRequest]) -> AsyncGenerator[bytes]:
    async with aclosing(all_pieces(request, asks)) as found:
        async for index, piece in found:
            if piece.text:
                yield event({"index": index, "content": piece.text, "stop": False})
            if piece.outcome is not None:
                yield event(selected(last("", piece.outcome, body, index), body.response_fields))


def last(text: str, outcome: Outcome, body: LlamaBody, index: int) -> Json:
    """The only or last object of one completion."""
    return {
        "index": index,
        "content": text,
        "stop": True,
        "stop_type": outcome.stop_type,
        "model": body.model or "default",
        "id_slot": body.id_slot,
        "tokens_cached": outcome.cached_tokens,
        "tokens_evaluated": outcome.input_tokens,
        "tokens_predicted": outcome.output_tokens,
        "truncated": outcome.truncated,
        "timings": timings(outcome),
    }


def timings(outcome: Outcome) -> Json:
    evaluated = max(outcome.input_tokens - outcome.cached_tokens, 0)
    return {
        "cache_n": outcome.cached_tokens,
        **_pace("prompt", evaluated, outcome.prompt_ns / _MS),
        **_pace("predicted", outcome.output_tokens, outcome.output_ns / _MS),
    }


def selected(answer: Json, fields: Sequence[str]) -> Json:
    """I3: the named fields only; `timings/prompt_ms` is told flat, under that very name."""
    if not fields:
        return answer
    found: Json = {}
    for name in fields:
        value: Any = answer
        for step in name.split("/"):
            if not isinstance(value, dict) or step not in value:
                break
            value = value[step]
        else:
            found[name] = value
    return found


def _pace(kind: str, count: int, ms: float) -> Json:
    return {
        f"{kind}_n": count,
        f"{kind}_ms": ms,
        f"{kind}_per_token_ms": ms / count if count else 0.0,
        f"{kind}_per_second": count / ms * 1000 if ms else 0.0,
    }


ROUTES = (
    Route("/infill", infill, methods=["POST"]),
    Route("/completion", completion, methods=["POST"]),
)
