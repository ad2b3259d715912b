"""Several generations side by side: the choices of one request (`n`, and a list of prompts).

Each is a request of its own to the engine, which shares the prompt's cache between them and queues what does not fit.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from puna.api.inference import concatenated
from puna.api.openai.events import Events, error_event
from puna.api.timing import timed
from puna.engine import Answer, Chunk
from puna.serving.streams import EventStream, answer
from puna.serving.wire import line

Opened = Callable[[], AbstractAsyncContextManager[Answer]]

DROPPED_HEADER = "x-puna-dropped-tokens"


@dataclass(frozen=True, slots=True)
class Step:
    """One batch of chunks of the choice `index`."""

    index: int
    answer: Answer
    batch: list[Chunk]


async def side_by_side(request: Request, opened: Sequence[Opened]) -> AsyncGenerator[Step]:
    """The batches of all choices as they come. The first error ends them all."""
    if len(opened) == 1:
        async with opened[0]() as found:
            async for batch in timed(request, found):
                yield Step(0, found, batch)
        return
    steps: asyncio.Queue[Step | Exception | None] = asyncio.Queue(len(opened))  # full: a slow reader holds them up

    async def work(index: int, open_one: Opened) -> None:
        try:
            async with open_one() as found:
                async for batch in timed(request, found):
                    await steps.put(Step(index, found, batch))
        except Exception as error:
            await steps.put(error)
        else:
            await steps.put(None)

    tasks = [asyncio.create_task(work(index, open_one)) for index, open_one in enumerate(opened)]
    try:
        left = len(tasks)
        while left:
            step = await steps.get()
            if isinstance(step, Exception):
                raise step
            if step is None:
                left -= 1
            else:
                yield step
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def whole(request: Request, opened: Sequence[Opened]) -> list[tuple[Chunk, Answer]]:
    """Each choice as one chunk, in order. Raises `Cancelled` when the client goes away."""

    async def gather() -> list[tuple[Chunk, Answer]]:
        chunks: list[list[Chunk]] = [[] for _ in opened]
        answers: dict[int, Answer] = {}
        async with aclosing(side_by_side(request, opened)) as steps:
            async for step in steps:
                chunks[step.index] += step.batch
                answers[step.index] = step.answer
        return [(concatenated(chunks[index]), answers[index]) for index in range(len(opened))]

    return await answer(request, gather)


def streamed(request: Request, opened: Sequence[Opened], events: Events) -> Response:
    """The events of all choices, one write per batch."""

    async def pieces() -> AsyncGenerator[bytes]:
        begun = False
        async with aclosing(side_by_side(request, opened)) as steps:
            async for step in steps:
                if not begun and step.answer.dropped_tokens:  # known by now, and the headers go with the first write
                    response.first_headers.append((DROPPED_HEADER.encode(), b"%d" % step.answer.dropped_tokens))
                begun = True
                if data := events.feed(step.index, step.batch, step.answer):
                    yield data

    response = EventStream(pieces(), error_event)
    return response


def object_response(value: object, dropped: int = 0) -> Response:
    """One object, as §1.3 has it for this dialect, with the header about a prompt that was cut."""
    headers = {DROPPED_HEADER: str(dropped)} if dropped else None
    return Response(line(value), headers=headers, media_type="application/json")
