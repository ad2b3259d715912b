"""Model names and digests as types that cannot be built from bad input (threats T01).

The grammar is ollama-store §1: `[scheme://][host/][namespace/]model[:tag]`, ASCII bytes only. A value of these types
is always safe to use as a path part; the store is the only room that does so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from puna.errors import BadRequest, InvalidDigest, InvalidName, NotFound

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}", re.ASCII)
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}", re.ASCII)
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MISSING = "!MISSING!"  # an empty side of a separator: `!` is illegal in every part, so the name is refused


@dataclass(frozen=True, slots=True)
class ModelName:
    """A complete model name. Case is kept; comparing without case is the store's business (§1.3)."""

    host: str
    namespace: str
    model: str
    tag: str

    def __post_init__(self) -> None:
        ok = (
            _HOST.fullmatch(self.host)
            and _NAMESPACE.fullmatch(self.namespace)
            and _PART.fullmatch(self.model)
            and _PART.fullmatch(self.tag)
        )
        if not ok:
            raise InvalidName("invalid model name")

    @classmethod
    def parse(cls, text: str) -> ModelName:
        """Read a name as a person types it, from right to left (§1.2). Raises `InvalidName`."""
        rest, tag = text, DEFAULT_TAG
        colon = rest.rfind(":")
        if colon > rest.rfind("/"):
            rest, tag = rest[:colon] or _MISSING, rest[colon + 1 :] or _MISSING
        rest, slash, model = rest.rpartition("/")
        if not slash:
            return cls(DEFAULT_HOST, DEFAULT_NAMESPACE, model, tag)
        rest, slash, namespace = (rest or _MISSING).rpartition("/")
        if not slash:
            return cls(DEFAULT_HOST, namespace, model or _MISSING, tag)
        _, scheme, host = rest.partition("://")
        return cls((host if scheme else rest) or _MISSING, namespace or _MISSING, model or _MISSING, tag)

    @classmethod
    def from_parts(cls, parts: tuple[str, ...]) -> ModelName:
        """The name of a manifest file from its four path parts below `manifests/`. Raises `InvalidName`."""
        if len(parts) != 4:
            raise InvalidName("invalid model name")
        return cls(*parts)

    @property
    def parts(self) -> tuple[str, str, str, str]:
        return (self.host, self.namespace, self.model, self.tag)

    @property
    def full(self) -> str:
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    @property
    def shortest(self) -> str:
        """The display form: defaults dropped, the tag always there."""
        if self.host.lower() != DEFAULT_HOST:
            return self.full
        if self.namespace.lower() != DEFAULT_NAMESPACE:
            return f"{self.namespace}/{self.model}:{self.tag}"
        return f"{self.model}:{self.tag}"

    def __str__(self) -> str:
        return self.shortest


@dataclass(frozen=True, slots=True)
class Digest:
    """A SHA-256 digest; `str()` gives `sha256:<64 hex>`, the only form that is ever written to JSON."""

    hex: str

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.hex):
            raise InvalidDigest

    @classmethod
    def parse(cls, text: object) -> Digest:
        """Exactly `sha256:` and 64 lower-case hex digits: what manifests must hold. Raises `InvalidDigest`."""
        if not isinstance(text, str) or not text.startswith("sha256:"):
            raise InvalidDigest
        return cls(text[7:])

    @classmethod
    def parse_lenient(cls, text: str) -> Digest:
        """The HTTP edge also takes `sha256-` and capitals (contract ollama-store §1.5). Raises `InvalidDigest`."""
        if not text.startswith(("sha256:", "sha256-")):
            raise InvalidDigest
        return cls(text[7:].lower())

    @property
    def short(self) -> str:
        return self.hex[:12]

    def __str__(self) -> str:
        return f"sha256:{self.hex}"


class Source(Enum):
    """Where a name says that its model lives (§1.4). Puna has no hosted inference: CLOUD is only ever refused."""

    ANY = "any"
    LOCAL = "local"
    CLOUD = "cloud"


def split_source(text: str) -> tuple[str, Source]:
    """Take the `:cloud`, `-cloud` or `:local` suffix off a typed name.

    Raises `BadRequest` for an empty name or two such suffixes.
    """
    base, source = _strip_suffix(text.strip())
    if not base:
        raise BadRequest("model is required")
    if source is not Source.ANY and _strip_suffix(base)[1] is not Source.ANY:
        raise BadRequest(f'use either :local or :cloud, not both: "{text.strip()}"')
    return base, source


def _strip_suffix(text: str) -> tuple[str, Source]:
    lower = text.lower()
    for suffix, source in ((":cloud", Source.CLOUD), (":local", Source.LOCAL)):
        if lower.endswith(suffix):
            return text[: -len(suffix)], source
    if lower.endswith("-cloud") and lower.rfind(":") > lower.rfind("/"):
        return text[: -len("-cloud")], Source.CLOUD
    return text, Source.ANY


def model_not_found(text: str) -> NotFound:
    """The commonest 404, with the literal that clients search for."""
    return NotFound(f"model '{text}' not found")
