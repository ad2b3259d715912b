"""How much of each answer of a battle may be shown, so that speed cannot vote (contract arena §2.3 V7). Pure.

All slots are uncovered by one cursor, counted in characters: whoever wrote faster, all answers grow alike. It starts
once every slot has begun, follows the slowest slot that is still writing, and goes on at the slowest pace that it saw
when that slot has ended: a jump would tell who had to be waited for. It follows smoothly, so that the pieces in which
the slowest slot's text came do not show. A slot counts as done when all of its text has been shown.

Below 15 characters a second the cursor does not wait: then a slot that is slower than that can be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf

SLOWEST_PER_S = 15.0
"""Characters a second at which answers are shown at least."""

_FOLLOW_S = 0.4  # how far behind the slowest slot the cursor stays
_MEASURABLE = 40  # characters below which an answer has no pace: `Four.` in two pieces says nothing


class _Slot:
    __slots__ = ("began", "ended", "length")

    def __init__(self) -> None:
        self.length = 0
        self.began: float | None = None
        self.ended: float | None = None

    @property
    def pace(self) -> float:
        """Characters a second of an answer that has ended."""
        if self.began is None or self.ended is None or self.length < _MEASURABLE or self.ended <= self.began:
            return inf
        return self.length / (self.ended - self.began)


class Pacer:
    """Is told what arrives, and says what to show. Times are seconds of one clock that never goes back.

    With `paced` off everything is shown as it comes.
    """

    def __init__(self, slots: Iterable[str], *, paced: bool = True) -> None:
        self._slots = {slot: _Slot() for slot in slots}
        self._cursor = 0.0 if paced else inf
        self._at: float | None = None  # None until every slot has begun

    def arrived(self, slot: str, characters: int, now: float) -> None:
        """More text of an answer."""
        found = self._slots[slot]
        if found.began is None:
            found.began = now
        found.length += characters

    def ended(self, slot: str, now: float) -> None:
        """The answer is complete; one without text counts as begun, too."""
        found = self._slots[slot]
        found.ended = now
        if found.began is None:
            found.began = now

    def shown(self, now: float) -> Mapping[str, int]:
        """Characters of each slot that may be shown. Never fewer than before."""
        self._advance(now)
        return {name: int(min(slot.length, self._cursor)) for name, slot in self._slots.items()}

    def done(self, slot: str) -> bool:
        """Whether the whole answer has been shown, as of the last `shown`."""
        found = self._slots[slot]
        begun = self._at is not None or self._cursor == inf
        return begun and found.ended is not None and found.length <= self._cursor

    def _advance(self, now: float) -> None:
        if self._cursor == inf or any(slot.began is None for slot in self._slots.values()):
            return
        last, self._at = self._at, now
        if last is None or now <= last:
            return
        writing = [slot.length for slot in self._slots.values() if slot.ended is None]
        ahead = min(writing) - self._cursor if writing else inf
        speed = min(ahead / _FOLLOW_S, *(slot.pace for slot in self._slots.values()))
        longest = max(slot.length for slot in self._slots.values())
        self._cursor = min(longest, self._cursor + max(speed, SLOWEST_PER_S) * (now - last))
