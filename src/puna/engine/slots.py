"""Which slot of a runner a request gets, where several callers share the runner (threats T23, T24).

A slot keeps the text of its last request, and a request that begins alike is answered sooner: whoever is given another
caller's slot could find out what is in it. So a slot is reused as it is by the caller whose text it holds, and erased
for everybody else. DESIGN.md beside this file has what is known of the engine, and why it may not choose by itself.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from puna.errors import Busy, PunaError

SETTLES_S = 60.0  # between a client's leaving and the latest moment at which the engine may still begin its request
_ALIKE = 0.1  # of a prompt that a slot already holds, to be worth more than an empty slot: the engine's own measure
_REMEMBERED = 1 << 20  # bytes of a prompt that are compared


@dataclass(slots=True, eq=False)
class _Slot:
    id: int
    owner: str | None = None  # whose text it holds; None = nobody may reuse it
    prompt: bytes = field(default=b"", repr=False)  # the owner's last one
    used: int = 0  # the number of its last turn
    settled_at: float = 0.0  # seconds; until then an abandoned request may still write into it


@dataclass(slots=True, eq=False)
class Turn:
    """A slot while one request has it. `answered` tells that the engine's answer has begun."""

    slot: _Slot
    caller: str
    prompt: bytes | None = field(repr=False)
    reuse: bool
    disturbed: bool  # what the engine put into the slot may be another's text by now
    answer: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def fields(self) -> dict[str, Any]:
        """What the engine must be told of it."""
        return {"id_slot": self.slot.id, "cache_prompt": self.reuse}

    def answered(self) -> None:
        self.answer.set()


class Slots:
    """The slots of one runner, and who waits for them: callers take turns, however many requests each of them has."""

    def __init__(self, count: int, max_queue: int) -> None:
        self._slots = [_Slot(number) for number in range(count)]
        self._free = list(self._slots)
        self._turns: set[Turn] = set()
        self._waiting: dict[str, deque[tuple[asyncio.Future[Turn], bytes | None]]] = {}  # whose turn is next, first
        self._max_queue = max_queue
        self._count = 0
        self._roaming = 0  # requests whose slots the engine chooses
        self._settled_at = 0.0  # of all slots

    @property
    def waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def turn(self, caller: str, prompt: bytes | None) -> AsyncGenerator[Turn]:
        """A slot for one request; `prompt` is what to find in a slot that holds a beginning of it, None = nothing.

        Waits for its turn. Raises `Busy` for a caller who already has a full share of a full queue.
        """
        turn = await self._granted(caller, prompt if prompt is None else prompt[:_REMEMBERED])
        refused = False
        try:
            yield turn
        except PunaError:
            refused = True
            raise
        finally:
            self._end(turn, refused)

    @asynccontextmanager
    async def roaming(self, caller: str) -> AsyncGenerator[None]:
        """A turn for a request that the engine puts into any slots that are idle, as it does with embeddings.

        What those held is nobody's afterwards. It waits until nobody counts on the text of a slot and has not got it.
        """
        async with self.turn(caller, None) as turn:
            self._roaming += 1
            self._disown_idle()
            abandoned = False
            try:
                for other in [each for each in self._turns if each.reuse]:
                    await other.answer.wait()
                abandoned = True
                yield
                abandoned = False
            except PunaError:
                abandoned = False
                raise
            finally:
                self._roaming -= 1
                self._disown_idle()
                turn.answered()
                if abandoned:
                    self._settled_at = time.monotonic() + SETTLES_S

    async def _granted(self, caller: str, prompt: bytes | None) -> Turn:
        if self._free and not self._waiting:
            return self._grant(caller, prompt)
        queue = self._waiting.get(caller, deque())
        share = self._max_queue // len(self._waiting.keys() | {caller})
        if self.waiting >= self._max_queue and len(queue) >= share:
            raise Busy
        granted: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        queue.append((granted, prompt))
        self._waiting[caller] = queue
        try:
            return await granted
        except asyncio.CancelledError:
            if granted.cancelled():
                self._leave(caller, granted)
            else:  # it was granted and called off in the same moment
                self._end(granted.result(), refused=True)
            raise

    def _leave(self, caller: str, granted: asyncio.Future[Turn]) -> None:
        left = deque(each for each in self._waiting.get(caller, ()) if each[0] is not granted)
        if left:
            self._waiting[caller] = left
        else:
            self._waiting.pop(caller, None)

    def _grant(self, caller: str, prompt: bytes | None) -> Turn:
        slot = min(self._free, key=lambda slot: _rank(slot, caller, prompt or b""))
        self._free.remove(slot)
        self._count += 1
        slot.used = self._count
        disturbed = self._disturbed(slot)
        reuse = prompt is not None and slot.owner == caller and not disturbed
        turn = Turn(slot, caller, prompt, reuse, disturbed)
        slot.owner = None
        self._turns.add(turn)
        return turn

    def _end(self, turn: Turn, refused: bool) -> None:
        """Whose text the slot holds now, and who comes next.

        A refused request may have left the slot as it was. An abandoned one may still begin in the engine, even after
        the next one: until it is settled that it did not, nobody may count on the slot.
        """
        slot, begun = turn.slot, turn.answer.is_set()
        if not begun and not refused:
            slot.settled_at = time.monotonic() + SETTLES_S
        kept = begun and turn.prompt is not None and not turn.disturbed and not self._disturbed(slot)
        slot.owner, slot.prompt = (turn.caller, turn.prompt or b"") if kept else (None, b"")
        turn.answered()  # nobody need wait for it any more
        self._turns.discard(turn)
        self._free.append(slot)
        self._next()

    def _next(self) -> None:
        """One request of the caller who has waited longest since the last; then it is the others' turn."""
        while self._free and self._waiting:
            caller = next(iter(self._waiting))
            queue = self._waiting.pop(caller)
            granted, prompt = queue.popleft()
            if queue:
                self._waiting[caller] = queue
            if not granted.done():
                granted.set_result(self._grant(caller, prompt))

    def _disturbed(self, slot: _Slot) -> bool:
        return self._roaming > 0 or time.monotonic() < max(slot.settled_at, self._settled_at)

    def _disown_idle(self) -> None:
        for slot in self._free:
            slot.owner, slot.prompt = None, b""


def _rank(slot: _Slot, caller: str, prompt: bytes) -> tuple[int, int, int]:
    """The lowest is taken: 1. the caller's own that holds most of the prompt; 2. nobody's; 3. another of the caller's;
    4. another caller's. Of equals the one that has been idle for longest."""
    if slot.owner is None:
        return 2, 0, slot.used
    if slot.owner != caller:
        return 4, 0, slot.used
    alike = common_prefix(slot.prompt, prompt)
    return (1, -alike, slot.used) if alike > _ALIKE * len(prompt) else (3, 0, slot.used)


def common_prefix(one: bytes, other: bytes) -> int:
    """How many leading bytes are the same."""
    return bisect_left(range(min(len(one), len(other))), True, key=lambda at: one[: at + 1] != other[: at + 1])
