"""OpenAI's text completions, and the shapes of hosted fill-in-the-middle (contract code-completion R3, R6, R7)."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from puna.code.answering import all_pieces, completions, json_line
from puna.code.openai_shapes import DONE, ChatShape, Shape, TextShape, error_event, finish_reason, usage
from puna.code.reading import MOST_CHOICES, Sampling, agent, choices, read_bytes, repeated, stops, tokens
from puna.code.routes import tabby
from puna.code.types import CompletionRequest, Outcome
from puna.errors import FieldRefused
from puna.serving.bodies import Wire
from puna.serving.requestlog import note
from puna.serving.streams import EventStream
from puna.serving.wire import decode, parse_json

MOST_PROMPTS = 16  # of one request


class StreamOptions(Wire):
    include_usage: bool = False


class Indentation(Wire):
    """What Copilot's proxies send about the cursor's place."""

    language: str = ""
    next_indent: int = 0
    trim_by_indentation: bool = False


class CompletionBody(Sampling):
    model: str = ""
    prompt: Any = None
    suffix: str = ""
    max_tokens: int | None = None
    n: int | None = None
    stop: Any = None
    echo: bool = False
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    random_seed: int | None = None  # as Mistral spells it
    extra: Indentation = Indentation()

    def prompts(self) -> list[str]:
        """Raises `FieldRefused`."""
        given = self.prompt if isinstance(self.prompt, list) else [self.prompt]
        texts = [text for text in given if isinstance(text, str)]
        if not texts or len(texts) < len(given):
            raise FieldRefused("prompt must be a text or a list of texts; tokens are not accepted", "prompt")
        if len(texts) > MOST_PROMPTS:
            raise FieldRefused(f"prompt: at most {MOST_PROMPTS} texts", "prompt")
        return texts

    def completion(self, prompt: str, client: str) -> CompletionRequest:
        """Raises `FieldRefused`."""
        sampling = self.sampling()
        if self.random_seed is not None:
            sampling["seed"] = self.random_seed
        return CompletionRequest(
            prompt=prompt,
            suffix=self.suffix,
            model=self.model,
            language=self.extra.language,
            max_tokens=tokens(self.max_tokens),
            stop=stops(self.stop),
            sampling=sampling,
            min_indent=self.extra.next_indent if self.extra.trim_by_indentation else 0,
            client=client,
        )


async def v1_completions(request: Request) -> Response:
    """OpenAI's and Tabby's bodies meet on one path (R3)."""
    data = await read_bytes(request)
    value = parse_json(data) if data.strip() else None
    if tabby.is_tabby(value):
        return await tabby.complete(request, decode(data, tabby.TabbyBody))
    body = decode(data, CompletionBody)
    if body.prompt is None:
        raise FieldRefused("send `prompt`, or `segments` as Tabby's clients do", "prompt")
    return await _complete(request, body, choices(body.n), TextShape(body.model))


async def fim(request: Request) -> Response:
    """Hosted fill-in-the-middle answers in the shape of a chat (R6)."""
    body = decode(await read_bytes(request), CompletionBody)
    return await _complete(request, body, choices(body.n), ChatShape(body.model))


async def beta(request: Request) -> Response:
    body = decode(await read_bytes(request), CompletionBody)
    return await _complete(request, body, choices(body.n), TextShape(body.model))


async def engines(request: Request) -> Response:
    """The path names the engine; `n` may be any number there, and is cut (R7)."""
    body = decode(await read_bytes(request), CompletionBody)
    n = min(max(body.n or 1, 1), MOST_CHOICES)
    response = await _complete(request, body, n, TextShape(body.model or request.path_params["engine"]))
    name, value = b"x-github-request-id", secrets.token_hex(16).encode()
    if isinstance(response, EventStream):
        response.first_headers.append((name, value))
    else:
        response.headers[name.decode()] = value.decode()
    return response


async def _complete(request: Request, body: CompletionBody, n: int, shape: Shape) -> Response:
    note(request, model=body.model)
    asks = [ask for prompt in body.prompts() for ask in repeated(body.completion(prompt, agent(request)), n)]
    before = [ask.prompt if body.echo else "" for ask in asks]
    if body.stream:
        return EventStream(_events(request, asks, before, n, shape, body.stream_options), error_event)
    found = await completions(request, asks)
    told = [
        shape.choice(index, before[index] + each.text, finish_reason(each.outcome.reason))
        for index, each in enumerate(found)
    ]
    return json_line(shape.whole(told, _used([each.outcome for each in found], n)))


async def _events(
    request: Request,
    asks: Sequence[CompletionRequest],
    before: Sequence[str],
    n: int,
    shape: Shape,
    options: StreamOptions,
) -> AsyncGenerator[bytes]:
    begun = [False] * len(asks)
    outcomes = [Outcome("stop")] * len(asks)
    async with aclosing(all_pieces(request, asks)) as found:
        async for index, piece in found:
            text = piece.text if begun[index] else before[index] + piece.text
            reason = None
            if piece.outcome is not None:
                outcomes[index] = piece.outcome
                reason = finish_reason(piece.outcome.reason)
            if data := shape.chunks(index, text, reason, first=not begun[index]):
                begun[index] = True
                yield data
    if options.include_usage:
        yield shape.used(_used(outcomes, n))
    yield DONE


def _used(outcomes: Sequence[Outcome], n: int) -> dict[str, Any]:
    """Tokens of one request. The choices of one prompt, `n` in a row, share it: it counts once."""
    prompts = outcomes[::n]
    return usage(
        sum(each.input_tokens for each in prompts),
        sum(each.output_tokens for each in outcomes),
        sum(each.cached_tokens for each in prompts),
    )


ROUTES = (
    Route("/v1/completions", v1_completions, methods=["POST"]),
    Route("/completions", v1_completions, methods=["POST"]),
    Route("/v1/fim/completions", fim, methods=["POST"]),
    Route("/fim/completions", fim, methods=["POST"]),
    Route("/v1/beta/completions", beta, methods=["POST"]),
    Route("/beta/completions", beta, methods=["POST"]),
    Route("/v1/engines/{engine}/completions", engines, methods=["POST"]),
    Route("/engines/{engine}/completions", engines, methods=["POST"]),
)
