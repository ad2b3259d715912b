"""One turn of a battle on its way: asked of all slots, collected, and uncovered at one pace (contract arena §2.3 V7).

What watchers hear comes in ticks, not as it arrives: how many pieces an answer had would tell its tokens.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from time import monotonic

from puna.arena.asking import Asker
from puna.arena.conversation import cut
from puna.arena.events import Done, Event, Failed, Thinking, Token
from puna.arena.instances import Instance
from puna.arena.metrics import Metrics
from puna.arena.pacing import Pacer
from puna.arena.record import AnswerState, BattleAnswer, BattleRecord, BattleTurn
from puna.arena.request import Question
from puna.arena.timings import Timings
from puna.prompts.thinking import ThinkingParser

TICK_S = 0.05
HEARTBEAT_S = 15.0
LONGEST = 1 << 20  # characters of an answer: a model that never ends is stopped though nobody watches

_CUT = "The answer was cut off"
_TOO_LONG = f"The answer is longer than {LONGEST} characters"
_TAGS = ("<think>", "</think>")  # of upstreams that leave the thinking in the text (R5)


@dataclass(frozen=True, slots=True)
class News:
    """Of one slot: more text to show, or that its answer is over."""

    slot: str
    state: AnswerState  # over, or streaming with more text
    text: str = ""


class Round:
    """`record`'s last turn, of which nothing is answered yet. It stands or falls as a whole: where one slot fails, the
    others are stopped.
    """

    def __init__(self, asker: Asker, record: BattleRecord, *, messages: int) -> None:
        """`messages` is how long a conversation may be (C5)."""
        self._asker = asker
        self._turn = self._shown = record.turns[-1]
        self._questions = [_question(record, slot, messages) for slot in record.slots]
        self._slots = {slot: _Slot(record.seats[slot].instance) for slot in record.slots}
        self._pacer = Pacer(record.slots, paced=record.paced and not record.battle.identities_shown)
        self._news = asyncio.Event()
        self._over = False

    @property
    def shown(self) -> BattleTurn:
        """As much as may be shown now: texts and states, no thinking, no speeds, no reasons."""
        return self._shown

    async def play(self) -> BattleTurn:
        """The whole turn, once all of it has been shown. Cancelling ends the upstreams' work (K2)."""
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._listen())
            while not (listening.done() and all(answer.over for answer in self._shown.answers.values())):
                await asyncio.sleep(TICK_S)
                self._uncover()
        return replace(self._turn, answers={name: slot.answer() for name, slot in self._slots.items()})

    def end(self) -> None:
        """Lets the watchers go: what came of the turn has been kept."""
        self._over = True
        self._news.set()

    async def watch(self) -> AsyncGenerator[News | None]:
        """All that may be shown so far, and then more as it comes, up to `end`. None is a silence (S6)."""
        for news in first_news(told := self._shown):
            yield news
        while True:
            over, coming, shown = self._over, self._news, self._shown
            for news in _difference(told, shown):
                yield news
            told = shown
            if over:
                return
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await coming.wait()
            except TimeoutError:
                yield None

    async def _listen(self) -> None:
        async with aclosing(self._asker.ask(self._questions)) as events:
            async for event in events:
                self._hear(event)
                if any(slot.state == "failed" for slot in self._slots.values()):
                    break
        for name, slot in self._slots.items():
            if not slot.over:
                self._end(name, "stopped")

    def _hear(self, event: Event) -> None:
        match event:
            case Token(name, text):
                self._add(name, *self._slots[name].parser.feed(text))
            case Thinking(name, text):
                self._add(name, text, "")
            case Done(name, metrics, timings):
                slot = self._slots[name]
                self._add(name, *slot.parser.finish())
                slot.metrics, slot.timings = metrics, timings
                reason = _CUT if _was_cut(slot.instance, timings) else slot.reason
                self._end(name, "failed" if reason else "done", reason)
            case Failed(name, reason):
                self._end(name, "failed", reason)

    def _add(self, name: str, thinking: str, text: str) -> None:
        slot = self._slots[name]
        slot.thinking.append(thinking)
        slot.text.append(text)
        slot.length += len(thinking) + len(text)
        if text:
            self._pacer.arrived(name, len(text), monotonic())
        if slot.length > LONGEST:
            self._end(name, "failed", _TOO_LONG)

    def _end(self, name: str, state: AnswerState, reason: str = "") -> None:
        slot = self._slots[name]
        slot.state, slot.reason = state, reason
        self._pacer.ended(name, monotonic())

    def _uncover(self) -> None:
        lengths = self._pacer.shown(monotonic())
        shown = {name: self._so_far(name, slot, lengths[name]) for name, slot in self._slots.items()}
        if shown != self._shown.answers:
            self._shown = replace(self._turn, answers=shown)
            self._news.set()
            self._news = asyncio.Event()

    def _so_far(self, name: str, slot: _Slot, length: int) -> BattleAnswer:
        """A failure shows at once, but that an answer is done only when all of it has been shown (V7)."""
        if slot.state in ("failed", "stopped") or self._pacer.done(name):
            state = slot.state
        else:
            state = "streaming" if length else "waiting"
        return BattleAnswer(state, slot.text.joined()[:length])


class _Slot:
    """What one slot has said."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.parser = ThinkingParser(*_TAGS)
        self.state: AnswerState = "streaming"
        self.text, self.thinking = _Pieces(), _Pieces()
        self.length = 0
        self.reason = ""
        self.metrics: Metrics | None = None
        self.timings: Timings | None = None

    @property
    def over(self) -> bool:
        return self.state != "streaming"

    def answer(self) -> BattleAnswer:
        return BattleAnswer(
            self.state, self.text.joined(), self.thinking.joined(), self.reason, self.metrics, self.timings
        )


class _Pieces(list[str]):
    """A text that grows by pieces."""

    def joined(self) -> str:
        self[:] = ["".join(self)]
        return self[0]


def _question(record: BattleRecord, slot: str, messages: int) -> Question:
    """Under the slot's letter: what is heard, and what might be logged, names nobody."""
    instance = replace(record.seats[slot].instance, id=slot)
    return Question(instance, cut(record.thread(slot), messages))


def _was_cut(instance: Instance, timings: Timings) -> bool:
    """An answer as long as its instance may write is what that instance says; one that ran out of context is not."""
    limited = instance.sampling is not None and instance.sampling.num_predict >= 0
    return timings.stopped or (timings.done_reason == "length" and not limited)


def first_news(turn: BattleTurn) -> Iterator[News]:
    """All of a turn that is over, for who begins to watch."""
    return _difference(BattleTurn.of(turn.prompt, tuple(turn.answers)), turn)


def _difference(before: BattleTurn, now: BattleTurn) -> Iterator[News]:
    """What turns one view into the next."""
    for slot, answer in now.answers.items():
        old = before.answers[slot]
        if text := answer.text[len(old.text) :]:
            yield News(slot, "streaming", text)
        if answer.over and not old.over:
            yield News(slot, answer.state)
