"""Where a server is: the grammar of `OLLAMA_HOST` (contract ollama-http §8.1, ollama-store §6.8). Pure.

One value serves both ends: a listener binds `host` and `port`, a client goes to `url`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address

from puna.errors import BadRequest

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 11434
_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?", re.ASCII)
_PORT = re.compile(r"\d{1,9}", re.ASCII)
_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server's address. The key is part of it, so that it cannot travel to another host (threats T05)."""

    scheme: str = "http"
    host: str = DEFAULT_HOST  # a name or an address without brackets; empty = every interface
    port: int = DEFAULT_PORT
    path: str = ""  # prefix of every route for a client, without slashes at its ends
    api_key: str | None = field(default=None, repr=False)
    warnings: tuple[str, ...] = field(default=(), compare=False)

    @property
    def url(self) -> str:
        """The base URL for a client, without a trailing slash; a listener on every interface is met on loopback."""
        host = self.client_host
        netloc = f"[{host}]" if ":" in host else host
        return f"{self.scheme}://{netloc}:{self.port}" + (f"/{self.path}" if self.path else "")

    @property
    def client_host(self) -> str:
        unspecified = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
        return unspecified.get(self.host, self.host)

    @property
    def is_loopback(self) -> bool:
        """Whether a client of this endpoint talks to this machine."""
        host = self.client_host.lower()
        if host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return False


def parse_host(text: str, *, api_key: str | None = None, default_port: int = DEFAULT_PORT) -> Endpoint:
    """Read `[scheme://]host[:port][/path]`. A bad port gives the default and a warning; raises `BadRequest`."""
    text = text.strip().strip("\"'").strip()
    if text == "ollama.com":
        text = "https://ollama.com"
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "http", text
    if scheme not in _PORTS:
        raise BadRequest(f'invalid host "{text}": the scheme must be http or https')
    netloc, _, path = rest.partition("/")
    path = path.strip("/")
    name, port_text = _split_port(netloc)
    host = _checked_host(name) if netloc else DEFAULT_HOST
    if host is None or not _PATH.fullmatch(path):
        raise BadRequest(f'invalid host "{text}": give [http://]host[:port]')
    port = default = _PORTS[scheme] if separator else default_port
    warnings: tuple[str, ...] = ()
    if port_text is not None:
        if _PORT.fullmatch(port_text) and int(port_text) <= 65535:
            port = int(port_text)
        else:
            warnings = (f'invalid port "{port_text}", using default {default}',)
    return Endpoint(scheme, host, port, path, api_key, warnings)


def _split_port(netloc: str) -> tuple[str, str | None]:
    """Host without brackets, and the text after the port's colon (None = no such colon)."""
    if netloc.startswith("[") and "]" in netloc:
        host, _, rest = netloc[1:].partition("]")
        return host, rest[1:] if rest.startswith(":") else None
    if netloc.count(":") != 1:  # no port, or a bare IPv6 address
        return netloc, None
    host, _, port = netloc.partition(":")
    return host, port


def _checked_host(host: str) -> str | None:
    """The host in its normal form, None when it is neither an address nor a plain name."""
    if ":" in host and "%" not in host:
        try:
            return str(ip_address(host))
        except ValueError:
            return None
    return host if host == "" or _NAME.fullmatch(host) else None
