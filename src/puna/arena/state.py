"""What the routes work with. Hung on the app, read in one place."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from puna.arena.asking import Asker
from puna.arena.config import ArenaConfig
from puna.arena.downloads import Downloads
from puna.arena.upstreams import Health, Upstreams


@dataclass(frozen=True, slots=True)
class Arena:
    config: ArenaConfig
    upstreams: Upstreams
    asker: Asker
    health: Health
    downloads: Downloads


def arena_of(request: Request) -> Arena:
    found: Arena = request.app.state.arena
    return found
