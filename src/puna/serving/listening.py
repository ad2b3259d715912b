"""From an address to a running server: bind first, prepare, then serve until told to stop."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import psutil
import uvicorn
from prometheus_client import disable_created_metrics
from starlette.types import ASGIApp

from puna.errors import PunaError
from puna.serving.limits import BoundedProtocol
from puna.serving.logs import log_to_stderr
from puna.serving.origins import Hosts, is_loopback
from puna.settings import Settings

GRACE_S = 5  # running answers may finish for so long after the first SIGTERM


@dataclass(frozen=True, slots=True)
class Listener:
    """An address that is ours: bound, not yet served."""

    socket: socket.socket

    @property
    def host(self) -> str:
        return str(self.socket.getsockname()[0])

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    @property
    def reach(self) -> str:
        """Who can come to it, in words."""
        return "this machine only" if is_loopback(self.host) else "every machine that can reach this address"

    def hosts(self, listed: str) -> Hosts:
        """The Host headers that name this server; `listed` is the setting that adds to them."""
        return Hosts.build(
            bound=self.host, hostname=socket.gethostname(), own_addresses=_own_addresses(), listed=listed
        )


def listen(host: str, port: int) -> Listener:
    """Bind, so that nobody else can. Raises `PunaError` when the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle's algorithm off for named TCP only, and 40 ms with it.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        reason = (error.strerror or str(error)).lower()
        raise PunaError(f"listen tcp {host}:{port}: bind: {reason}") from None
    return Listener(listener)


@dataclass(frozen=True, slots=True)
class Face:
    """One server of this process."""

    app: ASGIApp
    listener: Listener
    protocol: type[asyncio.Protocol] = BoundedProtocol  # what reads requests from the wire
    grace_s: int = GRACE_S


def run(settings: Settings, prepare: Callable[[], Sequence[Face]]) -> int:
    """Log, prepare, serve until SIGINT or SIGTERM. Gives the exit code; a refusal to start is one line on stderr."""
    log_to_stderr(debug=settings.debug not in ("", "0", "false", "False"), form=settings.log_format)
    disable_created_metrics()  # type: ignore[no-untyped-call] # they would double the page for nothing
    try:
        faces = prepare()
    except PunaError as error:
        print(f"Error: {error.message}", file=sys.stderr)
        return 1
    gc.collect()
    gc.freeze()  # what lives as long as the server need not be walked again on every collection
    _serve(faces)
    return 0


def _serve(faces: Sequence[Face]) -> None:
    """All of them in one event loop; the first to end takes the others with it."""
    servers = [_Server(_config(face)) for face in faces]
    loop_factory = servers[0].config.get_loop_factory()
    with asyncio.Runner(loop_factory=loop_factory) as runner, _stopping(servers):
        runner.run(_serve_together(servers, [face.listener for face in faces]))


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Signals are handled once for all servers of the process."""
        yield


async def _serve_together(servers: Sequence[_Server], listeners: Sequence[Listener]) -> None:
    async def run(server: _Server, listener: Listener) -> None:
        await server.serve(sockets=[listener.socket])
        for other in servers:
            other.should_exit = True

    async with asyncio.TaskGroup() as group:
        for server, listener in zip(servers, listeners, strict=True):
            group.create_task(run(server, listener))


@contextmanager
def _stopping(servers: Sequence[_Server]) -> Generator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        for server in servers:
            server.handle_exit(number, frame)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _config(face: Face) -> uvicorn.Config:
    return uvicorn.Config(
        face.app,
        loop="auto",
        http=face.protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=face.grace_s,
    )


def _own_addresses() -> list[str]:
    families = (socket.AF_INET, socket.AF_INET6)
    return [
        address.address.partition("%")[0]
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family in families
    ]
