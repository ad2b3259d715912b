"""All routes: the documented API (contract arena §1.2 to §1.7), what Puna adds to it (§2.2), and the page."""

from starlette.routing import BaseRoute

from puna.arena.routes import (
    battles,
    boards,
    cards,
    catalog,
    chats,
    exchange,
    models,
    page,
    running,
    sessions,
    shelves,
    storage,
)

ROUTES: list[BaseRoute] = [
    *page.ROUTES,
    *models.ROUTES,
    *chats.ROUTES,
    *catalog.ROUTES,
    *running.ROUTES,
    *sessions.ROUTES,
    *shelves.ROUTES,
    *battles.ROUTES,
    *boards.ROUTES,
    *exchange.ROUTES,
    *storage.ROUTES,
    *cards.ROUTES,
]
