"""Downloads and uploads over HTTP (contract arena §2.2 `/export`, `/import`, §2.11; V5)."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator

import pytest

from puna.arena.storage.battles import BattleStore
from puna.arena.storage.sessions import Sessions
from puna.arena.storage.votes import Votes
from puna.database import Database
from tests.arena.doors import GONE, Door, Json, door
from tests.arena.polls import kept, votes
from tests.arena.test_battles_are_kept import A_WINS, NOW, answered
from tests.arena.test_pictures import picture, text

PICTURE = text(picture("PNG"))
GIVEN = kept(
    votes(("xy", "A", 3), ("yz", "A", 2)),
    prompt="Why?",
    slots={"A": {"answer": "First."}, "B": {"answer": "Second."}},
)


def fill(database: Database) -> None:
    Votes(database).add_many(GIVEN)
    instances = [{"id": "a", "model": "a:1b"}]
    made = Sessions(database).create("Owls & foxes", "", instances)
    Sessions(database).add_turn(made.id, "What is it?", instances, [PICTURE])


@pytest.fixture
async def opened(sqlite: Database) -> AsyncIterator[Door]:
    await asyncio.to_thread(fill, sqlite)
    async with door(GONE, database=sqlite) as found:
        yield found


async def exported(opened: Door, query: str) -> tuple[bytes, str]:
    """The body, and the name that it is saved under."""
    reply = await opened.get(f"/api/arena/export{query}")
    assert reply.status == 200, reply.body
    kind, _, name = reply.headers["content-disposition"].partition("; filename=")
    assert kind == "attachment"
    return reply.body, name.strip('"')


@pytest.mark.parametrize(
    ("query", "name", "kind"),
    [
        ("", "puna-arena-all.json", "application/json"),
        ("?what=votes&format=csv", "puna-arena-votes.csv", "text/csv; charset=utf-8"),
        ("?what=votes&format=jsonl", "puna-arena-votes.jsonl", "application/x-ndjson"),
        ("?what=sessions&format=md", "puna-arena-sessions.md", "text/markdown; charset=utf-8"),
        ("?what=all&format=html", "puna-arena-all.html", "text/html; charset=utf-8"),
    ],
)
async def test_every_form_is_a_download(opened: Door, query: str, name: str, kind: str) -> None:
    assert (await exported(opened, query))[1] == name
    reply = await opened.get(f"/api/arena/export{query}")
    assert reply.headers["content-type"] == kind
    assert reply.headers["x-content-type-options"] == "nosniff"


async def test_json_has_everything(opened: Door) -> None:
    await opened.post("/api/arena/rosters", {"name": "mine", "document": {"instances": [{"model": "a:1b"}]}})
    records: list[Json] = (await opened.get("/api/arena/export")).json["records"]
    assert [record["record"] for record in records] == ["vote"] * 5 + ["session", "roster"]
    assert records[0]["details"]["slots"]["A"]["answer"] == "First."
    assert (records[5]["turns"][0]["prompt"], records[5]["pictures"]) == ("What is it?", {"1": [PICTURE]})
    assert [record["record"] for record in (await opened.get("/api/arena/export?what=votes")).json["records"]] == [
        "vote"
    ] * 5


async def test_csv_and_jsonl_have_the_votes(opened: Door) -> None:
    body, _ = await exported(opened, "?what=votes&format=csv")
    assert [row["model_a"] for row in csv.DictReader(io.StringIO(body.decode()))] == ["x", "x", "x", "y", "y"]
    lines = (await opened.get("/api/arena/export?what=votes&format=jsonl")).lines
    assert [(line["prompt"], line["chosen"], line["rejected"]) for line in lines] == [("Why?", "First.", "Second.")] * 5


async def test_reports_have_the_boards_of_the_filters_and_the_sessions(opened: Door) -> None:
    body, _ = await exported(opened, "?format=md")
    assert b"| 1 | x" in body
    assert rb"## Owls \& foxes" in body
    body, _ = await exported(opened, "?format=md&from=2030-01-01")
    assert b"0 of 5 votes count." in body
    page, _ = await exported(opened, "?format=html")
    assert page.startswith(b"<!doctype html>")
    assert b"<h2>Owls &amp; foxes</h2>" in page
    assert b"The last votes" not in (await exported(opened, "?format=html&what=sessions"))[0]


async def test_V5_a_blind_battle_is_exported_by_its_labels_and_the_name_says_so(opened: Door, sqlite: Database) -> None:
    store = BattleStore(sqlite)
    await asyncio.to_thread(store.add, answered("ready"))
    for form in ("json", "md", "html"):
        body, name = await exported(opened, f"?format={form}")
        assert name == f"puna-arena-all_blind.{form}"
        assert b"One." in body
        assert b"b:1b" not in body
    assert (await exported(opened, "?what=votes"))[1] == "puna-arena-votes.json", "a vote has shown who it was"
    await asyncio.to_thread(store.change, "ready", lambda record: record.voted(A_WINS, {}, NOW + 9))
    body, name = await exported(opened, "")
    assert name == "puna-arena-all.json"
    assert b"b:1b" in body


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("what=secrets", "Invalid what: must be one of votes, sessions, all"),
        ("format=xlsx", "Invalid format: must be one of json, csv, jsonl, md, html"),
        ("format=csv", "Invalid format: csv holds votes only, ask for what=votes"),
        ("format=md&unit=x", "Invalid unit: must be one of instance, model, family"),
    ],
)
async def test_a_wrong_wish_is_named(opened: Door, query: str, error: str) -> None:
    assert (await opened.get(f"/api/arena/export?{query}")).told == (400, error)


@pytest.mark.parametrize(("query", "new"), [("", 6), ("?what=votes&format=csv", 5)])
async def test_an_export_goes_into_another_arena(opened: Door, query: str, new: int) -> None:
    body, _ = await exported(opened, query)
    async with door(GONE) as other:
        told = (await other.post("/api/arena/import?dry_run=1", body)).json
        assert (told["new"], told["known"], told["rejected"]) == (new, 0, [])
        assert (await other.get("/api/arena/leaderboard")).json["votes"] == 0
        assert (await other.post("/api/arena/import", body)).json["new"] == new
        boards = [(await each.get("/api/arena/matrix")).json for each in (opened, other)]
        assert boards[0] == boards[1]
        assert (await other.post("/api/arena/import", body)).json["known"] == new


async def test_C8_a_file_that_is_too_large_is_refused() -> None:
    async with door(GONE, max_body=1000) as opened:
        assert (await opened.post("/api/arena/import", b"x" * 1001)).told == (413, "Request body too large")
        assert (await opened.post("/api/arena/import", b"x" * 1001)).json["details"] == (
            "This arena takes files of 0 MiB: start it with a larger PUNA_ARENA_MAX_BODY_MB"
        )
        assert (await opened.post("/api/arena/import", b"nonsense")).told == (
            400, "This is no export of votes: column tstamp is missing"
        )  # fmt: skip
        assert (await opened.post("/api/arena/import?dry_run=maybe", b"{}")).told == (
            400, "Invalid dry_run: must be one of 1, 0"
        )  # fmt: skip


async def test_A4_files_need_the_token(sqlite: Database) -> None:
    async with door(GONE, database=sqlite, token="secret") as opened:
        assert (await opened.get("/api/arena/export")).status == 401
        assert (await opened.post("/api/arena/import", b"{}")).status == 401
        assert (await opened.get("/api/arena/export", Authorization="Bearer secret")).status == 200
