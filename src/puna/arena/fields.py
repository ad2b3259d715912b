"""Single fields of a body or a query that several routes read. Each raises `Refused`, which names the field. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from puna.arena.failures import Refused

NAME = 200  # characters of a title or a name
TEXT = 1 << 20  # characters of a system prompt or a saved prompt
MOST_LISTED = 200


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list, the newest of which comes first."""

    limit: int = 50
    before: datetime | None = None  # exclusive


def read_page(query: Mapping[str, str]) -> Page:
    """`limit` and `before`: the time of the last one that is there already."""
    limit = query.get("limit") or str(Page().limit)
    if not (limit.isascii() and limit.isdigit() and len(limit) <= 3 and 1 <= int(limit) <= MOST_LISTED):
        raise Refused(f"Invalid limit: must be an integer between 1 and {MOST_LISTED}")
    return Page(int(limit), read_moment(query, "before"))


def read_moment(query: Mapping[str, str], name: str, *, whole_day: bool = False) -> datetime | None:
    """ISO 8601, in UTC where nothing else is said; None where it is absent or empty.

    A date alone begins its day, or with `whole_day` includes it.
    """
    given = query.get(name)
    if not given:
        return None
    try:
        found = datetime.fromisoformat(given.replace(" ", "+"))  # which it was before the query was read
        if whole_day and len(given) <= len("2026-11-23"):
            found += timedelta(days=1)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(f"Invalid {name}: must be a date or a time in ISO 8601") from None


def read_text(body: Mapping[str, Any], name: str, longest: int = TEXT) -> str | None:
    """None where it is absent."""
    value = body.get(name)
    if value is None or (isinstance(value, str) and len(value) <= longest):
        return value
    raise Refused(f"Invalid {name}: must be a text of at most {longest} characters")


def read_list(body: Mapping[str, Any], name: str, most: int = 1000) -> list[Any] | None:
    """None where it is absent."""
    value = body.get(name)
    if value is None or (isinstance(value, list) and len(value) <= most):
        return value
    raise Refused(f"Invalid {name}: must be a list of at most {most} entries")
