"""An answer that ended too early goes on from where it stopped (contract arena §2.12, §2.15; S9)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from puna.arena.storage.session import Answer
from puna.arena.storage.sessions import Sessions
from puna.client import Endpoint
from puna.database import Database
from tests.arena.doors import Door, Json, Reply, door
from tests.code.scripted import LAST, Script, Scripted, upstream
from tests.servers import Server

SESSIONS = "/api/arena/sessions"
FIRST: Json = {"id": "a", "model": "first:1b"}
OTHER: Json = {"id": "b", "model": "other:1b"}
COUNTED: Json = {
    **LAST, "load_duration": 100_000_000, "prompt_eval_count": 20, "prompt_eval_duration": 100_000_000,
    "eval_count": 8, "eval_duration": 400_000_000,
}  # fmt: skip
CUT: Json = {"message": {"content": ""}, "done": True, **COUNTED, "done_reason": "length"}


def played(body: Json) -> Script:
    """Cut at first; the rest is half as fast."""
    said = body["messages"][-1]
    if body["model"] == "other:1b":
        return ["Whole."]
    if said["role"] == "user":
        return [{"message": {"thinking": "hm"}, "done": False}, "An owl ", CUT]
    return ["is a ", "bird."]


@pytest.fixture
def model() -> Scripted:
    return Scripted(script=played, last={**COUNTED, "eval_duration": 800_000_000})


@pytest.fixture
async def opened(model: Scripted, sqlite: Database) -> AsyncIterator[Door]:
    async with upstream(model) as (_, endpoint), door(endpoint, database=sqlite) as found:
        yield found


async def asked(opened: Door, *instances: Json, system: str = "") -> str:
    made = (await opened.post(SESSIONS, {"system": system})).json["id"]
    reply = await opened.post(f"{SESSIONS}/{made}/turns", {"prompt": "What?", "model_instances": list(instances)})
    assert reply.status == 200, reply.body
    return str(made)


async def go_on(opened: Door, session: str, instance_id: str = "a", number: int = 1) -> Reply:
    return await opened.post(f"{SESSIONS}/{session}/turns/{number}/continue", {"instance_id": instance_id})


async def kept(opened: Door, session: str, place: int = 0) -> Json:
    found: Json = (await opened.get(f"{SESSIONS}/{session}")).json["turns"][0]["answers"][place]
    return found


async def test_what_comes_stands_behind_what_was_there(opened: Door, model: Scripted) -> None:
    session = await asked(opened, FIRST, OTHER, system="Be brief.")
    before = await kept(opened, session)
    assert (before["text"], before["state"], before["done_reason"]) == ("An owl ", "done", "length")
    reply = await go_on(opened, session)
    head, *lines = reply.lines
    assert head == {"event": "turn", "number": 1, "request_id": reply.headers["x-request-id"]}
    assert "".join(line.get("token", "") for line in lines) == "is a bird."  # what is streamed is only what is new
    after = await kept(opened, session)
    assert (after["text"], after["thinking"], after["state"], after["done_reason"]) == (
        "An owl is a bird.", "hm", "done", "stop",
    )  # fmt: skip
    assert (await kept(opened, session, 1))["text"] == "Whole."
    assert model.asked[-1]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What?"},
        {"role": "assistant", "content": "An owl "},
    ]


async def test_a_model_that_has_thought_does_not_think_again(opened: Door, model: Scripted) -> None:
    session = await asked(opened, FIRST)
    assert "think" not in model.asked[-1]
    await go_on(opened, session)
    assert model.asked[-1]["think"] is False
    assert "think" not in (await kept(opened, session))["instance"]


async def test_S9_figures_are_those_of_all_parts_and_say_so(opened: Door) -> None:
    session = await asked(opened, FIRST)
    first = await kept(opened, session)
    assert "parts" not in first["timings"]
    end = (await go_on(opened, session)).lines[-1]
    after = await kept(opened, session)
    assert (end["metrics"], end["timings"]) == (after["metrics"], after["timings"])
    assert after["metrics"] == {"tokens": 16, "duration_s": 1.2, "tokens_per_sec": 13.33}
    times = after["timings"]
    assert {name: times[name] for name in ("parts", "partial", "output_tokens", "prompt_tokens", "load_s", "prompt_s",
            "generation_s", "output_per_s", "prompt_per_s", "first_token_s", "first_answer_s", "done_reason")} == {
        "parts": 2, "partial": False, "output_tokens": 16, "prompt_tokens": 40, "load_s": 0.2, "prompt_s": 0.2,
        "generation_s": 1.2, "output_per_s": 13.33, "prompt_per_s": 200.0,
        "first_token_s": first["timings"]["first_token_s"], "first_answer_s": first["timings"]["first_answer_s"],
        "done_reason": "stop",
    }  # fmt: skip
    assert times["wall_s"] > first["timings"]["wall_s"]


async def test_what_was_interrupted_goes_on_though_nobody_measured_its_beginning(
    opened: Door, sqlite: Database
) -> None:
    session = await asked(opened, FIRST)
    broken = Answer((await kept(opened, session))["instance"], "An owl ", state="interrupted")
    await asyncio.to_thread(Sessions(sqlite).save_answers, session, 1, [broken])
    end = (await go_on(opened, session)).lines[-1]
    assert (end["metrics"]["tokens"], end["timings"]["parts"], end["timings"]["partial"]) == (8, 2, True)
    assert end["timings"]["first_token_s"] is None  # the first token of the rest is not the answer's
    after = await kept(opened, session)
    assert (after["text"], after["state"]) == ("An owl is a bird.", "done")


async def test_a_stopped_answer_goes_on_and_may_be_stopped_again(sqlite: Database) -> None:
    model = Scripted(script=["x", 0.01], endless=True)
    async with upstream(model) as (_, endpoint), door(endpoint, database=sqlite) as opened:
        made = (await opened.post(SESSIONS, {})).json["id"]
        texts = []
        for path, body in (("turns", {"prompt": "?", "model_instances": [FIRST]}),
                           ("turns/1/continue", {"instance_id": "a"})):  # fmt: skip
            async with opened.session.post(f"{opened.url}{SESSIONS}/{made}/{path}", json=body) as reply:
                while b'"token"' not in (await reply.content.readline()):
                    pass
                stop = {"request_id": reply.headers["x-request-id"]}
                assert (await opened.post("/api/arena/cancel", stop)).status == 200
                await reply.read()
            answer = await kept(opened, made)
            assert answer["state"] == "stopped"
            texts.append(answer["text"])
        assert len(texts[1]) > len(texts[0]) > 0
        assert answer["metrics"]["tokens"] == len(texts[1])
        assert answer["timings"]["parts"] == 2


async def test_a_continuation_that_fails_leaves_what_was_there(opened: Door, model: Scripted) -> None:
    session = await asked(opened, FIRST)
    before = await kept(opened, session)
    model.refusal = (400, "Cannot have a trailing message of the assistant")
    assert (await go_on(opened, session)).lines[-1]["error"] == model.refusal[1]
    after = await kept(opened, session)
    assert (after["text"], after["state"], after["error"]) == ("An owl ", "failed", model.refusal[1])
    assert after["metrics"] == before["metrics"]
    model.refusal = None
    await go_on(opened, session)
    assert (await kept(opened, session))["text"] == "An owl is a bird."


async def test_likes_stay(opened: Door) -> None:
    session = await asked(opened, FIRST)
    await opened.post(f"{SESSIONS}/{session}/turns/1/like", {"instance_id": "a", "like": True})
    await go_on(opened, session)
    assert (await kept(opened, session))["like"] is True


async def test_only_what_ended_too_early_goes_on(opened: Door, sqlite: Database) -> None:
    session = await asked(opened, FIRST, OTHER)
    assert (await go_on(opened, session, "b")).told == (400, "This answer is complete: ask anew, or retry")
    for answer, told in (
        (Answer(FIRST, "An"), "This answer is still being written"),
        (Answer(FIRST, state="stopped"), "This answer has no text to go on from: retry"),
    ):
        await asyncio.to_thread(Sessions(sqlite).save_answers, session, 1, [answer])
        assert (await go_on(opened, session)).told == (400, told)
    assert (await go_on(opened, session, "nobody")).status == 404
    assert (await go_on(opened, session, number=2)).status == 404
    assert (await opened.post(f"{SESSIONS}/{session}/turns/1/continue", {})).status == 400


async def test_the_runtime_goes_on_in_the_middle_of_a_sentence(tmp_path: Path) -> None:
    """Two halves are what a longer answer would have been."""
    settings: Json = {"id": "a", "model": "smollm2:135m", "temperature": 0.01, "top_k": 1, "seed": 42}
    prompt = "Count from one to twenty, separated by commas."
    server = Server(tmp_path / "models", tmp_path / "home")
    await asyncio.to_thread(server.start)
    try:
        async with door(Endpoint(port=server.port)) as opened:
            texts = []
            for tokens in (12, 24):
                made = (await opened.post(SESSIONS, {})).json["id"]
                body = {"prompt": prompt, "model_instances": [{**settings, "num_predict": tokens}]}
                assert (await opened.post(f"{SESSIONS}/{made}/turns", body)).status == 200
                if tokens == 12:
                    assert (await kept(opened, made))["done_reason"] == "length"
                    assert (await go_on(opened, made)).beating_lines[-1]["metrics"]["tokens"] == 24
                texts.append((await kept(opened, made))["text"])
    finally:
        await asyncio.to_thread(server.stop)
    assert texts[0] == texts[1]
