"""Which web pages and host names may reach the server: pure rules (contract ollama-http §8.2, §8.3; threats T20, T21).

Stricter than the reference: the Host header is checked on every address, and names ending in `.local`, `.internal` or
`.localhost` must be listed (`PUNA_HOSTS`).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from puna.errors import BadRequest

LOOPBACK_ORIGINS = tuple(
    f"{scheme}://{host}{port}"
    for scheme in ("http", "https")
    for host in ("localhost", "127.0.0.1", "0.0.0.0")  # noqa: S104 - an origin, not a bind
    for port in ("", ":*")
)
_DEFAULT_ORIGINS = (
    *LOOPBACK_ORIGINS, "app://*", "file://*", "tauri://*", "vscode-webview://*", "vscode-file://*",
)  # fmt: skip
_FREE_SCHEMES = ("http://", "https://", "chrome-extension://", "moz-extension://", "safari-web-extension://")
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:@/\\?#\s]+))(?::([0-9]{1,5}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Origins:
    """The list of web origins that may call the API."""

    patterns: tuple[re.Pattern[str], ...]
    any: bool

    @classmethod
    def parse(cls, listed: str, *, always: Iterable[str] = _DEFAULT_ORIGINS) -> Origins:
        """`listed` is the setting: a comma list, each entry with at most one `*`. Raises `BadRequest`."""
        entries = [entry.strip().lower() for entry in listed.split(",") if entry.strip()]
        for entry in entries:
            free = entry.startswith(_FREE_SCHEMES) or "*" in entry
            if entry.count("*") > 1 or not free:
                raise BadRequest(f'bad origin "{entry}" in PUNA_ORIGINS: use scheme://host, with one * at most')
        return cls(tuple(_pattern(entry) for entry in (*entries, *always)), "*" in entries)

    def allow(self, origin: str) -> bool:
        return self.any or any(pattern.fullmatch(origin.lower()) for pattern in self.patterns)


def _pattern(entry: str) -> re.Pattern[str]:
    """A trailing `:*` stands for a port only, so that `http://localhost:1@evil` is no match."""
    if entry.endswith(":*"):
        return re.compile(re.escape(entry[:-2]) + r":[0-9]{1,5}", re.ASCII)
    head, star, tail = entry.partition("*")
    return re.compile(re.escape(head) + (r"[^\s]*" if star else "") + re.escape(tail))


@dataclass(frozen=True, slots=True)
class Hosts:
    """The names and addresses that the Host header may carry."""

    names: frozenset[str]
    addresses: frozenset[str]
    any: bool = False

    @classmethod
    def build(cls, *, bound: str, hostname: str, own_addresses: Iterable[str], listed: str) -> Hosts:
        extra = {entry.strip().lower() for entry in listed.split(",") if entry.strip()}
        names = {"localhost", hostname.lower(), *extra} - {"", "*"}
        addresses: set[str] = set()
        for text in (bound, *own_addresses):
            address = _address(text)
            if address is None:
                names.add(text.lower())
            elif is_loopback(bound) is False or address == _address(bound):
                addresses.add(str(address))
        return cls(frozenset(names), frozenset(addresses), "*" in extra)

    def allow(self, header: str) -> bool:
        """Whether a Host header's text names this server; ports are free, everything malformed is refused."""
        if self.any:
            return True
        match = _HOST.fullmatch(header)
        if match is None or int(match[3] or 0) > 65535:
            return False
        name = (match[1] or match[2]).lower()
        address = _address(name)
        if address is None or (match[1] is None and address.version == 6):
            return match[1] is None and name in self.names
        return address.is_loopback or str(address) in self.addresses or name in self.names


def same_origin(origin: str, host: str) -> bool:
    """Whether a page of `origin` came from the server that the Host header names."""
    return origin in (f"http://{host}", f"https://{host}")


def is_loopback(host: str) -> bool:
    """Whether a bind address is reachable from this machine only; names other than `localhost` are not trusted."""
    address = _address(host)
    if address is None:
        return host.lower() == "localhost"
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped is None and address.is_loopback


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None
