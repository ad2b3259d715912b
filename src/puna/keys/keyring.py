"""The keys that a running server accepts: those of the file, and the one in `PUNA_API_KEY`.

The file is looked at on every request and read when it changed, so that a revoked key is refused at once. What cannot
be read admits nobody. Once a key was needed, one is needed until the server ends: revoking the last key opens nothing.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime

from puna.errors import PunaError
from puna.keys.key import OWNER, Caller, Key, digest_of, id_in
from puna.keys.keyfile import KeyFile, Stamp

log = logging.getLogger(__name__)

# Nobody's key: an unknown id costs the same comparison as a known one.
_NOBODY = Key("", "", frozenset(), datetime.fromtimestamp(0, UTC), secrets.token_bytes(32))


class Keyring:
    """Answers who a key belongs to. `own` is the text in `PUNA_API_KEY`, a key with every right.

    Where `own` has the form of a created key it is one: it is in the file, with the rights that it has there. So a
    person can give a command a key that may do little, without the server on the same machine trusting it with all.
    """

    def __init__(
        self, file: KeyFile, own: str | None = None, *, always: bool = False, companion: str | None = None
    ) -> None:
        """Reads the file. With `always` a key is needed even while there is none. Raises `PunaError`.

        `companion` is what another face of this process sends. It opens everything, and by it alone no key is needed.
        """
        text = own.encode(errors="surrogateescape") if own else b""
        self._own = digest_of(text) if text and id_in(text) is None else None
        self._companion = digest_of(companion.encode()) if companion else None
        self._file = file
        self._stamp = file.stamp()
        self._keys = _by_id(file)
        self._needed = always or bool(text or self._keys)

    @property
    def holds_any(self) -> bool:
        """Whether there is a key that anybody could send."""
        return self._own is not None or bool(self._keys)

    @property
    def holds_several(self) -> bool:
        """Whether more than one caller can be told apart."""
        callers = len(self._keys) + bool(self._own)
        return callers > 1

    @property
    def needed(self) -> bool:
        """Whether a request must carry a key."""
        self._look_again()
        return self._needed

    def identify(self, offered: bytes) -> Caller | None:
        """Whose key `offered` is, None for nobody's."""
        self._look_again()
        key = self._keys.get(id_in(offered) or "", _NOBODY)
        if key.is_text(offered):
            return key.caller
        found = digest_of(offered)
        known = (self._own, self._companion)
        return OWNER if any(digest is not None and hmac.compare_digest(digest, found) for digest in known) else None

    def _look_again(self) -> None:
        try:
            stamp = self._file.stamp()  # before reading: a change in between shows on the next request
            if stamp == self._stamp:
                return
            self._keys, self._stamp = _by_id(self._file), stamp
            log.info("API keys read again: %d", len(self._keys))
        except PunaError as error:
            if self._stamp != _UNREADABLE:
                log.error("no key of the file is accepted: %s", error.message)
            self._keys, self._stamp, self._needed = {}, _UNREADABLE, True
        self._needed = self._needed or bool(self._keys)


_UNREADABLE: Stamp = ()  # no file has this stamp: it is tried again on the next request


def _by_id(file: KeyFile) -> Mapping[str, Key]:
    return {key.id: key for key in file.load()}
