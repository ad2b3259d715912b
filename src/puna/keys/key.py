"""One API key and what it may do. Pure.

The text of a key is `puna_<id>_<secret>`. The id is public and finds the key; the secret is 256 random bits, so that a
plain SHA-256 keeps it as well as a slow hash would. Only the digest of the text is ever kept (threats T22).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from puna.errors import BadRequest

_ID_BYTES = 6
_SECRET_BYTES = 32
_ID = re.compile(r"[0-9a-f]{12}", re.ASCII)
_TEXT = re.compile(r"puna_([0-9a-f]{12})_[0-9a-f]{64}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._@+-]{0,62}[A-Za-z0-9._@+-])?", re.ASCII)


class Right(StrEnum):
    """What a key may be used for (threats T10)."""

    INFER = "infer"  # let models work
    READ = "read"  # see what is here and what is going on
    MANAGE = "manage"  # make, fetch, change and delete models
    PUSH = "push"  # send models away


EVERY_RIGHT = frozenset(Right)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request. `id` is what caches are kept apart by, `name` what the log says; both empty = anybody."""

    id: str
    name: str
    rights: frozenset[Right]


ANYBODY = Caller("", "", EVERY_RIGHT)
OWNER = Caller("PUNA_API_KEY", "PUNA_API_KEY", EVERY_RIGHT)


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is kept."""

    id: str
    name: str
    rights: frozenset[Right]
    created: datetime
    digest: bytes = field(repr=False)  # SHA-256 of the key's text

    @property
    def caller(self) -> Caller:
        return Caller(self.id, self.name, self.rights)

    def is_text(self, offered: bytes) -> bool:
        """Whether `offered` is this key's text, found out in constant time."""
        return hmac.compare_digest(self.digest, digest_of(offered))


def new_key(name: str, rights: Iterable[Right]) -> tuple[Key, str]:
    """A fresh key, and its text, which exists nowhere else. Raises `BadRequest` for a name that does not fit."""
    key_id = secrets.token_hex(_ID_BYTES)
    text = f"puna_{key_id}_{secrets.token_hex(_SECRET_BYTES)}"
    now = datetime.now(UTC).replace(microsecond=0)
    return Key(key_id, checked_name(name), checked_rights(rights), now, digest_of(text.encode())), text


def id_in(text: bytes) -> str | None:
    """The public id in a key's text; None for a text that no `new_key` made."""
    found = _TEXT.fullmatch(text.decode("latin-1"))
    return found[1] if found else None


def digest_of(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


def checked_name(name: object) -> str:
    """A name that fits into a log line and a table. Raises `BadRequest`."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadRequest("the name of a key has 1 to 64 letters, digits, blanks, or any of . _ @ + -")
    if name == OWNER.name:
        raise BadRequest(f'"{name}" is the name of the key in the settings')
    return name


def checked_id(key_id: object) -> str:
    """Raises `BadRequest` for anything but the public id of a key."""
    if not isinstance(key_id, str) or not _ID.fullmatch(key_id):
        raise BadRequest("the id of a key has 12 hexadecimal digits")
    return key_id


def checked_rights(rights: Iterable[str]) -> frozenset[Right]:
    """Raises `BadRequest` for a right that does not exist, and for none at all."""
    names = list(rights)
    unknown = [name for name in names if name not in list(Right)]
    if unknown or not names:
        what = f"no such right: {', '.join(map(str, unknown))}" if unknown else "a key needs a right"
        raise BadRequest(f"{what}; there are {', '.join(Right)}")
    return frozenset(map(Right, names))
