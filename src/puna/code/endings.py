"""Where a completion ends, and what is cut off it: the rules Z1 to Z8 of contract code-completion §4.3 in their order.

One two-method stream for streamed and whole answers, made of four: stop texts, head, body, tail. Text that a rule may
still cut is held back (S5), so the pieces joined are always the whole answer (S6). Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass

from puna.code.body import Body
from puna.code.cursor import Cursor
from puna.code.overlap import Head, Tail
from puna.code.stops import StopTexts
from puna.prompts.fim import unguard


@dataclass(frozen=True, slots=True)
class Stops:
    family: Iterable[str] = ()  # end tokens and markers as text
    client: Iterable[str] = ()


class Endings:
    """Feed it what the model says until `done`, then `finish`. In shape "raw" only stop texts count."""

    def __init__(self, cursor: Cursor, stops: Stops, off: Set[str] = frozenset(), *, trim: bool = True) -> None:
        self._client_stops = frozenset(stops.client)
        self._stops = StopTexts((*stops.client, *stops.family))
        rules = trim and cursor.shape != "raw"
        self._head = Head(cursor, off) if rules else None
        self._body = Body(cursor, off) if rules else None
        self._tail = Tail(cursor, off) if rules else None

    @property
    def done(self) -> bool:
        """Whether the model may be hung up on."""
        return bool(self._stops.found or (self._body and self._body.fired))

    @property
    def by_client(self) -> bool:
        """Whether a stop text of the client's ended it."""
        return self._stops.found in self._client_stops

    @property
    def lines(self) -> int:
        """Lines that ended so far."""
        return self._body.lines if self._body else 0

    @property
    def trims(self) -> tuple[str, ...]:
        """The rules that ended or cut it, in their order."""
        found = {"Z1"} if self._stops.found else set()
        if self._head and self._body and self._tail:
            found |= {self._head.fired, self._body.fired} | self._tail.fired
        return tuple(sorted(found - {""}))

    def feed(self, text: str) -> str:
        """What can be shown now."""
        text = self._stops.feed(unguard(text))
        if not (self._head and self._body and self._tail):
            return text
        return self._tail.feed(self._body.feed(self._head.feed(text)))

    def finish(self) -> str:
        """The rest, once the model has ended or was hung up on."""
        text = self._stops.finish()
        if not (self._head and self._body and self._tail):
            return text
        text = self._head.feed(text) + self._head.finish()
        text = self._body.feed(text) + self._body.finish()
        return self._tail.feed(text) + self._tail.finish()
