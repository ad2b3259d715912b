"""A battle with all that is known of it: who sits where, what was asked and said (contract arena §2.3). Pure.

This is what the server keeps. What of it may be told, and when, is `puna.arena.blind`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from puna.arena.battle import UNDO_S, Battle
from puna.arena.challenge import NO_OPINION, Opinion
from puna.arena.conversation import Message
from puna.arena.instances import Instance
from puna.arena.leaks import Leak
from puna.arena.metrics import Metrics
from puna.arena.pairs import Strategy
from puna.arena.timings import Timings
from puna.arena.verdicts import Verdict

AnswerState = Literal["waiting", "streaming", "done", "failed", "stopped"]
INTERRUPTED = "The server was stopped before the answer was complete"


@dataclass(frozen=True, slots=True)
class Seat:
    """Who sits at a slot."""

    instance: Instance
    rated: str  # what a board calls it
    family: str = ""
    digest: str = ""  # of the model's files


@dataclass(frozen=True, slots=True)
class BattleAnswer:
    """One slot's answer of one turn."""

    state: AnswerState = "waiting"
    text: str = ""
    thinking: str = ""
    reason: str = ""  # why it failed: the upstream's words, or ours
    metrics: Metrics | None = None
    timings: Timings | None = None

    @property
    def over(self) -> bool:
        return self.state not in ("waiting", "streaming")


@dataclass(frozen=True, slots=True)
class BattleTurn:
    prompt: str
    answers: Mapping[str, BattleAnswer]  # by slot
    images: tuple[str, ...] = ()  # base64

    @classmethod
    def of(cls, prompt: str, slots: tuple[str, ...], images: tuple[str, ...] = ()) -> BattleTurn:
        """One that nobody has answered yet."""
        return cls(prompt, dict.fromkeys(slots, BattleAnswer()), images)

    @property
    def all_done(self) -> bool:
        return all(answer.state == "done" for answer in self.answers.values())


@dataclass(frozen=True, slots=True)
class BattleRecord:
    id: str  # UUID4 in hex digits
    at: datetime
    battle: Battle
    seats: Mapping[str, Seat]  # by slot, in the order of the cards, the same in all turns (V4)
    turns: tuple[BattleTurn, ...]
    system: str = ""
    paced: bool = True
    strategy: Strategy = "uniform"
    probability: float = 1.0  # of having drawn just these
    words: frozenset[str] = frozenset()  # that would give away one of the pool (V8)
    judged: int | None = None  # turns that the decision is about
    leaks: Mapping[str, Leak] = field(default_factory=dict)  # by slot, found at the decision
    opinion: Opinion = NO_OPINION  # what the vote says beside its verdict

    @property
    def slots(self) -> tuple[str, ...]:
        return self.battle.slots

    @property
    def judged_turns(self) -> tuple[BattleTurn, ...]:
        """Those before the decision: chatting on does not count."""
        return self.turns[: self.judged]

    @property
    def undo_until(self) -> datetime | None:
        if self.battle.state != "voted" or self.battle.voted_at is None:
            return None
        return datetime.fromtimestamp(self.battle.voted_at + UNDO_S, UTC)

    def thread(self, slot: str) -> tuple[Message, ...]:
        """What the slot is asked: its own earlier answers, never another's, and the last turn's prompt."""
        messages = [Message("system", self.system)] if self.system else []
        for turn in self.turns:
            messages.append(Message("user", turn.prompt, turn.images))
            if turn is not self.turns[-1]:
                messages.append(Message("assistant", turn.answers[slot].text))
        return tuple(messages)

    def asked(self, prompt: str) -> BattleRecord:
        """With a further turn. Raises `BattleConflict`."""
        return replace(self, battle=self.battle.further_turn(), turns=(*self.turns, BattleTurn.of(prompt, self.slots)))

    def answered(self, turn: BattleTurn, now: float) -> BattleRecord:
        """With the last turn as it ended."""
        battle = self.battle
        for slot, answer in turn.answers.items():
            battle = battle.slot_finished(slot, now) if answer.state == "done" else battle.slot_failed()
        return replace(self.showing(turn), battle=battle)

    def showing(self, turn: BattleTurn) -> BattleRecord:
        """With another last turn."""
        return replace(self, turns=(*self.turns[:-1], turn))

    def interrupted(self, now: float) -> BattleRecord:
        """As it is when the process that played its last turn is gone: answers that were on their way have failed."""
        turn = self.turns[-1]
        answers = {
            slot: answer if answer.over else replace(answer, state="failed", reason=INTERRUPTED)
            for slot, answer in turn.answers.items()
        }
        return self.answered(replace(turn, answers=answers), now) if answers != turn.answers else self

    def voted(
        self, verdict: Verdict, leaks: Mapping[str, Leak], now: float, opinion: Opinion = NO_OPINION
    ) -> BattleRecord:
        """Raises `BattleConflict`."""
        return replace(self._decided(self.battle.vote(verdict, now), leaks), opinion=opinion)

    def skipped(self) -> BattleRecord:
        """Raises `BattleConflict`."""
        return replace(self, battle=self.battle.skip())

    def revealed(self, leaks: Mapping[str, Leak]) -> BattleRecord:
        """Raises `BattleConflict`."""
        return self._decided(self.battle.reveal(), leaks)

    def undone(self, now: float) -> BattleRecord:
        """Raises `BattleConflict`."""
        return replace(self, battle=self.battle.undo(now))

    def _decided(self, battle: Battle, leaks: Mapping[str, Leak]) -> BattleRecord:
        return replace(self, battle=battle, judged=len(self.turns), leaks=leaks)
