"""One comparison as a file to pass on (contract arena §2.10). With `names=0` nobody learns who answered."""

from __future__ import annotations

import asyncio
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from puna.arena.battle import BattleConflict
from puna.arena.exchange.card import Card, battle_card, render_card, session_card
from puna.arena.query import switch
from puna.arena.routes.guarding import get
from puna.arena.state import arena_of


async def of_turn(request: Request) -> Response:
    names, number = _names(request), request.path_params["number"]
    session_id, sessions = request.path_params["id"], arena_of(request).sessions

    def made() -> tuple[Card, bytes]:
        card = session_card(sessions.get(session_id), number, sessions.images(session_id).get(number, ()), names=names)
        return card, render_card(card)

    card, page = await asyncio.to_thread(made)
    return _file(page, f"puna-comparison-{_day(card.at)}-turn-{number}.html")


async def of_battle(request: Request) -> Response:
    """Of a battle whose identities are shown (V5)."""
    names = _names(request)
    record = await arena_of(request).battles.get(request.path_params["id"])
    if not record.battle.identities_shown:
        raise BattleConflict("This battle is blind: vote or reveal first")
    page = await asyncio.to_thread(lambda: render_card(battle_card(record, names=names)))
    return _file(page, f"puna-battle-{_day(record.at)}.html")


def _names(request: Request) -> bool:
    return switch(request.query_params, "names", default=True)


def _day(at: datetime) -> str:
    return at.date().isoformat()


def _file(page: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(page, media_type="text/html; charset=utf-8", headers=headers)


ROUTES = (
    get("/api/arena/sessions/{id}/turns/{number:int}/card", of_turn),
    get("/api/arena/battles/{id}/card", of_battle),
)
