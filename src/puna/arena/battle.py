"""One blind battle: its states, and who may do what when (contract arena §2.3 V1-V4, V9). A pure state machine.

streaming → ready    every slot has finished its answer
          → void     a slot failed or was cut
ready     → streaming (a further turn), voted, skipped, revealed
voted     → void     undone within 30 seconds

Every event gives a new Battle or raises. Times are seconds of one clock that the caller reads. What the answers were
and who sat where is not known here.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from puna.arena.verdicts import Verdict
from puna.errors import PunaError

State = Literal["streaming", "ready", "void", "voted", "skipped", "revealed"]
T = TypeVar("T")

LETTERS = "ABCDEF"
MAX_TURNS = 20
UNDO_S = 30.0
FAST_S = 2.0

_NOT_READY, _RECORDED, _REVEALED = "Battle not ready", "Vote already recorded", "Identities already revealed"
_CLOSED: dict[State, str] = {
    "streaming": _NOT_READY,
    "void": _NOT_READY,
    "voted": _RECORDED,
    "skipped": _RECORDED,
    "revealed": _REVEALED,
}


class BattleConflict(PunaError):
    """The battle's state does not allow it (V3)."""

    status = 409


@dataclass(frozen=True, slots=True)
class Battle:
    """`slots` are letters in the order of their cards. The first turn streams from the start."""

    slots: tuple[str, ...]
    blind: bool = True
    state: State = "streaming"
    turns: int = 1
    finished: frozenset[str] = frozenset()  # slots of this turn
    ready_at: float | None = None
    voted_at: float | None = None
    verdict: Verdict | None = None

    @property
    def counts(self) -> bool:
        """Its verdict makes rows."""
        return self.state == "voted"

    @property
    def identities_shown(self) -> bool:
        """An undone vote has shown them, too: nothing hides again what was seen."""
        return not self.blind or self._decided

    @property
    def _decided(self) -> bool:
        return self.voted_at is not None or self.state == "revealed"

    @property
    def fast(self) -> bool:
        """The vote came too soon after the answers to have read them (V9)."""
        return self.voted_at is not None and self.ready_at is not None and self.voted_at - self.ready_at < FAST_S

    def slot_finished(self, slot: str, now: float) -> Battle:
        """The slot's answer of this turn is complete. Of no effect on a battle that is over: chatting on is allowed."""
        if self.state != "streaming":
            return self
        finished = self.finished | {slot}
        if not finished.issuperset(self.slots):
            return replace(self, finished=finished)
        return replace(self, finished=finished, state="ready", ready_at=now)

    def slot_failed(self) -> Battle:
        """A slot failed, or was cut: answers that are no match for each other are not voted on."""
        return replace(self, state="void") if self.state == "streaming" else self

    def further_turn(self) -> Battle:
        """The next message to all slots. After the vote or the reveal it changes nothing but the count of turns."""
        if self.state != "ready" and not self._decided:
            raise BattleConflict(_NOT_READY)
        if self.turns >= MAX_TURNS:
            raise BattleConflict(f"A battle has at most {MAX_TURNS} turns")
        if self.state != "ready":
            return replace(self, turns=self.turns + 1)
        return replace(self, turns=self.turns + 1, state="streaming", finished=frozenset(), ready_at=None)

    def vote(self, verdict: Verdict, now: float) -> Battle:
        """Records the verdict, which reveals. `verdict` is of this battle's slots."""
        self._require_ready()
        return replace(self, state="voted", verdict=verdict, voted_at=now)

    def skip(self) -> Battle:
        self._require_ready()
        return replace(self, state="skipped")

    def reveal(self) -> Battle:
        """Shows who it was, without a vote; none is possible afterwards."""
        if self.identities_shown:
            raise BattleConflict(_REVEALED)
        self._require_ready()
        return replace(self, state="revealed")

    def undo(self, now: float) -> Battle:
        """Takes the vote back: the battle is void, since its identities were seen."""
        if self.state != "voted" or self.voted_at is None:
            raise BattleConflict("No vote to undo")
        if now - self.voted_at > UNDO_S:
            raise BattleConflict(f"A vote can be undone for {UNDO_S:.0f} seconds")
        return replace(self, state="void")

    def _require_ready(self) -> None:
        if self.state != "ready":
            raise BattleConflict(_CLOSED[self.state])


def seat(instances: Sequence[T], rng: random.Random) -> dict[str, T]:
    """Slot letters in card order, and who sits there: a fair shuffle of 2 to 6, made once for all turns (V4)."""
    if not 2 <= len(instances) <= len(LETTERS):
        raise ValueError(f"a battle has 2 to {len(LETTERS)} slots")
    return dict(zip(LETTERS, rng.sample(instances, len(instances)), strict=False))
