"""What the routes work with: one store, one engine, one door to the registries. Hung on the app, read in one place."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from puna.engine import Engine
from puna.registry import Registry
from puna.settings import Settings
from puna.store import Store


@dataclass(frozen=True, slots=True)
class Runtime:
    store: Store
    engine: Engine
    registry: Registry
    settings: Settings
    loopback: bool  # whether the listener is bound to a loopback address


def runtime(request: Request) -> Runtime:
    found: Runtime = request.app.state.runtime
    return found
