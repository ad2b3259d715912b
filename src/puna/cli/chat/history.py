"""The lines typed in earlier sessions: the last 100 in `~/.ollama/history` (contract ollama-store §6.6)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from prompt_toolkit.history import History

LINES = 100


def history_file() -> Path:
    return Path.home() / ".ollama" / "history"


class FileHistory(History):
    """prompt_toolkit's history over one text file, written anew after each entry.

    The file holds lines, not entries: an entry of several lines comes back as several. While `enabled` is off nothing
    is added. What was typed is private: only its owner may read the file (0600).
    """

    def __init__(self, path: Path, *, enabled: bool = True) -> None:
        super().__init__()
        self.enabled = enabled
        self._path = path

    def load_history_strings(self) -> Iterable[str]:
        """Newest first, as prompt_toolkit wants it. No file, or one that cannot be read, is an empty history."""
        return reversed(self._read())

    def append_string(self, string: str) -> None:
        if self.enabled and string.strip():
            super().append_string(string)

    def store_string(self, string: str) -> None:
        lines = [*self._read(), *string.splitlines()][-LINES:]
        temporary = self._path.with_name(f"{self._path.name}.tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                os.fchmod(descriptor, 0o600)
                file.writelines(f"{line}\n" for line in lines if line.strip())
            temporary.replace(self._path)
        except OSError:
            self.enabled = False  # a full disk or a foreign home must not end the chat

    def _read(self) -> list[str]:
        try:
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        return [line for line in text.split("\n") if line.strip()][-LINES:]
