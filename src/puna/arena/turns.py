"""One turn of a saved session: what is heard goes on to the reader and into the database (contract arena S9, K1).

An answer is kept while it is generated, so that a crash costs no more than its last second. The text that is kept is
the text that was streamed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from puna.arena.answers import metrics_wire
from puna.arena.events import Done, Event, Failed, Thinking, Token
from puna.arena.storage.session import Answer, Turn
from puna.arena.storage.sessions import Sessions
from puna.arena.unsaved import unsaved
from puna.errors import DatabaseFailed

EVERY_S = 1.0  # what is new is kept so often


class Kept:
    """One answer as far as it is known; what was there `before` stays, and more comes behind it."""

    def __init__(self, before: Answer) -> None:
        self.changed = False  # since it was last written to the database
        self._instance = before.instance
        self._text = [before.text]
        self._thinking = [before.thinking]
        self._end: dict[str, Any] = {"state": "running", "metrics": before.metrics, "timings": before.timings}

    def hear(self, event: Token | Thinking | Done | Failed) -> None:
        match event:
            case Token(_, text):
                self._text.append(text)
            case Thinking(_, text):
                self._thinking.append(text)
            case Done(_, metrics, timings):
                self._end = {
                    "state": "stopped" if timings.stopped else "done",
                    "done_reason": timings.done_reason,
                    "metrics": metrics_wire(metrics),
                    "timings": timings.wire(),
                }
            case Failed(_, reason):
                self._end |= {"state": "failed", "error": reason}
        self.changed = True

    def stop(self) -> None:
        """Nobody will hear the rest of it."""
        if self._end["state"] == "running":
            self._end["state"] = "stopped"
            self.changed = True

    def answer(self) -> Answer:
        return Answer(self._instance, "".join(self._text), "".join(self._thinking), **self._end)


class Recording:
    """The answers of one turn on their way into the database."""

    def __init__(self, sessions: Sessions, session_id: str, turn: Turn) -> None:
        self.turn = turn
        self.failure: DatabaseFailed | None = None  # of the last try to write
        self._sessions = sessions
        self._session_id = session_id
        self._kept = {answer.instance_id: Kept(answer) for answer in turn.answers}
        self._writing = asyncio.Lock()

    async def hear(self, event: Event) -> None:
        """An answer's end is kept when this returns."""
        if isinstance(event, Token | Thinking | Done | Failed):
            self._kept[event.instance_id].hear(event)
        if isinstance(event, Done | Failed):
            await self._save()

    async def keep_saving(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            await self._save()

    async def stop(self) -> None:
        """What has no end by now will have none."""
        for kept in self._kept.values():
            kept.stop()
        await self._save()

    async def _save(self) -> None:
        """Whoever waits for it may be cancelled; the writing goes on, and a later one comes after it."""
        await asyncio.shield(asyncio.create_task(self._write()))

    async def _write(self) -> None:
        async with self._writing:
            changed = [kept for kept in self._kept.values() if kept.changed]
            for kept in changed:
                kept.changed = False
            answers = [kept.answer() for kept in changed]
            try:
                if answers:
                    await asyncio.to_thread(self._sessions.save_answers, self._session_id, self.turn.number, answers)
                self.failure = None
            except DatabaseFailed as error:
                self.failure = error
                for kept in changed:
                    kept.changed = True


@asynccontextmanager
async def recording(sessions: Sessions, session_id: str, begin: Callable[[], Turn]) -> AsyncIterator[Recording]:
    """Around the stream of one turn; `begin` puts it into the database, its answers running, and blocks.

    Raises what `begin` raises. If something could not be kept, an `ArenaError` at the end says so: what the models say
    is worth reading all the same.
    """
    beginning = asyncio.create_task(asyncio.to_thread(begin))
    try:
        found = Recording(sessions, session_id, await asyncio.shield(beginning))
    except asyncio.CancelledError:  # the reader has left, but the turn is there
        await Recording(sessions, session_id, await beginning).stop()
        raise
    saver = asyncio.create_task(found.keep_saving())
    try:
        yield found
    finally:
        saver.cancel()
        await found.stop()
    if found.failure:
        raise unsaved(found.failure, "Not all answers of this turn were saved: copy what you need from the page")
