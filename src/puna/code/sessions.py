"""What each session was shown and what it waits for (contract code-completion §4.1 rank 3, §1.12 X3).

A suggestion that is on the screen answers by itself while its text is typed, and while some of that is taken back: the
next answer is its rest. Pure but for the listeners that it ends.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Self

from puna.code.runs import Listener
from puna.code.types import Outcome

MAX_SESSIONS = 256  # files that are being edited, all clients together; the longest unused goes first
MAX_SHOWN = 8  # suggestions per session


@dataclass(frozen=True, slots=True)
class Question:
    """Where the cursor is; `terms` are what else decides the answer."""

    prefix: str
    suffix: str
    terms: Hashable = ()
    greedy: bool = True  # asked again, it has the same answer


@dataclass(frozen=True, slots=True)
class Shown:
    """A suggestion and where it stood. Of the file only digests are kept: files are large, and there are many."""

    length: int  # of the prefix, in characters
    place: bytes
    text: str
    outcome: Outcome

    @classmethod
    def at(cls, question: Question, text: str, outcome: Outcome) -> Self:
        return cls(len(question.prefix), _place(question, len(question.prefix)), text, outcome)

    def rest_for(self, question: Question) -> str:
        """The end of the suggestion when its beginning has been typed; "" when it says nothing about `question`."""
        typed = question.prefix[self.length :]
        rest = self.text[len(typed) :]
        fits = len(question.prefix) >= self.length and self.text.startswith(typed) and (typed or question.greedy)
        return rest if fits and rest.strip() and _place(question, self.length) == self.place else ""


def _place(question: Question, length: int) -> bytes:
    """What has to be the same for a suggestion to hold: the text before it, the text after it, the terms."""
    digest = hashlib.blake2b(question.prefix[:length].encode(errors="surrogatepass"), digest_size=16)
    digest.update(repr((question.suffix, question.terms)).encode())
    return digest.digest()


@dataclass(slots=True)
class _Session:
    shown: deque[Shown] = field(default_factory=lambda: deque(maxlen=MAX_SHOWN))
    listeners: list[Listener] = field(default_factory=list)


class Sessions:
    """By session key: what the client calls its session, or who it is with which file."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[Hashable, _Session] = OrderedDict()

    def typed_through(self, key: Hashable, question: Question) -> tuple[str, Shown] | None:
        """The rest of the newest suggestion that answers `question`, and the suggestion."""
        session = self._sessions.get(key)
        for shown in reversed(session.shown) if session else ():
            if rest := shown.rest_for(question):
                return rest, shown
        return None

    def remember(self, key: Hashable, shown: Shown) -> None:
        self._session(key).shown.append(shown)

    def supersede(self, key: Hashable, question: object) -> None:
        """End everything that the session waits for, but what asks the same (X4)."""
        session = self._sessions.get(key)
        for listener in session.listeners if session else ():
            if listener.question != question:
                listener.supersede()

    def waits(self, key: Hashable, listener: Listener) -> None:
        self._session(key).listeners.append(listener)

    def waits_no_more(self, key: Hashable, listener: Listener) -> None:
        session = self._sessions.get(key)
        if session is not None and listener in session.listeners:
            session.listeners.remove(listener)

    def _session(self, key: Hashable) -> _Session:
        session = self._sessions.setdefault(key, _Session())
        self._sessions.move_to_end(key)
        while len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return session
