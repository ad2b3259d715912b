"""Which registries may be talked to, and what "the same place" means. Pure (threats T05, T06, T10).

An origin is scheme, host and port together; credentials are bound to it. The lists are settings of the operator:
`PUNA_REGISTRIES` for everything, `PUNA_PUSH_REGISTRIES` for those of them that models may be pushed to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Self

from yarl import URL

from puna.errors import BadRequest, Forbidden, RegistryError
from puna.names import ModelName

_DEFAULT_PORTS = {"http": 80, "https": 443}
_ENTRY = re.compile(r"(?:(?P<scheme>https?)://)?(?P<host>\[[0-9a-f:.]+\]|[^\[\]:/]+)(?::(?P<port>[0-9]{1,5}))?")
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_VISIBLE = re.compile(r"[!-\[\]-~]{1,16384}", re.ASCII)  # no blanks, no controls, no back-slash
_LOCAL_NAMES = ("localhost", "local", "internal", "lan", "home.arpa")  # ends of names that mean a private network


@dataclass(frozen=True, slots=True)
class Origin:
    """One place: lower-case host without a trailing dot, an address in its canonical form and without brackets."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: URL) -> Self:
        """The origin that a request for `url` goes to. Raises `RegistryError` for a URL that none should go to."""
        try:
            host, port = url.raw_host, url.port  # yarl looks at the port only now
            if url.scheme not in _DEFAULT_PORTS or "@" in url.raw_authority or not host or not port:
                raise ValueError("not a place to go to")
            return cls(url.scheme, normal_host(host), port)
        except ValueError:
            raise RegistryError("a registry named an address that is not a plain http or https URL") from None

    @property
    def netloc(self) -> str:
        """`host[:port]` as it stands in a URL; the scheme's own port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> URL:
        return URL(str(self), encoded=True)

    @property
    def address(self) -> IPv4Address | IPv6Address | None:
        """The host where it is an address and not a name."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None

    @property
    def has_local_name(self) -> bool:
        """Whether the name can only mean this machine or its network: no dot in it, or an end kept for such use."""
        if self.address is not None:
            return False
        return "." not in self.host or f".{self.host}".endswith(tuple(f".{end}" for end in _LOCAL_NAMES))

    @property
    def is_this_machine(self) -> bool:
        """`localhost` or a loopback address."""
        return self.host == "localhost" or (self.address is not None and self.address.is_loopback)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


def normal_host(text: str) -> str:
    """Lower case, no trailing dot, addresses canonical. Raises `ValueError` for what is neither a name nor one.

    A last label that is a number makes it an address (as browsers have it), so `2130706433` and `127.1` are refused.
    """
    host = text.lower().removesuffix(".")
    if ":" in host:
        address = ip_address(host.removeprefix("[").removesuffix("]"))
        if isinstance(address, IPv6Address) and address.scope_id is not None:
            raise ValueError("an address with a zone")
        return str(address)
    if not _NAME.fullmatch(host) or ".." in host:
        raise ValueError("not a host name")
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        return str(IPv4Address(host))
    return host


def remote_url(text: str) -> URL:
    """A URL as a registry wrote it, kept byte for byte. Raises `RegistryError` where two readers could see two."""
    try:
        if _VISIBLE.fullmatch(text):
            return URL(text, encoded=True)
    except ValueError:
        pass  # answered like the rest
    raise RegistryError("a registry named an address that is not valid")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One registry of a list; `port` is None where the list names none."""

    scheme: str
    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises `ValueError`."""
        match = _ENTRY.fullmatch(text.lower())
        if match is None or match["host"].endswith("."):  # models of `host.` would be kept apart from those of `host`
            raise ValueError("not host[:port]")
        port = int(match["port"]) if match["port"] else None
        if port is not None and not 0 < port < 2**16:
            raise ValueError("not a port")
        return cls(match["scheme"] or "https", normal_host(match["host"]), port)

    def origin(self, scheme: str) -> Origin:
        return Origin(scheme, self.host, self.port or _DEFAULT_PORTS[scheme])

    def names(self, other: _Entry) -> bool:
        """Whether `other`, read from a model's name, is this registry."""
        default = _DEFAULT_PORTS[self.scheme]
        return self.host == other.host and (self.port or default) == (other.port or default)


@dataclass(frozen=True, slots=True)
class Registries:
    """The operator's two lists."""

    listed: tuple[_Entry, ...]
    push: tuple[_Entry, ...]

    @classmethod
    def parse(cls, listed: str, push: str = "") -> Self:
        """Read both settings: comma lists of `host[:port]`, with `http://` in front for a registry without TLS.

        Raises `BadRequest` naming the setting and the entry.
        """
        return cls(_parse_list("PUNA_REGISTRIES", listed), _parse_list("PUNA_PUSH_REGISTRIES", push))

    def origin_of(self, name: ModelName, *, insecure: bool = False) -> Origin:
        """Where the model's registry is. `insecure`: plain http. Raises `Forbidden` unless the host is listed."""
        entry = _find(self.listed, name.host)
        if entry is None:
            raise Forbidden(f"registry {name.host} is not one that may be used: add it to PUNA_REGISTRIES to allow it")
        return entry.origin("http" if insecure else entry.scheme)

    def push_origin_of(self, name: ModelName, *, insecure: bool = False) -> Origin:
        """The same for a push. Raises `Forbidden` unless the host is on both lists."""
        origin = self.origin_of(name, insecure=insecure)
        if _find(self.push, name.host) is None:
            raise Forbidden(f"pushing to {name.host} is turned off: add it to PUNA_PUSH_REGISTRIES to allow it")
        return origin

    def lists(self, origin: Origin, *, insecure: bool = False) -> bool:
        """Whether the place is a listed registry. Plain http counts where it is listed so, or `insecure` was asked."""
        return any(
            entry.origin(origin.scheme) == origin and (insecure or origin.scheme == "https" or entry.scheme == "http")
            for entry in self.listed
        )


def _find(entries: Iterable[_Entry], host: str) -> _Entry | None:
    try:
        wanted = _Entry.parse(host)
    except ValueError:
        return None
    return next((entry for entry in entries if entry.names(wanted)), None)


def _parse_list(setting: str, text: str) -> tuple[_Entry, ...]:
    entries = []
    for part in filter(None, map(str.strip, text.split(","))):
        try:
            entries.append(_Entry.parse(part))
        except ValueError:
            raise BadRequest(f'bad registry "{part}" in {setting}: use host, host:port or http://host:port') from None
    return tuple(entries)
