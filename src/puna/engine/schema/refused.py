"""Why a schema is refused, inside this package; callers see a `BadRequest` that says where the schema was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from puna.errors import BadRequest


class Refused(Exception):
    """What the schema asks too much of, or what is wrong with it, in words."""


@contextmanager
def refusing(field: str) -> Iterator[None]:
    """Turns `Refused` into a `BadRequest` that names `field`, where the caller put the schema."""
    try:
        yield
    except Refused as why:
        raise BadRequest(f"invalid {field}: {why}") from None
