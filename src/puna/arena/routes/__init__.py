"""The routes of the documented API (contract arena §1.2 to §1.7)."""

from starlette.routing import BaseRoute

from puna.arena.routes import chats, models

ROUTES: list[BaseRoute] = [*models.ROUTES, *chats.ROUTES]
