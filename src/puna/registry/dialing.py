"""Every connection of registry traffic is opened here: names are resolved once, and what was checked is dialled.

The check sits where the socket is made, so no second look-up can slip another address in (threats T06).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType

from puna.errors import Forbidden
from puna.registry.addresses import is_public

log = logging.getLogger(__name__)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host name and port to IP addresses; raises `OSError` where there are none."""


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """As the system does it. Raises `socket.gaierror`."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return tuple(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


class Dialer(AbstractResolver):
    """Resolver and socket factory of one aiohttp connector. `guarded`: only public addresses are dialled."""

    def __init__(self, resolve: Resolve, *, guarded: bool) -> None:
        self._resolve = resolve
        self._guarded = guarded

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises `Forbidden` when any address of a guarded name is not public: which one is tried first is chance."""
        addresses = await self._resolve(host, port)
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        for address in addresses:
            self._check(address, host)
        return [_result(host, port, address) for address in addresses]

    def open_socket(self, info: AddrInfoType) -> socket.socket:
        """The last gate: literal addresses come here without having been resolved. Raises `Forbidden`."""
        family, kind, protocol, _, sockaddr = info
        self._check(str(sockaddr[0]), str(sockaddr[0]))
        return socket.socket(family, kind, protocol)

    async def close(self) -> None:
        """Nothing is kept."""

    def _check(self, address: str, host: str) -> None:
        if self._guarded and not is_public(address):
            raise refused(host)


def refused(host: str, why: str = "it is not a public host") -> Forbidden:
    """The error, and the log line, for a place where nobody should be sent."""
    text = f"refused to connect to {host}: {why}, and PUNA_REGISTRIES does not list it"
    log.warning("%s", text)
    return Forbidden(text)


def _result(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(
        hostname=host, host=address, port=port, family=family, proto=socket.IPPROTO_TCP, flags=socket.AI_NUMERICHOST
    )
