'''Typed lines become entries: a message, or a slash command. `"""` opens an entry over several lines. Pure.'''

from __future__ import annotations

from dataclasses import dataclass

QUOTES = '"""'
_SYSTEM = ("/set", "system")


@dataclass(frozen=True, slots=True)
class Message:
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    line: str


@dataclass(frozen=True, slots=True)
class SystemMessage:
    """`/set system`, the only command whose text may have several lines."""

    text: str


Entry = Message | Command | SystemMessage


class EntryReader:
    """Two methods: `feed` takes a line and gives the entry that it completes; `reset` forgets an open one."""

    def __init__(self) -> None:
        self._open: type[Message] | type[SystemMessage] | None = None
        self._body = ""

    @property
    def is_open(self) -> bool:
        """Whether the next line continues an entry."""
        return self._open is not None

    def reset(self) -> None:
        self._open, self._body = None, ""

    def feed(self, line: str) -> Entry | None:
        if self._open is not None:
            return self._continue(self._open, line)
        if line.startswith(QUOTES):
            return self._continue(Message, line[len(QUOTES) :])
        words = line.split(maxsplit=2)
        if tuple(words[:2]) == _SYSTEM and len(words) == 3:
            text = words[2]
            return self._continue(SystemMessage, text[3:]) if text.startswith(QUOTES) else SystemMessage(text)
        if line.startswith("/"):
            return Command(line)
        return Message(line) if line.strip() else None

    def _continue(self, kind: type[Message] | type[SystemMessage], line: str) -> Entry | None:
        """Add a line to the open entry; closing quotes at its end complete it."""
        if not line.rstrip().endswith(QUOTES):
            self._open = kind
            self._body += f"{line}\n"
            return None
        text = self._body + line.rstrip()[: -len(QUOTES)]
        self.reset()
        return kind(text) if text else None
