"""`POST /api/generate`, the main route, and `/api/chat` (contract code-completion §1.3, §1.7, §1.8)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from time import perf_counter_ns
from typing import Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from puna.code.answering import all_pieces, completer_of, completions, json_line
from puna.code.dialects import Answer, is_strict
from puna.code.errors import native_error
from puna.code.failures import EmptyRequest
from puna.code.reading import Sampling, agent, choices, read, refuse, repeated, stops, tokens
from puna.code.routes.chatting import chat_lines, whole_chat
from puna.code.types import CompletionRequest, ContextFile, Outcome
from puna.serving.bodies import Wire
from puna.serving.requestlog import note
from puna.serving.streams import NdjsonResponse, answer
from puna.serving.wire import line
from puna.units import parse_keep_alive_ns


class Options(Sampling):
    num_predict: int | None = None
    num_ctx: int | None = None
    stop: Any = None


class Extra(Wire):
    filename: str = ""
    text: str = ""


class Extension(Wire):
    """The field `puna`: what an editor knows and Ollama's body has no place for."""

    language: str = ""
    path: str = ""
    repo: str = ""
    extra: list[Extra] = Field(default_factory=list)
    mode: Literal["auto", "line", "block", "raw", "warm"] | None = None
    session: str = ""
    n: int | None = None
    debug: bool = False


class GenerateBody(Wire):
    model: str = ""
    prompt: str = ""
    suffix: str = ""
    stream: bool | None = None
    raw: bool = False
    system: str = ""
    template: str = ""
    options: Options = Options()
    keep_alive: Any = None
    images: list[Any] = Field(default_factory=list)
    format: Any = None
    puna: Extension = Extension()

    def completion(self, client: str) -> CompletionRequest:
        """Raises `FieldRefused`, `NotSupported`."""
        refuse({"images": self.images, "format": self.format})
        more, options = self.puna, self.options
        sampling = options.sampling()
        if options.num_ctx is not None:
            sampling["num_ctx"] = options.num_ctx
        return CompletionRequest(
            prompt=self.prompt,
            suffix=self.suffix,
            model=self.model,
            raw=self.raw,
            language=more.language,
            path=more.path,
            repo=more.repo,
            extra=tuple(ContextFile(file.filename, file.text) for file in more.extra),
            template=self.template,
            system=self.system,
            max_tokens=tokens(options.num_predict),
            stop=stops(options.stop, "options.stop"),
            sampling=sampling,
            keep_alive=self.keep_alive,
            mode=more.mode,
            session=more.session,
            client=client,
            debug=more.debug,
        )


async def generate(request: Request) -> Response:
    body = await read(request, GenerateBody)
    started = perf_counter_ns()
    note(request, model=body.model)
    strict = _is_strict(request)
    shape = Answer(body.model, strict, body.puna.debug)
    asks = repeated(body.completion(agent(request)), choices(body.puna.n, "puna.n"))
    if not (body.prompt or body.suffix):
        outcome = await _loaded(request, body)
        return json_line(shape.last("", outcome, perf_counter_ns() - started, datetime.now(UTC)))
    if strict if body.stream is None else body.stream:
        return NdjsonResponse(_lines(request, asks, shape, started), lambda error: line(native_error(error)))
    first, *others = await completions(request, asks)
    more = [each.text for each in others]
    return json_line(shape.last(first.text, first.outcome, perf_counter_ns() - started, datetime.now(UTC), more))


async def _lines(request: Request, asks: list[CompletionRequest], shape: Answer, started: int) -> AsyncGenerator[bytes]:
    """The first choice in pieces; the others stand in the last line, which waits for them."""
    outcome, tail = Outcome("stop"), ""
    others = [""] * len(asks)
    async with aclosing(all_pieces(request, asks)) as found:
        async for index, piece in found:
            if index:
                others[index] += piece.text
            elif piece.outcome is not None:
                outcome, tail = piece.outcome, piece.text
            elif piece.text:
                yield line(shape.piece(piece.text, datetime.now(UTC)))
    yield line(shape.last(tail, outcome, perf_counter_ns() - started, datetime.now(UTC), others[1:]))


async def _loaded(request: Request, body: GenerateBody) -> Outcome:
    """A body without text loads or unloads a model, or is a mistake. Raises `EmptyRequest`."""
    if not body.model and body.keep_alive is None:
        raise EmptyRequest
    completer = completer_of(request)
    if parse_keep_alive_ns(body.keep_alive) == 0:
        return await answer(request, lambda: completer.unload(body.model))
    return await answer(request, lambda: completer.load(body.model, body.keep_alive))


def _is_strict(request: Request) -> bool:
    return is_strict(
        request.app.state.wire.dialect,
        root_path=request.scope.get("root_path", ""),
        query=request.query_params,
        user_agent=agent(request),
    )


class ChatBody(Wire):
    model: str = ""
    messages: list[dict[str, Any]] = Field(default_factory=list)
    tools: list[dict[str, Any]] = Field(default_factory=list)
    stream: bool = True
    format: Any = None
    options: dict[str, Any] = Field(default_factory=dict)
    think: Any = None
    keep_alive: Any = None


async def chat(request: Request) -> Response:
    """The endpoint's own answers, under the name that the client knows the model by."""
    body = await read(request, ChatBody)
    note(request, model=body.model)
    ask = body.model_dump(exclude_none=True, exclude_defaults=True) | {"model": body.model, "messages": body.messages}
    name = body.model or "default"
    if body.stream:
        return NdjsonResponse(_renamed(request, ask, name), lambda error: line(native_error(error)))
    return json_line({**await whole_chat(request, ask), "model": name})


async def _renamed(request: Request, ask: dict[str, Any], name: str) -> AsyncGenerator[bytes]:
    async with aclosing(chat_lines(request, ask)) as lines:
        async for said in lines:
            yield line({**said, "model": name})


ROUTES = (
    Route("/api/generate", generate, methods=["POST"]),
    Route("/api/chat", chat, methods=["POST"]),
)
