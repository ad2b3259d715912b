"""The runtime's start: bind, open the store, build the app."""

from __future__ import annotations

import logging

from puna.api.app import build_app
from puna.api.state import Runtime
from puna.client.endpoint import parse_host
from puna.engine import Engine
from puna.registry import Registry
from puna.serving.callers import keyring
from puna.serving.listening import Face, listen
from puna.serving.origins import Origins, is_loopback
from puna.settings import Settings
from puna.store import Store, register_embedded

log = logging.getLogger(__name__)


def face(settings: Settings, *, no_auth: bool = False, companion: str | None = None) -> Face:
    """The runtime at its address, bound. Raises `PunaError` when it must not or cannot start.

    `companion` is a key that the other faces of this process send it.
    """
    endpoint = parse_host(settings.host)
    loopback = is_loopback(endpoint.host)
    harm = "use, change and delete your models"
    keys = keyring(settings, endpoint.host, no_auth=no_auth, harm=harm, companion=companion)
    origins = Origins.parse(settings.origins)
    listener = listen(endpoint.host, endpoint.port)  # before the store is touched: another server may be using it
    store = Store(settings.models, prune=not settings.noprune)
    registry = Registry.build(store, settings)
    store.start()
    if settings.embedded_model:
        register_embedded(store)
    engine = Engine.build(store, settings, lambda: keys.holds_several)
    runtime = Runtime(store=store, engine=engine, registry=registry, settings=settings, loopback=loopback)
    app = build_app(runtime, hosts=listener.hosts(settings.hosts), origins=origins, keys=keys)
    access = "with a key" if keys.needed else "no key needed"
    log.info("listening on %s, open to %s, %s", listener.url, listener.reach, access)
    return Face(app, listener)
