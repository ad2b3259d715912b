"""`puna serve`: bind, open the store, build the app, serve until told to stop."""

from __future__ import annotations

import gc
import logging
import signal
import socket
import sys
from types import FrameType

import psutil
import uvicorn
from prometheus_client import disable_created_metrics

from puna.api.app import build_app
from puna.api.logs import log_to_stderr
from puna.api.origins import Hosts, Origins, is_loopback
from puna.api.state import Runtime
from puna.client.endpoint import parse_host
from puna.engine import Engine
from puna.errors import PunaError
from puna.keys import KeyFile, Keyring
from puna.registry import Registry
from puna.settings import Settings
from puna.store import Store, register_embedded

log = logging.getLogger(__name__)

GRACE_S = 5  # running answers may finish for so long after the first SIGTERM


def run(settings: Settings, *, no_auth: bool = False) -> int:
    """Serve until SIGINT or SIGTERM. Returns the exit code; a refusal to start is one line on stderr."""
    log_to_stderr(debug=settings.debug not in ("", "0", "false", "False"), form=settings.log_format)
    disable_created_metrics()  # type: ignore[no-untyped-call] # they would double the page for nothing
    try:
        server, listener = _prepare(settings, no_auth)
    except PunaError as error:
        print(f"Error: {error.message}", file=sys.stderr)
        return 1
    gc.collect()
    gc.freeze()  # what lives as long as the server need not be walked again on every collection
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _already_handled)
    server.run(sockets=[listener])
    return 0


def _already_handled(number: int, frame: FrameType | None) -> None:
    """uvicorn ends its serving on a signal and then raises it again for whoever was listening before: nobody."""


def _prepare(settings: Settings, no_auth: bool) -> tuple[uvicorn.Server, socket.socket]:
    endpoint = parse_host(settings.host)
    loopback = is_loopback(endpoint.host)
    own = settings.api_key.get_secret_value() if settings.api_key else None
    keys = Keyring(KeyFile(settings.keys), own, always=not (loopback or no_auth))
    if not (loopback or no_auth or keys.holds_any):
        raise PunaError(
            f"{endpoint.host} can be reached from other machines: make a key for each caller with `puna key create`, "
            "set PUNA_API_KEY to a secret that all of them send, or start with --no-auth if everyone who can reach "
            "this address may use, change and delete your models"
        )
    origins = Origins.parse(settings.origins)
    listener = _listen(endpoint.host, endpoint.port)  # before the store is touched: another server may be using it
    store = Store(settings.models, prune=not settings.noprune)
    registry = Registry.build(store, settings)
    store.start()
    if settings.embedded_model:
        register_embedded(store)
    host, port = listener.getsockname()[:2]
    hosts = Hosts.build(
        bound=host, hostname=socket.gethostname(), own_addresses=_own_addresses(), listed=settings.hosts
    )
    engine = Engine.build(store, settings)
    runtime = Runtime(store=store, engine=engine, registry=registry, settings=settings, loopback=loopback)
    app = build_app(runtime, hosts=hosts, origins=origins, keys=keys)
    reach = "this machine only" if loopback else "every machine that can reach this address"
    access = "with a key" if keys.needed else "no key needed"
    log.info("listening on http://%s:%d, open to %s, %s", f"[{host}]" if ":" in host else host, port, reach, access)
    config = uvicorn.Config(
        app,
        loop="auto",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    return uvicorn.Server(config), listener


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        reason = (error.strerror or str(error)).lower()
        raise PunaError(f"listen tcp {host}:{port}: bind: {reason}") from None
    return listener


def _own_addresses() -> list[str]:
    families = (socket.AF_INET, socket.AF_INET6)
    return [
        address.address.partition("%")[0]
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family in families
    ]
