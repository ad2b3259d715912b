"""From what is asked to what is answered: pieces of one or more completions, as streams or as whole answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response

from puna.code.completer import Completer
from puna.code.errors import unexpected
from puna.code.types import CompletionRequest, Outcome, Piece
from puna.errors import PunaError
from puna.serving.callers import caller_of
from puna.serving.requestlog import add, note
from puna.serving.streams import answer, side_by_side
from puna.serving.wire import line


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer."""

    text: str
    outcome: Outcome


def completer_of(request: Request) -> Completer:
    found: Completer = request.app.state.completer
    return found


async def pieces(request: Request, ask: CompletionRequest) -> AsyncGenerator[Piece]:
    """The pieces of one completion, the last one with the outcome, which the request's log line counts."""
    own = replace(ask, caller=caller_of(request).id)
    try:
        async with aclosing(completer_of(request).complete(own)) as found:
            async for piece in found:
                if piece.outcome is not None:
                    _count(request, piece.outcome)
                yield piece
    except PunaError:
        raise
    except Exception as error:
        raise unexpected(error) from None


def all_pieces(request: Request, asks: Sequence[CompletionRequest]) -> AsyncGenerator[tuple[int, Piece]]:
    """The pieces of all completions as they come, each with its completion's number."""
    return side_by_side([pieces(request, ask) for ask in asks])


async def completions(request: Request, asks: Sequence[CompletionRequest]) -> list[Completion]:
    """Each completion whole, in order. Raises `Cancelled` when the client goes away."""

    async def gather() -> list[Completion]:
        texts: list[list[str]] = [[] for _ in asks]
        outcomes = [Outcome("stop")] * len(asks)
        async with aclosing(all_pieces(request, asks)) as found:
            async for index, piece in found:
                texts[index].append(piece.text)
                outcomes[index] = piece.outcome or outcomes[index]
        return [Completion("".join(text), outcome) for text, outcome in zip(texts, outcomes, strict=True)]

    return await answer(request, gather)


async def completion(request: Request, ask: CompletionRequest) -> Completion:
    return (await completions(request, [ask]))[0]


def json_line(value: object) -> Response:
    """One line of JSON (H9)."""
    return Response(line(value), media_type="application/json")


def _count(request: Request, outcome: Outcome) -> None:
    note(request, reason=outcome.reason)
    add(
        request,
        input_tokens=outcome.input_tokens,
        cached_tokens=outcome.cached_tokens,
        output_tokens=outcome.output_tokens,
    )
