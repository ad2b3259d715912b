"""The start of the arena: settings and endpoints in, a bound server out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from puna.arena.app import build_app
from puna.arena.config import ArenaConfig
from puna.arena.routes.page import BUILT
from puna.client import Endpoint
from puna.database import Database
from puna.serving.listening import Face, listen

log = logging.getLogger(__name__)

GRACE_S = 2  # answers may go on for so long when the server is told to stop; with it, it is gone within five (K2)


def face(
    config: ArenaConfig,
    endpoints: Mapping[str, Endpoint],
    database: Database,
    *,
    listed_hosts: str = "",
    page: Path = BUILT,
    locked: Callable[[], bool] = lambda: False,
) -> Face:
    """The arena at its address, bound, in front of `endpoints`. Raises `PunaError` when the address cannot be had.

    The database is its own from now on: it is closed with it. While it is `locked`, an arena without a token is closed.
    """
    listener = listen(config.host, config.port)
    app = build_app(endpoints, config, listener.hosts(listed_hosts), database, page=page, locked=locked)
    access = "with a token" if config.token else "no token needed"
    upstreams = ", ".join(endpoint.url for endpoint in endpoints.values())
    log.info("arena at %s from %s, open to %s, %s", listener.url, upstreams, listener.reach, access)
    return Face(app, listener, grace_s=GRACE_S)
