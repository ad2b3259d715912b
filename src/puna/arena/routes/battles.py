"""Battles (contract arena §2.2, §2.3): start, watch, ask on, vote, skip, reveal, undo, list.

What is answered, and what the log says, names nobody before the vote: all of it is worded by `puna.arena.blind`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from puna.arena.blind import battle_wire, listed_wire, news_wire, reveal_wire, verdict_wire
from puna.arena.challenge import read_challenge, read_opinion, read_prompt, read_verdict
from puna.arena.fields import read_page
from puna.arena.reading import read_object
from puna.arena.rounds import News
from puna.arena.routes.guarding import get, post, resource
from puna.arena.state import arena_of
from puna.arena.streaming import ndjson
from puna.serving.wire import json_response, line

Json = dict[str, Any]


async def start(request: Request) -> Response:
    arena = arena_of(request)
    challenge = read_challenge(await _body(request), arena.upstreams.names)
    images = await arena.pictures.checked(challenge.images)
    record = await arena.battles.start(replace(challenge, images=images))
    made = {"id": record.id, "state": record.battle.state, "slots": list(record.slots), "paced": record.paced}
    return json_response(made, 201)


async def newest(request: Request) -> Response:
    page = read_page(request.query_params)
    found = await arena_of(request).battles.newest(page.limit, page.before)
    return json_response({"battles": [listed_wire(record) for record in found]})


async def show(request: Request) -> Response:
    return json_response(battle_wire(await arena_of(request).battles.get(_id(request))))


async def events(request: Request) -> Response:
    """Raises before the first line where there is no such battle."""
    battle_id = _id(request)
    await arena_of(request).battles.get(battle_id)
    return ndjson(_lines(request, battle_id))


async def ask(request: Request) -> Response:
    prompt = read_prompt(await _body(request))
    return json_response(battle_wire(await arena_of(request).battles.ask(_id(request), prompt)))


async def vote(request: Request) -> Response:
    battles, battle_id, body = arena_of(request).battles, _id(request), await _body(request)
    opinion = read_opinion(body)
    verdict = read_verdict(body, (await battles.get(battle_id)).slots)
    voted = await battles.vote(battle_id, verdict, opinion)
    return json_response(
        {
            "state": voted.record.battle.state,
            "verdict": verdict_wire(voted.record),
            "reveal": reveal_wire(voted.record),
            "ratings": {name: asdict(rating) for name, rating in voted.ratings.items()},
        }
    )


async def skip(request: Request) -> Response:
    return json_response({"state": (await arena_of(request).battles.skip(_id(request))).battle.state})


async def reveal(request: Request) -> Response:
    record = await arena_of(request).battles.reveal(_id(request))
    return json_response({"state": record.battle.state, "reveal": reveal_wire(record)})


async def undo(request: Request) -> Response:
    return json_response({"state": (await arena_of(request).battles.undo(_id(request))).battle.state})


async def _lines(request: Request, battle_id: str) -> AsyncGenerator[bytes]:
    yield b""  # the headers go at once: nothing may come for a minute
    async with aclosing(arena_of(request).battles.watch(battle_id)) as coming:
        async for news in coming:
            match news:
                case None:
                    yield b"\n"
                case News():
                    yield line(news_wire(news))
                case state:
                    yield line({"event": "state", "state": state})


async def _body(request: Request) -> Json:
    return await read_object(request, arena_of(request).config.max_body)


def _id(request: Request) -> str:
    found: str = request.path_params["id"]
    return found


_BATTLE = "/api/arena/battles/{id}"

ROUTES = (
    resource("/api/arena/battles", get=newest, post=start),
    get(_BATTLE, show),
    get(f"{_BATTLE}/events", events),
    post(f"{_BATTLE}/turns", ask),
    post(f"{_BATTLE}/vote", vote),
    post(f"{_BATTLE}/skip", skip),
    post(f"{_BATTLE}/reveal", reveal),
    post(f"{_BATTLE}/undo", undo),
)
