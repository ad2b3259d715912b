"""A database that fails, in one line for a person: why, what was not saved, and how to go on (contract arena §2.15)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from puna.arena.failures import ArenaError
from puna.errors import DatabaseFailed

_WAYS: Mapping[str, str] = {
    r"disk is full|no space left|disk full": "Free some space on its disk, then try again",
    r"locked|lock timeout": "Another program is writing to it: try again when that is done",
    r"read-?only|permission denied": "Let the arena write to its file and folder, then try again",
    r"connect": "See that its server runs, then try again",
}
_ELSE = "Try again, and if it stays so, start the arena anew"

_LOST: Mapping[str, str] = {
    "GET": "Nothing could be read",
    "HEAD": "Nothing could be read",
    "DELETE": "Nothing was deleted",
}
_CHANGE = "This change was not saved"


def unsaved(error: DatabaseFailed, lost: str) -> ArenaError:
    """`lost` is a sentence without its full stop, such as `Nothing was imported`."""
    way = next((way for reason, way in _WAYS.items() if re.search(reason, error.message, re.IGNORECASE)), _ELSE)
    return ArenaError(f"{error.message}. {lost}. {way}", status=error.status)


def unsaved_by(error: DatabaseFailed, method: str) -> ArenaError:
    """Of a request that did nothing else than what its method says."""
    return unsaved(error, _LOST.get(method, _CHANGE))
