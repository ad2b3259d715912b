"""Saved comparisons (contract arena §2.2): list, search, make, change, delete, go on with, like."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from puna.arena.answers import ExtendedLines
from puna.arena.continuing import check_unfinished, going_on, whole
from puna.arena.conversation import Message, check_question, cut, read_images
from puna.arena.failures import Refused
from puna.arena.fields import NAME, read_list, read_moment, read_page, read_text
from puna.arena.instances import Instance, check_count_and_ids, instance_wire, read_instances
from puna.arena.liking import Seats, seats_of
from puna.arena.reading import id_of, read_object
from puna.arena.request import Limits, Question, placed, read_follows, read_schedule
from puna.arena.routes.guarding import post, resource
from puna.arena.sessionwire import session_wire, summary_wire
from puna.arena.state import Arena, arena_of
from puna.arena.storage.session import Answer, Session, Turn
from puna.arena.streaming import ndjson
from puna.arena.thread import thread
from puna.arena.turns import recording
from puna.serving.requestlog import note
from puna.serving.wire import json_response, line

Json = dict[str, Any]

_SEARCH = 200  # characters


async def newest(request: Request) -> Response:
    page = read_page(request.query_params)
    query = request.query_params.get("q", "")
    if len(query) > _SEARCH:
        raise Refused(f"Invalid q: must have at most {_SEARCH} characters")
    found = await asyncio.to_thread(arena_of(request).sessions.newest, query, page.limit, page.before)
    return json_response({"sessions": [summary_wire(summary) for summary in found]})


async def create(request: Request) -> Response:
    arena = arena_of(request)
    made = await asyncio.to_thread(lambda given: arena.sessions.create(**given), await _fields(request))
    return json_response(session_wire(made), 201)


async def delete_all(request: Request) -> Response:
    """With `before`, those that have not been changed since (§2.11, retention)."""
    before = read_moment(request.query_params, "before")
    return json_response({"deleted": await asyncio.to_thread(arena_of(request).sessions.delete_all, before)})


async def show(request: Request) -> Response:
    return json_response(session_wire(await _session(request)))


async def change(request: Request) -> Response:
    arena, session_id = arena_of(request), _id(request)
    changed = await asyncio.to_thread(lambda given: arena.sessions.update(session_id, **given), await _fields(request))
    return json_response(session_wire(changed))


async def delete(request: Request) -> Response:
    await asyncio.to_thread(arena_of(request).sessions.delete, _id(request))
    return json_response({"deleted": 1})


async def ask(request: Request) -> Response:
    """A further turn. Each instance reads its own earlier answers (§1.9), or with `follows` all of them one's."""
    arena = arena_of(request)
    body = await read_object(request, arena.config.max_body)
    prompt, images = read_text(body, "prompt", arena.config.max_body) or "", read_images(body.get("images"))
    check_question([Message("user", prompt, images)])
    instances = _checked(read_list(body, "model_instances") or [], arena.config.limits)
    if not instances:
        raise Refused("No models selected")
    instances = placed(instances, arena.upstreams.names)
    sequential, follows = read_schedule(body), read_follows(body)
    images = await arena.pictures.checked(images)
    session = await _session(request)
    if follows:
        _check_finished(session.turn(follows.turn).answer(follows.instance_id))
    note(request, models=",".join(instance.model for instance in instances))

    def begin() -> Turn:
        asked = [instance_wire(one) for one in instances]
        return arena.sessions.add_turn(session.id, prompt, asked, images, follows)

    return ndjson(_lines(arena, session, begin, id_of(request), sequential=sequential))


async def retry(request: Request) -> Response:
    """One answer anew. What came after it stays."""
    arena, number = arena_of(request), request.path_params["number"]
    instance_id = _instance_id(await read_object(request, arena.config.max_body))
    session = await _session(request)
    turn = session.turn(number)
    kept = read_instances([turn.answer(instance_id).instance], extended=True)
    (instance,) = placed(kept, arena.upstreams.names)
    seats = await _seats(arena, turn)
    note(request, models=instance.model)

    def begin() -> Turn:
        return arena.likes.restart(session.id, number, instance_id, seats)

    return ndjson(_lines(arena, session, begin, id_of(request)))


async def resume(request: Request) -> Response:
    """The rest of an answer that ended too early, from where it stopped (§2.12)."""
    arena, number = arena_of(request), request.path_params["number"]
    instance_id = _instance_id(await read_object(request, arena.config.max_body))
    session = await _session(request)
    kept = session.turn(number).answer(instance_id)
    check_unfinished(kept)
    (instance,) = placed(read_instances([kept.instance], extended=True), arena.upstreams.names)
    note(request, models=instance.model)

    def begin() -> Turn:
        return arena.sessions.resume_answer(session.id, number, instance_id, check_unfinished)

    return ndjson(_lines(arena, session, begin, id_of(request)))


async def like(request: Request) -> Response:
    arena, number = arena_of(request), request.path_params["number"]
    body = await read_object(request, arena.config.max_body)
    instance_id, given = _instance_id(body), body.get("like")
    if not (given is None or isinstance(given, bool)):
        raise Refused("Invalid like: must be true, false or null")
    session = await _session(request)
    turn = session.turn(number)
    turn.answer(instance_id)
    seats = await _seats(arena, turn)
    await asyncio.to_thread(arena.likes.give, session.id, number, instance_id, given, seats)
    return json_response({"like": given})


async def _lines(
    arena: Arena, session: Session, begin: Callable[[], Turn], request_id: str, *, sequential: bool = False
) -> AsyncGenerator[bytes]:
    async with recording(arena.sessions, session.id, begin) as recorded:
        turn = recorded.turn
        yield line({"event": "turn", "number": turn.number, "request_id": request_id})
        images = await asyncio.to_thread(arena.sessions.images, session.id)
        instances = read_instances([answer.instance for answer in turn.answers], extended=True)
        questions = [Question(instance, thread(session, turn, instance.id, images)) for instance in instances]
        threads = [going_on(question, turn.answer(question.instance.id)) for question in questions]
        most = arena.config.limits.messages
        asked = [Question(question.instance, cut(question.messages, most)) for question in threads]
        truncated = {one.instance.id for one in threads if len(one.messages) > most}
        lines = ExtendedLines(instances, truncated)
        async with aclosing(arena.asker.ask(asked, sequential=sequential, request_id=request_id)) as events:
            async for heard in events:
                event = whole(heard, turn)
                await recorded.hear(event)
                yield lines.line(event)


async def _session(request: Request) -> Session:
    return await asyncio.to_thread(arena_of(request).sessions.get, _id(request))


async def _seats(arena: Arena, turn: Turn) -> Seats:
    return seats_of(turn, await arena.catalogs.now(), arena.upstreams.names[0])


def _id(request: Request) -> str:
    found: str = request.path_params["id"]
    return found


async def _fields(request: Request) -> Json:
    """What of a session may be set; what is absent is left out."""
    arena = arena_of(request)
    body = await read_object(request, arena.config.max_body)
    given: Json = {"title": read_text(body, "title", NAME), "system": read_text(body, "system")}
    if (items := read_list(body, "instances")) is not None:
        instances = _checked(items, arena.config.limits)
        given["instances"] = [instance_wire(instance) for instance in instances]
    return {name: value for name, value in given.items() if value is not None}


def _checked(items: list[Any], limits: Limits) -> tuple[Instance, ...]:
    instances = read_instances(items, extended=True)
    check_count_and_ids(instances, limits.instances)
    return instances


def _check_finished(answer: Answer) -> None:
    if answer.state == "running" or not answer.text:
        raise Refused("Invalid follows: that answer is empty, or not finished")


def _instance_id(body: Json) -> str:
    if isinstance(found := body.get("instance_id"), str):
        return found
    raise Refused("Invalid instance_id: must be a text")


_ONE = "/api/arena/sessions/{id}"

ROUTES = (
    resource("/api/arena/sessions", get=newest, post=create, delete=delete_all),
    resource(_ONE, get=show, patch=change, delete=delete),
    post(f"{_ONE}/turns", ask),
    post(f"{_ONE}/turns/{{number:int}}/retry", retry),
    post(f"{_ONE}/turns/{{number:int}}/continue", resume),
    post(f"{_ONE}/turns/{{number:int}}/like", like),
)
