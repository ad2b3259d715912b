"""Credentials: the challenge of a 401, the signed question for a token, and the token itself (ollama-store §3.6).

A credential belongs to one origin. A realm anywhere else ends the exchange before a request is made (threats T05).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

import orjson
from yarl import URL

from puna.errors import RegistryError
from puna.registry.answers import read_small, refusal
from puna.registry.hosts import Origin, remote_url

if TYPE_CHECKING:
    from puna.registry.egress import Egress
    from puna.registry.identity import Identity

log = logging.getLogger(__name__)

_MAX_CHALLENGE = 4_096  # characters
_MAX_ANSWER = 64_000  # bytes
_BEARER = re.compile(r"(?:^|,)\s*bearer\s+", re.IGNORECASE)
_PARAMETER = re.compile(r'([a-z_]+)\s*=\s*(?:"([^"]*)"|([^\s",]+))', re.IGNORECASE)
_TOKEN = re.compile(r"[!-~]{1,15000}", re.ASCII)  # what fits into one header line
_EMPTY_BODY = base64.b64encode(hashlib.sha256(b"").hexdigest().encode()).decode()


@dataclass(frozen=True, slots=True)
class Token:
    """What the `Authorization` header says to one origin. Its text is not in `repr`, so no log can show it."""

    origin: Origin
    authorization: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Challenge:
    """A registry's `WWW-Authenticate: Bearer`; what it leaves out is empty."""

    realm: str
    service: str
    scope: str

    @classmethod
    def parse(cls, headers: Iterable[str]) -> Challenge | None:
        """The first bearer challenge among the headers; None when there is none of a sane length."""
        for header in headers:
            start = _BEARER.search(header[:_MAX_CHALLENGE])
            if start is not None and len(header) <= _MAX_CHALLENGE:
                found = _PARAMETER.findall(header, start.end())
                values = {key.lower(): quoted or plain for key, quoted, plain in found}
                return cls(*(values.get(key, "") for key in ("realm", "service", "scope")))
        return None

    def url(self, origin: Origin, *, now: int, nonce: str) -> URL:
        """Where to ask for a token, with the parameters that get signed. `now` in Unix seconds.

        Raises `RegistryError` unless the realm is at `origin`; the text is the reference's.
        """
        realm = self._realm_at(origin)
        scopes = [("scope", item) for item in self.scope.split()]
        added = [("service", self.service), *scopes, ("ts", str(now)), ("nonce", nonce)]
        kept = parse_qsl(realm.raw_query_string, keep_blank_values=True)
        query = urlencode(sorted([*kept, *added], key=lambda pair: pair[0]))
        return URL(f"{origin}{realm.raw_path}?{query}", encoded=True)

    def _realm_at(self, origin: Origin) -> URL:
        seen = ""
        try:
            realm = remote_url(self.realm)
            seen = realm.raw_authority[:200]
            found = Origin.of(realm)
            if found == origin:
                return realm
            seen = found.netloc if found.netloc != origin.netloc else str(found)
        except RegistryError:
            pass  # as bad as a realm elsewhere
        log.warning("the registry at %s sent a realm at %r, which is not followed", origin, seen)
        raise RegistryError(f'realm host "{seen}" does not match original host "{origin.netloc}"')


async def fetch_token(egress: Egress, identity: Identity, origin: Origin, challenge: Challenge) -> Token:
    """Ask the challenge's realm for a token, as this installation. Raises `RegistryError`."""
    nonce = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
    url = challenge.url(origin, now=int(time.time()), nonce=nonce)
    signed = await asyncio.to_thread(identity.sign, f"GET,{url},{_EMPTY_BODY}")
    question = Token(origin, signed)
    async with egress.send("GET", url, home=origin, token=question, redirects=0) as response:
        if response.status != 200:
            raise await refusal(response, egress.patience)
        body = await read_small(response, _MAX_ANSWER, egress.patience)
    try:
        token = orjson.loads(body)["token"]
    except (ValueError, LookupError, TypeError):
        token = None
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise RegistryError("the registry's token answer holds no token")
    return Token(origin, f"Bearer {token}")
