"""What can go wrong in the arena, as its API says it (contract arena §1.3). Texts are the document's, word for word.

ArenaError                     500  `An unexpected error occurred` unless told otherwise
├── Refused                    400  the request is wrong; the message names the field
├── MissingModel               404  the one model that was asked is not there
├── DeleteFailed               500  the upstream did not confirm a delete
└── UpstreamFailed             500  the upstream refused, failed, fell silent or cannot be reached
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from puna.client import ClientError, ServerUnreachable
from puna.errors import PunaError

UNEXPECTED = "An unexpected error occurred"
NOT_FOUND = "Resource not found"
REFUSED = "Connection refused"

_LONGEST = 300  # characters of a reason
_PATH = re.compile(r"(?<![\w./])(?:/(?!/)|[A-Za-z]:\\|~/)[^\s\"']+")  # no URL, and no name such as hf.co/a/b
_TOKEN = re.compile(r"(?i)\b(bearer)\s+\S+")


class ArenaError(PunaError):
    """`details` is a short reason beside the message; `more` are further keys of the answer."""

    def __init__(
        self, message: str = UNEXPECTED, details: str = "", *, status: int | None = None, more: Mapping[str, Any] = {}
    ) -> None:
        super().__init__(message, status=status)
        self.details = details
        self.more = more


class Refused(ArenaError):
    status = 400


class MissingModel(ArenaError):
    status = 404

    def __init__(self, details: str) -> None:
        super().__init__(NOT_FOUND, details)


class DeleteFailed(ArenaError):
    def __init__(self, details: str) -> None:
        super().__init__("Failed to delete model", details)


class UpstreamFailed(ArenaError):
    def __init__(self, details: str, more: Mapping[str, Any] = {}) -> None:
        super().__init__(UNEXPECTED, details, more=more)


def unknown_endpoint(names: Iterable[str]) -> Refused:
    return Refused(f"Invalid endpoint: must be one of {', '.join(names)}")


def reason(error: ClientError) -> str:
    """The upstream's failure in a few words (G8): one line without a path of the machine or a token."""
    if isinstance(error, ServerUnreachable):
        cause = getattr(error.__cause__, "os_error", None)
        if isinstance(cause, ConnectionRefusedError):
            return REFUSED
    return shortened(error.text)


def shortened(text: str) -> str:
    line = " ".join(text[: 4 * _LONGEST].split())
    line = _TOKEN.sub(r"\1 …", _PATH.sub("…", line))
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def silent(seconds: float) -> str:
    """The reason where the upstream said nothing for so long (G8)."""
    return f"Timed out after {seconds:g} seconds"
