"""Battles as scripts and the page see them (contract arena §2.2, §2.3)."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from puna.arena import battles, rounds
from tests.arena.doors import GONE, Door, Reply, door
from tests.code.scripted import CHATTER, EMBEDDER, LAST, Script, Scripted, upstream

Json = dict[str, Any]

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/api/arena/battles"
SCRIPTS: dict[str, Script] = {
    "red:1b": ["Ruby ", "answer."],
    "blue:1b": ["Sky ", "answer."],
    "green:1b": ["Leaf ", "answer."],
    "dies:1b": ["half", {"error": "the runner died"}],
    "cut:1b": ["half", {"message": {"content": ""}, "done": True, **LAST, "done_reason": "length"}],
    "silent:1b": [],
    "stuck:1b": ["begun", 60],
    "thinks:1b": [{"message": {"content": "", "thinking": "Hmm. "}}, "Thought over."],
    "tags:1b": ["<think>\nWell", ".</th", "ink>\n\nSo be ", "it."],
}
TEXTS = {"red:1b": "Ruby answer.", "blue:1b": "Sky answer.", "green:1b": "Leaf answer."}
LEAKY: dict[str, Script] = {"acme/solar:7b": ["I am Solar, ", "made to help."], "plain:1b": ["As Solar said."]}


def played(body: Json) -> Script:
    return (SCRIPTS | LEAKY)[body["model"]]


def pool(*models: str) -> list[Json]:
    return [{"model": model} for model in models]


@pytest.fixture(scope="module")
def model() -> Scripted:
    installed = {"red:1b": CHATTER, "blue:1b": CHATTER, "embedder:1b": EMBEDDER}
    return Scripted(script=played, models=installed)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened(model: Scripted) -> AsyncIterator[Door]:
    async with upstream(model) as (_, endpoint), door(endpoint, GONE) as found:
        yield found


async def started(opened: Door, *models: str, **more: Any) -> str:
    body = {"prompt": "Why?", **({"model_instances": pool(*models)} if models else {}), **more}
    reply = await opened.post(PATH, body)
    assert reply.status == 201, reply.json
    found: str = reply.json["id"]
    return found


async def over(opened: Door, battle_id: str) -> Json:
    """The battle when its turn is over."""
    await opened.get(f"{PATH}/{battle_id}/events")
    found: Json = (await opened.get(f"{PATH}/{battle_id}")).json
    return found


async def ready(opened: Door, *models: str, **more: Any) -> str:
    battle_id = await started(opened, *models, **more)
    assert (await over(opened, battle_id))["state"] == "ready"
    return battle_id


async def vote(opened: Door, battle_id: str, choice: str = "A", **more: Any) -> Reply:
    return await opened.post(f"{PATH}/{battle_id}/vote", {"choice": choice, **more})


async def test_V1_a_battle_from_the_prompt_to_the_reveal(opened: Door) -> None:
    reply = await opened.post(PATH, {"prompt": "Why?"})
    assert reply.status == 201
    battle_id = reply.json["id"]
    assert reply.json == {"id": battle_id, "state": "streaming", "slots": ["A", "B"], "paced": True}
    found = await over(opened, battle_id)
    assert {slot: answer["state"] for slot, answer in found["turns"][0]["answers"].items()} == {
        "A": "done",
        "B": "done",
    }
    assert {key: found[key] for key in ("state", "slots", "paced", "blind", "verdict", "reveal", "undo_until")} == {
        "state": "ready", "slots": ["A", "B"], "paced": True, "blind": True,
        "verdict": None, "reveal": None, "undo_until": None,
    }  # fmt: skip
    voted = (await vote(opened, battle_id, "B")).json
    assert (voted["state"], voted["verdict"]) == ("voted", {"kind": "best", "groups": [["B"], ["A"]]})
    for slot, answer in found["turns"][0]["answers"].items():
        seat = voted["reveal"][slot]
        assert answer["text"] == TEXTS[seat["instance"]["model"]]
        assert seat["rated"] == seat["instance"]["id"]
        assert (seat["metrics"]["tokens"], seat["timings"]["prompt_tokens"], seat["leak"]) == (3, 20, None)
    shown = (await opened.get(f"{PATH}/{battle_id}")).json
    assert (shown["state"], shown["verdict"], shown["reveal"]) == ("voted", voted["verdict"], voted["reveal"])
    assert shown["undo_until"] > shown["at"]


async def test_a_vote_says_what_it_did_to_the_ratings(opened: Door) -> None:
    battle_id = await ready(opened, "red:1b", "green:1b")
    ratings = (await vote(opened, battle_id)).json["ratings"]
    assert set(ratings) == {"red_1b__0.7_0.9_40_1.1_-1_0", "green_1b__0.7_0.9_40_1.1_-1_0"}
    assert all(isinstance(rating["after"], float) for rating in ratings.values())
    assert ratings["green_1b__0.7_0.9_40_1.1_-1_0"]["before"] is None


async def test_a_pool_is_every_installed_model_that_completes_text(opened: Door) -> None:
    for _ in range(3):
        reveal = (await vote(opened, await ready(opened))).json["reveal"]
        assert {seat["instance"]["model"] for seat in reveal.values()} == {"red:1b", "blue:1b"}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "Prompt is required"),
        ({"prompt": " "}, "Prompt is required"),
        ({"slots": 7}, "Invalid slots: must be between 2 and 6"),
        ({"slots": True}, "Invalid slots: must be between 2 and 6"),
        ({"paced": 1}, "Invalid paced: must be true or false"),
        ({"strategy": "best"}, "Invalid strategy: must be one of uniform, least_played, informative, challenger"),
        ({"strategy": "challenger"}, "Invalid challenger: must be the id of one of the instances"),
        ({"model_instances": [{"model": "a", "endpoint": "x"}]}, "Invalid endpoint: must be one of first, second"),
        ({"model_instances": pool("a", "a")}, "Duplicate model instance detected: a__0.7_0.9_40_1.1_-1_0"),
        (
            {"model_instances": pool("a")},
            "A battle needs two different instances and there is one: install another model, or name two settings of "
            "one in model_instances",
        ),
        (
            {"slots": 4},
            "A battle of 4 needs 4 different instances and there are 2: ask for fewer slots",
        ),
        ({"images": ["nonsense"]}, "Invalid image at index 0: this is no PNG, JPEG or WebP picture"),
    ],
)
async def test_what_is_wrong_with_a_battle_is_told_in_one_line(opened: Door, body: Json, text: str) -> None:
    sent = body if body in ({}, {"prompt": " "}) else {"prompt": "Why?", **body}
    assert (await opened.post(PATH, sent)).told == (400, text)


async def test_without_an_upstream_and_a_pool_the_reason_is_told() -> None:
    async with door(GONE) as opened:
        reply = await opened.post(PATH, {"prompt": "Why?"})
        assert (reply.status, reply.json["details"]) == (500, "Connection refused")


async def test_V2_more_slots_are_ranked(opened: Door) -> None:
    battle_id = await ready(opened, "red:1b", "blue:1b", "green:1b", slots=3)
    reply = await opened.post(f"{PATH}/{battle_id}/vote", {"ranking": [["B"], ["A", "C"]], "tags": ["x"], "note": "n"})
    assert reply.json["verdict"] == {"kind": "ranking", "groups": [["B"], ["A", "C"]]}


async def test_V2_what_a_vote_says_beside_its_verdict_stands_by_the_battle(opened: Door) -> None:
    battle_id = await ready(opened)
    assert "opinion" not in (await opened.get(f"{PATH}/{battle_id}")).json
    said = {"tags": ["clear", "too long"], "note": "B, but\nlong. 🦙"}
    assert (await opened.post(f"{PATH}/{battle_id}/vote", {"choice": "B", **said})).status == 200
    assert (await opened.get(f"{PATH}/{battle_id}")).json["opinion"] == said
    await opened.post(f"{PATH}/{battle_id}/undo", {})
    assert "opinion" not in (await opened.get(f"{PATH}/{battle_id}")).json


async def test_V2_a_vote_without_words_has_none(opened: Door) -> None:
    battle_id = await ready(opened)
    await vote(opened, battle_id, "tie")
    assert (await opened.get(f"{PATH}/{battle_id}")).json["opinion"] == {"tags": [], "note": ""}


@pytest.mark.parametrize(
    "body", [{}, {"choice": "C"}, {"choice": 1}, {"ranking": [["A"]]}, {"choice": "A", "ranking": []}]
)
async def test_V3_an_invalid_choice_changes_nothing(opened: Door, body: Json) -> None:
    battle_id = await ready(opened)
    assert (await opened.post(f"{PATH}/{battle_id}/vote", body)).told == (400, "Invalid choice")
    assert (await vote(opened, battle_id, "tie")).status == 200


async def test_V3_every_move_in_a_battle_that_nobody_knows_is_404(opened: Door) -> None:
    moves = [await opened.post(f"{PATH}/nobody/{move}", {"prompt": "x", "choice": "A"})
             for move in ("turns", "vote", "skip", "reveal", "undo")]  # fmt: skip
    looks = [await opened.get(f"{PATH}/nobody"), await opened.get(f"{PATH}/nobody/events")]
    assert {reply.told for reply in [*moves, *looks]} == {(404, "Battle not found")}


async def test_V3_of_two_browsers_one_votes(opened: Door) -> None:
    battle_id = await ready(opened)
    replies = await asyncio.gather(vote(opened, battle_id, "A"), vote(opened, battle_id, "B"))
    first, second = sorted(replies, key=lambda reply: reply.status)
    assert (first.status, second.told) == (200, (409, "Vote already recorded"))
    assert (await opened.get(f"{PATH}/{battle_id}")).json["verdict"] == first.json["verdict"]


async def test_V3_nothing_can_be_decided_before_the_answers_are_there(opened: Door, model: Scripted) -> None:
    battle_id = await started(opened, "stuck:1b", "red:1b")
    for move in ("vote", "skip", "reveal", "turns"):
        reply = await opened.post(f"{PATH}/{battle_id}/{move}", {"choice": "A", "prompt": "x"})
        assert reply.told == (409, "Battle not ready"), move


async def test_V3_a_reveal_ends_a_battle_without_a_vote(opened: Door) -> None:
    battle_id = await ready(opened)
    reply = await opened.post(f"{PATH}/{battle_id}/reveal")
    assert (reply.json["state"], set(reply.json["reveal"])) == ("revealed", {"A", "B"})
    assert (await opened.post(f"{PATH}/{battle_id}/reveal")).told == (409, "Identities already revealed")
    assert (await vote(opened, battle_id)).told == (409, "Identities already revealed")


async def test_V1_a_skip_tells_nothing(opened: Door) -> None:
    battle_id = await ready(opened)
    assert (await opened.post(f"{PATH}/{battle_id}/skip")).json == {"state": "skipped"}
    assert (await opened.get(f"{PATH}/{battle_id}")).json["reveal"] is None
    assert (await vote(opened, battle_id)).told == (409, "Vote already recorded")


async def test_V1_an_undone_vote_is_void_and_stays_revealed(opened: Door) -> None:
    battle_id = await ready(opened)
    await vote(opened, battle_id)
    assert (await opened.post(f"{PATH}/{battle_id}/undo")).json == {"state": "void"}
    found = (await opened.get(f"{PATH}/{battle_id}")).json
    assert (found["verdict"], found["undo_until"], set(found["reveal"])) == (None, None, {"A", "B"})
    assert (await opened.post(f"{PATH}/{battle_id}/undo")).told == (409, "No vote to undo")


async def test_V4_each_slot_keeps_its_own_thread_and_its_place(opened: Door, model: Scripted) -> None:
    battle_id = await ready(opened, system="Be brief.")
    first = (await opened.get(f"{PATH}/{battle_id}")).json["turns"][0]["answers"]
    model.asked.clear()
    reply = await opened.post(f"{PATH}/{battle_id}/turns", {"prompt": "And then?"})
    assert (reply.status, reply.json["state"], reply.json["turns"][1]["prompt"]) == (200, "streaming", "And then?")
    found = await over(opened, battle_id)
    assert found["turns"][1]["answers"] == first
    assert (await vote(opened, battle_id)).json["reveal"].keys() == {"A", "B"}
    threads = {body["model"]: [message["content"] for message in body["messages"]] for body in model.asked}
    for name, thread in threads.items():
        assert thread == ["Be brief.", "Why?", TEXTS[name], "And then?"]
    reveal = (await opened.get(f"{PATH}/{battle_id}")).json["reveal"]
    assert all(first[slot]["text"] == TEXTS[seat["instance"]["model"]] for slot, seat in reveal.items())


async def test_V1_chatting_on_after_the_vote_is_not_counted(opened: Door) -> None:
    battle_id = await ready(opened)
    voted = (await vote(opened, battle_id)).json
    assert (await opened.post(f"{PATH}/{battle_id}/turns", {"prompt": "On."})).json["state"] == "voted"
    found = await over(opened, battle_id)
    assert (found["state"], len(found["turns"]), found["reveal"]) == ("voted", 2, voted["reveal"])


async def test_V1_V5_a_slot_that_fails_makes_the_battle_void_and_says_no_more(opened: Door) -> None:
    battle_id = await started(opened, "dies:1b", "red:1b")
    lines = (await opened.get(f"{PATH}/{battle_id}/events")).lines
    (failed,) = [line for line in lines if line["event"] == "failed" and line["error"] == "This answer failed"]
    assert lines[-1] == {"event": "state", "state": "void"}
    found = (await opened.get(f"{PATH}/{battle_id}")).json
    assert (found["state"], found["reveal"]) == ("void", None)
    assert found["turns"][0]["answers"][failed["slot"]] == {
        "text": "half", "state": "failed", "error": "This answer failed",
    }  # fmt: skip
    for move in ("vote", "reveal"):
        assert (await opened.post(f"{PATH}/{battle_id}/{move}", {"choice": "A"})).told == (409, "Battle not ready")


async def test_V1_a_slot_that_fails_stops_the_others(opened: Door, model: Scripted) -> None:
    battle_id = await started(opened, "dies:1b", "stuck:1b")
    found = await over(opened, battle_id)
    errors = Counter(answer["error"] for answer in found["turns"][0]["answers"].values())
    assert errors == {"This answer failed": 1, "This answer was stopped, since another one failed": 1}


@pytest.mark.parametrize(("limit", "state"), [(-1, "void"), (5, "ready")])
async def test_V1_an_answer_that_ran_out_of_room_is_void_but_not_one_that_was_to_be_short(
    opened: Door, limit: int, state: str
) -> None:
    instances = [{"model": "cut:1b", "num_predict": limit}, {"model": "red:1b"}]
    battle_id = await started(opened, model_instances=instances)
    assert (await over(opened, battle_id))["state"] == state


async def test_V6_thinking_is_hidden_unless_every_slot_has_it(opened: Door) -> None:
    async def answers(*models: str) -> list[Json]:
        found = await over(opened, await ready(opened, *models))
        return sorted(found["turns"][0]["answers"].values(), key=lambda answer: str(answer["text"]))

    assert not any("thinking" in answer for answer in await answers("thinks:1b", "red:1b"))
    both = await answers("thinks:1b", "tags:1b")
    assert [answer.get("thinking") for answer in both] == ["Well.", "Hmm. "]
    assert [answer["text"] for answer in both] == ["So be it.", "Thought over."]
    battle_id = await ready(opened, "tags:1b", "red:1b")
    await vote(opened, battle_id)
    shown = (await opened.get(f"{PATH}/{battle_id}")).json["turns"][0]["answers"].values()
    assert [answer["thinking"] for answer in shown if "thinking" in answer] == ["Well."]


async def test_V7_watching_begins_with_all_that_may_be_shown_and_ends_with_the_turn(opened: Door) -> None:
    battle_id = await started(opened)
    lines = (await opened.get(f"{PATH}/{battle_id}/events")).lines
    again = (await opened.get(f"{PATH}/{battle_id}/events")).lines
    assert lines[-1] == again[-1] == {"event": "state", "state": "ready"}
    for told in (lines, again):
        texts = {slot: "".join(line.get("token", "") for line in told if line.get("slot") == slot) for slot in "AB"}
        assert sorted(texts.values()) == ["Ruby answer.", "Sky answer."]
        assert sorted(line["slot"] for line in told if line["event"] == "done") == ["A", "B"]


async def test_V7_an_answer_without_text_is_done_when_the_others_have_begun(opened: Door) -> None:
    found = await over(opened, await ready(opened, "silent:1b", "red:1b"))
    assert sorted(answer["text"] for answer in found["turns"][0]["answers"].values()) == ["", "Ruby answer."]


async def test_V7_pacing_can_be_switched_off(opened: Door) -> None:
    battle_id = await started(opened, "stuck:1b", "red:1b", paced=False)
    async with asyncio.timeout(5):
        while True:
            found = (await opened.get(f"{PATH}/{battle_id}")).json
            answers = found["turns"][0]["answers"].values()
            if sorted(answer["state"] for answer in answers) == ["done", "streaming"]:
                break
            await asyncio.sleep(0.01)
    assert found["paced"] is False


async def test_V8_a_model_that_names_itself_is_not_rated(opened: Door) -> None:
    battle_id = await ready(opened, *LEAKY)
    reply = (await vote(opened, battle_id)).json
    leaks = {seat["instance"]["model"]: seat["leak"] for seat in reply["reveal"].values()}
    assert leaks == {"acme/solar:7b": "hard", "plain:1b": "soft"}
    assert [rating["after"] for rating in reply["ratings"].values()] == [None, None]


async def test_V9_a_named_comparison_shows_who_it_is_from_the_start(opened: Door) -> None:
    battle_id = await started(opened, "red:1b", "green:1b", blind=False)
    found = (await opened.get(f"{PATH}/{battle_id}")).json
    assert (found["blind"], {seat["instance"]["model"] for seat in found["reveal"].values()}) == (
        False,
        {"red:1b", "green:1b"},
    )
    await over(opened, battle_id)
    assert (await vote(opened, battle_id)).status == 200


async def test_a_challenger_meets_the_others(opened: Door) -> None:
    body = {"model_instances": [{"model": name, "id": name[0]} for name in ("red:1b", "blue:1b", "green:1b")]}
    for _ in range(4):
        battle_id = await ready(opened, **body, strategy="challenger", challenger="g")
        reveal = (await opened.post(f"{PATH}/{battle_id}/reveal")).json["reveal"]
        assert "green:1b" in {seat["instance"]["model"] for seat in reveal.values()}


@pytest.mark.parametrize("strategy", ["least_played", "informative"])
async def test_a_strategy_reads_the_votes(opened: Door, strategy: str) -> None:
    battle_id = await ready(opened, "red:1b", "blue:1b", "green:1b", strategy=strategy)
    assert (await vote(opened, battle_id)).status == 200


async def test_battles_are_listed_newest_first(opened: Door) -> None:
    first, second = [await ready(opened, prompt=f"Number {number}?") for number in (1, 2)]
    await opened.post(f"{PATH}/{first}/reveal")
    page = (await opened.get(f"{PATH}?limit=2")).json["battles"]
    assert [(found["id"], found["prompt"], found["state"]) for found in page] == [
        (second, "Number 2?", "ready"),
        (first, "Number 1?", "revealed"),
    ]
    assert [found["reveal"] is None for found in page] == [True, False]
    older = (await opened.get(f"{PATH}?limit=1&before={page[0]['at']}")).json["battles"]
    assert [found["id"] for found in older] == [first]


async def test_battles_are_not_among_what_can_be_watched_or_stopped(opened: Door, model: Scripted) -> None:
    await started(opened, "stuck:1b", "red:1b")
    while not any(body["model"] == "stuck:1b" for body in model.asked):
        await asyncio.sleep(0.01)
    async with opened.session.get(f"{opened.url}/api/arena/live") as reply:
        assert json.loads(await reply.content.readline()) == {"running": []}
    assert (await opened.post("/api/arena/cancel", {"request_id": ""})).status in (400, 404)


@asynccontextmanager
async def endless() -> AsyncIterator[tuple[Scripted, Door]]:
    model = Scripted(script=["x", 0.01], endless=True)
    async with upstream(model) as (_, endpoint), door(endpoint) as opened:
        yield model, opened


async def test_a_battle_goes_on_when_the_page_leaves() -> None:
    async with endless() as (model, opened):
        battle_id = await started(opened, "a", "b")
        watching = asyncio.create_task(opened.get(f"{PATH}/{battle_id}/events"))
        while model.running < 2:
            await asyncio.sleep(0.01)
        watching.cancel()
        written = model.lines
        while model.lines < written + 20:
            await asyncio.sleep(0.01)
        assert (model.running, model.leavers) == (2, 0)


async def test_K2_a_server_that_is_told_to_stop_ends_its_battles() -> None:
    async with asyncio.timeout(5):
        async with endless() as (model, opened):
            await started(opened, "a", "b")
            while model.running < 2:
                await asyncio.sleep(0.01)
        assert model.running == 0


async def test_T23_answers_without_end_and_battles_without_number_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(battles, "MOST_RUNNING", 1)
    monkeypatch.setattr(rounds, "LONGEST", 50)
    async with endless() as (_, opened):
        battle_id = await started(opened, "a", "b")
        refused = await opened.post(PATH, {"prompt": "x", "model_instances": pool("a", "b")})
        assert refused.told == (429, "Too many battles at once: maximum 1")
        assert (await over(opened, battle_id))["state"] == "void"
