"""Saved comparisons over HTTP (contract arena §2.2, §2.11): turns stream, are kept as streamed, and go on."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from PIL import Image
from sqlalchemy import text

from puna.arena.request import Limits
from puna.database import Database
from tests.arena.doors import GONE, Door, Reply, door
from tests.code.asking import until
from tests.code.scripted import LAST, Script, Scripted, upstream

Json = dict[str, Any]

SESSIONS = "/api/arena/sessions"
GOOD: Json = {"id": "a", "model": "good:1b"}
TWIN: Json = {"id": "b", "model": "twin:1b", "temperature": 0.2}
DIES: Json = {"id": "c", "model": "dies:1b"}
SCRIPTS: dict[str, Script] = {
    "good:1b": [{"message": {"thinking": "hm"}, "done": False}, "An ", "owl\0."],
    "twin:1b": ["A twin."],
    "dies:1b": ["half", {"error": "the runner died"}],
}


def played(body: Json) -> Script:
    return SCRIPTS[body["model"]]


@pytest.fixture
def model() -> Scripted:
    counted = {**LAST, "eval_count": 8, "eval_duration": 420_000_000}
    return Scripted(script=played, last=counted, models={"good:1b": {"details": {"family": "goodies"}}})


@pytest.fixture
async def opened(model: Scripted, sqlite: Database) -> AsyncIterator[Door]:
    async with upstream(model) as (_, endpoint), door(endpoint, GONE, database=sqlite) as found:
        yield found


async def made(opened: Door, **fields: Any) -> str:
    reply = await opened.post(SESSIONS, fields)
    assert reply.status == 201, reply.json
    found: str = reply.json["id"]
    return found


@asynccontextmanager
async def talking(opened: Door, session: str) -> AsyncIterator[aiohttp.ClientResponse]:
    """A turn whose first token has come."""
    body = {"prompt": "talk", "model_instances": [GOOD]}
    async with opened.session.post(f"{opened.url}{SESSIONS}/{session}/turns", json=body) as reply:
        while b'"token"' not in await reply.content.readline():
            pass
        yield reply


async def ask(opened: Door, session: str, prompt: str, *instances: Mapping[str, Any], **more: Any) -> Reply:
    body = {"prompt": prompt, "model_instances": instances, **more}
    return await opened.post(f"{SESSIONS}/{session}/turns", body)


async def answers(opened: Door, session: str, number: int = 1) -> list[Json]:
    found: list[Json] = (await opened.get(f"{SESSIONS}/{session}")).json["turns"][number - 1]["answers"]
    return found


async def test_a_session_is_made_shown_changed_and_deleted(opened: Door) -> None:
    reply = await opened.post(SESSIONS, {"title": "Birds", "system": "Be brief.", "instances": [GOOD, TWIN]})
    session = reply.json
    assert (reply.status, session["title"], session["system"], session["turns"]) == (201, "Birds", "Be brief.", [])
    assert [(one["id"], one["model"], one["temperature"]) for one in session["instances"]] == [
        ("a", "good:1b", 0.7),
        ("b", "twin:1b", 0.2),
    ]
    path = f"{SESSIONS}/{session['id']}"
    assert (await opened.get(path)).json == session
    changed = (await opened.patch(path, {"title": "Owls", "instances": []})).json
    assert (changed["title"], changed["system"], changed["instances"]) == ("Owls", "Be brief.", [])
    assert (await opened.delete(path)).json == {"deleted": 1}
    assert (await opened.get(path)).told == (404, "There is no such session")


async def test_sessions_are_listed_searched_and_turned_over(opened: Door) -> None:
    ids = [await made(opened, title=f"Nr. {number}") for number in range(3)]
    await ask(opened, ids[1], "Welcher Vogel ist das?", GOOD, TWIN)
    first = (await opened.get(f"{SESSIONS}?limit=2")).json["sessions"]
    assert [(one["id"], one["turns"], one["models"]) for one in first] == [
        (ids[1], 1, ["good:1b", "twin:1b"]),
        (ids[2], 0, []),
    ]
    assert set(first[0]) == {"id", "title", "created", "updated", "turns", "models"}
    rest = (await opened.get(f"{SESSIONS}?limit=2&before={first[-1]['updated']}")).json["sessions"]
    assert [one["id"] for one in rest] == [ids[0]]
    for query, expected in (("VOGEL", [ids[1]]), ("twin", [ids[1]]), ("nr.%202", [ids[2]]), ("%25", [])):
        found = (await opened.get(f"{SESSIONS}?q={query}")).json["sessions"]
        assert [one["id"] for one in found] == expected, query
    assert (await opened.delete(f"{SESSIONS}?before={rest[0]['updated']}")).json == {"deleted": 0}
    assert (await opened.delete(SESSIONS)).json == {"deleted": 3}


async def test_S9_a_turn_streams_extended_lines_and_what_was_streamed_is_kept(opened: Door, model: Scripted) -> None:
    session = await made(opened)
    reply = await ask(opened, session, "Which bird can turn its head around?", GOOD, TWIN, DIES)
    head, *lines = reply.lines
    assert head == {"event": "turn", "number": 1, "request_id": reply.headers["x-request-id"]}
    assert reply.headers["content-type"] == "application/x-ndjson"
    kept = await answers(opened, session)
    for answer in kept:
        own = [line for line in lines if line["instance_id"] == answer["instance"]["id"]]
        assert [line["seq"] for line in own] == list(range(len(own)))
        assert answer["text"] == "".join(line["token"] for line in own if "token" in line)
        assert answer["thinking"] == "".join(line["thinking"] for line in own if "thinking" in line)
        end = own[-1]
        assert (answer["metrics"], answer["timings"]) == (end.get("metrics"), end.get("timings"))
        assert (answer["done_reason"], answer["error"]) == (end.get("done_reason", ""), end.get("error", ""))
    assert [(one["state"], one["text"]) for one in kept] == [
        ("done", "An owl\0."),
        ("done", "A twin."),
        ("failed", "half"),
    ]
    assert kept[0]["thinking"] == "hm"
    assert kept[0]["metrics"] == {"tokens": 8, "duration_s": 0.42, "tokens_per_sec": 19.05}
    assert kept[2]["error"] == "the runner died"
    assert len(model.asked) == 3
    assert (await opened.get(f"{SESSIONS}/{session}")).json["title"] == "Which bird can turn its head a"


async def test_an_answer_can_be_read_as_soon_as_its_end_is_told(opened: Door, model: Scripted) -> None:
    late = asyncio.Event()
    model.script = lambda body: [late] if body["model"] == "twin:1b" else ["An owl."]
    session = await made(opened)
    body = {"prompt": "why?", "model_instances": [GOOD, TWIN]}
    async with opened.session.post(f"{opened.url}{SESSIONS}/{session}/turns", json=body) as reply:
        async for data in reply.content:
            line = json.loads(data)
            if line.get("done"):
                assert line["instance_id"] == "a"
                assert [one["state"] for one in await answers(opened, session)] == ["done", "running"]
                break
        late.set()


async def test_each_instance_goes_on_with_its_own_answers_only(opened: Door, model: Scripted) -> None:
    session = await made(opened, system="Be brief.")
    await ask(opened, session, "first", GOOD, TWIN)
    await ask(opened, session, "second", DIES | {"system": "Be wordy."})
    model.asked.clear()
    await ask(opened, session, "third", GOOD, TWIN | {"id": "new"})
    system, third = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "third"}
    threads = {body["options"]["temperature"]: body["messages"] for body in model.asked}
    assert threads[0.7] == [
        system,
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "An owl\0."},
        third,
    ]
    assert threads[0.2] == [system, third]


async def test_all_go_on_from_one_answer(opened: Door, model: Scripted) -> None:
    session = await made(opened)
    await ask(opened, session, "first", GOOD, TWIN)
    await ask(opened, session, "second", GOOD)
    model.asked.clear()
    await ask(opened, session, "third", GOOD, TWIN, follows={"turn": 1, "instance_id": "b"})
    from_twin = ["first", "A twin.", "third"]
    assert [[message["content"] for message in body["messages"]] for body in model.asked] == [from_twin] * 2
    turns = (await opened.get(f"{SESSIONS}/{session}")).json["turns"]
    assert [turn["follows"] for turn in turns] == [None, None, {"turn": 1, "instance_id": "b"}]
    model.asked.clear()
    await ask(opened, session, "fourth", GOOD)
    await opened.post(f"{SESSIONS}/{session}/turns/3/retry", {"instance_id": "a"})
    assert [[message["content"] for message in body["messages"]] for body in model.asked] == [
        [*from_twin, "An owl\0.", "fourth"],
        from_twin,
    ]
    (exported,) = json.loads((await opened.get("/api/arena/export?what=sessions&format=json")).body)["records"]
    assert exported["turns"][2]["follows"] == {"turn": 1, "instance_id": "b"}


async def test_what_cannot_be_gone_on_from_is_refused(opened: Door, model: Scripted) -> None:
    session = await made(opened)
    model.script = lambda body: [] if body["model"] == "twin:1b" else ["An owl."]
    await ask(opened, session, "first", GOOD, TWIN)
    shape = (400, "Invalid follows: must be the turn and the instance_id of an answer")
    senseless: list[tuple[Any, tuple[int, str]]] = [
        ("b", shape),
        ({"turn": 1}, shape),
        ({"turn": True, "instance_id": "a"}, shape),
        ({"turn": "1", "instance_id": "a"}, shape),
        ({"turn": 2, "instance_id": "a"}, (404, "This session has no such turn")),
        ({"turn": 1, "instance_id": "z"}, (404, "This turn has no such instance")),
        ({"turn": 1, "instance_id": "b"}, (400, "Invalid follows: that answer is empty, or not finished")),
    ]
    for follows, told in senseless:
        assert (await ask(opened, session, "second", GOOD, follows=follows)).told == told, follows
    assert len((await opened.get(f"{SESSIONS}/{session}")).json["turns"]) == 1


async def test_an_answer_on_its_way_is_not_gone_on_from(opened: Door, model: Scripted) -> None:
    never = asyncio.Event()
    model.script = ["so far", never]
    session = await made(opened)
    async with talking(opened, session):
        refused = await ask(opened, session, "and?", TWIN, follows={"turn": 1, "instance_id": "a"})
        assert refused.told == (400, "Invalid follows: that answer is empty, or not finished")
        never.set()


async def test_B9_a_long_session_is_cut_and_says_so(model: Scripted) -> None:
    async with upstream(model) as (_, endpoint), door(endpoint, limits=Limits(messages=3)) as opened:
        session = await made(opened)
        for number in range(3):
            reply = await ask(opened, session, f"question {number}", TWIN)
        assert [message["content"] for message in model.asked[-1]["messages"]] == [
            "question 1",
            "A twin.",
            "question 2",
        ]
        assert reply.lines[-1]["history_truncated"] is True


async def test_pictures_are_kept_and_shown_again_in_later_turns(opened: Door, model: Scripted) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2), "red").save(buffer, "PNG")
    session = await made(opened)
    reply = await ask(opened, session, "", GOOD, images=[base64.b64encode(buffer.getvalue()).decode()])
    assert reply.lines[-1]["done"]
    await ask(opened, session, "And now?", GOOD)
    first, then = model.asked
    assert len(first["messages"][0]["images"]) == 1
    assert then["messages"][0] == first["messages"][0]
    assert [turn["images"] for turn in (await opened.get(f"{SESSIONS}/{session}")).json["turns"]] == [1, 0]


async def test_K1_when_the_reader_leaves_the_models_stop_and_the_text_so_far_stays(
    opened: Door, model: Scripted
) -> None:
    model.script, model.endless = ["on and "], True
    session = await made(opened)
    body = {"prompt": "talk", "model_instances": [GOOD, TWIN]}
    async with opened.session.post(f"{opened.url}{SESSIONS}/{session}/turns", json=body) as reply:
        streamed = b""
        while streamed.count(b'"token"') < 10:
            streamed += await reply.content.readany()
        reply.close()
    async with asyncio.timeout(1):
        while model.leavers < 2:
            await asyncio.sleep(0.01)
    await until_states(opened, session, {"stopped"})
    for answer in await answers(opened, session):
        own = "".join(
            line["token"]
            for line in map(json.loads, streamed[: streamed.rindex(b"\n")].splitlines())
            if line.get("instance_id") == answer["instance"]["id"] and "token" in line
        )
        assert own
        assert answer["text"].startswith(own)


async def test_K1_a_reader_who_leaves_at_once_leaves_nothing_running(opened: Door, model: Scripted) -> None:
    never = asyncio.Event()
    model.script = [never]
    session = await made(opened)
    body = json.dumps({"prompt": "talk", "model_instances": [GOOD]}).encode()
    for pause in (0, 0.001, 0.005, 0.02, None):
        _, writer = await asyncio.open_connection("127.0.0.1", opened.port)
        writer.write(
            f"POST {SESSIONS}/{session}/turns HTTP/1.1\r\nHost: 127.0.0.1:{opened.port}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        await (until(lambda: model.asked) if pause is None else asyncio.sleep(pause))
        writer.close()
    await until_states(opened, session, {"stopped"})
    never.set()


async def test_what_the_person_stops_is_kept_as_stopped(opened: Door, model: Scripted) -> None:
    model.script, model.endless = ["on and "], True
    session = await made(opened)
    body = {"prompt": "talk", "model_instances": [GOOD]}
    async with opened.session.post(f"{opened.url}{SESSIONS}/{session}/turns", json=body) as reply:
        head = json.loads(await reply.content.readline())
        while b'"token"' not in await reply.content.readline():
            pass
        stopped = await opened.post("/api/arena/cancel", {"request_id": head["request_id"]})
        assert stopped.json == {"status": "cancelled"}
        *_, last = (await reply.content.read()).splitlines()
    assert json.loads(last)["stopped"] is True
    (answer,) = await answers(opened, session)
    assert answer["state"] == "stopped"
    assert answer["text"].startswith("on and ")
    assert answer["timings"]["stopped"] is True


async def test_an_answer_is_kept_while_it_is_generated(opened: Door, model: Scripted, sqlite: Database) -> None:
    never = asyncio.Event()
    model.script = ["so far", never]
    session = await made(opened)
    async with talking(opened, session):

        def kept() -> bool:
            with sqlite.reading() as connection:
                found = connection.execute(text("SELECT state, text FROM arena_answers")).one()
            return tuple(found) == ("running", "so far")

        await until(kept)
        never.set()


async def test_a_retry_replaces_one_answer_and_leaves_the_others(opened: Door, model: Scripted) -> None:
    session = await made(opened)
    await ask(opened, session, "first", GOOD, TWIN)
    await ask(opened, session, "second", GOOD, TWIN)
    model.asked.clear()
    model.script = ["Better."]
    reply = await opened.post(f"{SESSIONS}/{session}/turns/1/retry", {"instance_id": "b"})
    assert reply.lines[0] == {"event": "turn", "number": 1, "request_id": reply.headers["x-request-id"]}
    assert reply.lines[-1]["done_reason"] == "stop"
    (asked,) = model.asked
    assert (asked["model"], asked["messages"]) == ("twin:1b", [{"role": "user", "content": "first"}])
    assert [one["text"] for one in await answers(opened, session, 1)] == ["An owl\0.", "Better."]
    assert [one["text"] for one in await answers(opened, session, 2)] == ["An owl\0.", "A twin."]


async def test_a_sequential_turn_asks_one_after_the_other(opened: Door, model: Scripted) -> None:
    session = await made(opened)
    reply = await ask(opened, session, "first", GOOD, TWIN, schedule="sequential")
    assert [line["done"] for line in reply.lines if line.get("done")] == [True, True]
    assert model.most_running == 1


async def test_a_turn_that_cannot_be_kept_is_streamed_all_the_same(
    opened: Door, model: Scripted, sqlite: Database
) -> None:
    gone = asyncio.Event()
    model.script = ["so far", gone, " and on"]
    session = await made(opened)
    async with talking(opened, session) as reply:
        with sqlite.writing() as connection:
            connection.execute(text("ALTER TABLE arena_answers RENAME TO lost"))
        gone.set()
        *_, token, end, error = map(json.loads, (await reply.content.read()).splitlines())
    assert (token["token"], end["done"]) == (" and on", True)
    assert error["error"].startswith("the database cannot be used: ")


SENSELESS: list[tuple[Json, str]] = [
    ({"model_instances": [GOOD]}, "No messages provided"),
    ({"prompt": "  ", "model_instances": [GOOD]}, "No messages provided"),
    ({"prompt": 5, "model_instances": [GOOD]}, "Invalid prompt: must be a text of at most 33554432 characters"),
    ({"prompt": "why?"}, "No models selected"),
    ({"prompt": "why?", "model_instances": []}, "No models selected"),
    ({"prompt": "why?", "model_instances": [GOOD, GOOD]}, "Duplicate model instance detected: a"),
    ({"prompt": "why?", "model_instances": [{"id": "a"}]}, "Model name is required"),
    (
        {"prompt": "why?", "model_instances": [GOOD | {"endpoint": "http://evil/"}]},
        "Invalid endpoint: must be one of first, second",
    ),
    (
        {"prompt": "why?", "model_instances": [GOOD], "schedule": "later"},
        "Invalid schedule: must be one of parallel, sequential",
    ),
    (
        {"prompt": "why?", "model_instances": [GOOD], "images": ["aGk="]},
        "Invalid image at index 0: this is no PNG, JPEG or WebP picture",
    ),
]


async def test_a_turn_that_makes_no_sense_is_refused_and_leaves_nothing(opened: Door) -> None:
    session = await made(opened)
    for body, error in SENSELESS:
        assert (await opened.post(f"{SESSIONS}/{session}/turns", body)).told == (400, error)
    assert (await opened.get(f"{SESSIONS}/{session}")).json["turns"] == []


async def test_what_is_not_there_is_not_found(opened: Door) -> None:
    session = await made(opened)
    await ask(opened, session, "why?", GOOD)
    path = f"{SESSIONS}/{session}/turns"
    assert (await ask(opened, "nowhere", "why?", GOOD)).status == 404
    for which, body in (("2", {"instance_id": "a"}), ("1", {"instance_id": "z"}), (str(2**70), {"instance_id": "a"})):
        assert (await opened.post(f"{path}/{which}/retry", body)).status == 404
        assert (await opened.post(f"{path}/{which}/like", {**body, "like": True})).status == 404
    assert (await opened.patch(f"{SESSIONS}/nowhere", {})).status == 404
    assert (await opened.delete(f"{SESSIONS}/%00")).status == 404


async def test_a_list_that_makes_no_sense_is_refused(opened: Door) -> None:
    for query in ("limit=0", "limit=201", "limit=x", "limit=²", "before=soon", "q=" + "x" * 201):
        assert (await opened.get(f"{SESSIONS}?{query}")).status == 400, query


async def test_a_session_that_makes_no_sense_is_refused(opened: Door) -> None:
    session = await made(opened)
    senseless: list[Json] = [
        {"title": 1},
        {"title": "x" * 201},
        {"system": ["x"]},
        {"instances": {}},
        {"instances": [GOOD, GOOD]},
    ]
    for fields in senseless:
        assert (await opened.post(SESSIONS, fields)).status == 400, fields
        assert (await opened.patch(f"{SESSIONS}/{session}", fields)).status == 400, fields


async def until_states(opened: Door, session: str, wanted: set[str]) -> None:
    """Within a while all answers of the session are in one of these states, and there is at least one."""
    async with asyncio.timeout(10):
        while True:
            turns = (await opened.get(f"{SESSIONS}/{session}")).json["turns"]
            found = {answer["state"] for turn in turns for answer in turn["answers"]}
            if found and found <= wanted:
                return
            await asyncio.sleep(0.02)
