"""The leaderboard, the matrix and the plots over HTTP (contract arena §2.2, §2.6, §2.10)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.datastructures import QueryParams

from puna.arena.board import Method, leaderboards
from puna.arena.query import read_query
from puna.arena.storage.votes import Votes
from puna.database import Database
from puna.errors import PunaError
from tests.arena.doors import GONE, Door, Json, door
from tests.arena.polls import START, ballot, kept, votes

GIVEN = votes(("ab", "A", 6), ("ba", "A", 2), ("ab", "tie", 1), ("ba", "both_bad", 1), ("xy", "B", 1))
PLOTS = ("ratings", "winrate", "games", "history", "speed", "length", "position", "category")


@pytest.fixture
async def opened(sqlite: Database) -> AsyncIterator[Door]:
    await asyncio.to_thread(Votes(sqlite).add_many, kept(GIVEN))
    async with door(GONE, database=sqlite) as found:
        yield found


async def leaderboard(opened: Door, query: str = "") -> Json:
    reply = await opened.get(f"/api/arena/leaderboard{query}")
    assert reply.status == 200, reply.body
    found: Json = reply.json
    return found


async def test_L2_the_leaderboard_has_every_column(opened: Door) -> None:
    found = await leaderboard(opened)
    assert (found["votes"], found["kept"], len(found["boards"])) == (11, 11, 2)
    (board, _), (exact, _) = found["boards"], leaderboards(GIVEN, method=Method(certainty="laplace"))
    first, line = board["lines"][0], exact.lines[0]
    assert first == {
        "rank": 1, "name": "a", "rating": round(line.rating, 2), "low": round(line.low, 2),
        "high": round(line.high, 2), "best": round(line.best, 4), "games": 10, "wins": 6, "losses": 2, "ties": 2,
        "win_rate": 0.7, "bad_rate": 0.1, "mean_tokens": 130.0, "tokens_per_s": 10.0, "first_token_s": 0.1,
        "last_played": "2026-11-23T09:00:00+00:00", "provisional": False,
    }  # fmt: skip
    assert board["to_settle"] == exact.to_settle
    assert board["left"] == {"rate": 1.0, "low": 0.6756, "high": 1.0, "games": 8, "warn": True}
    assert (found["categories"], found["sets"], found["languages"]) == ([], [], [])


async def test_L6_the_exact_intervals_come_with_a_later_answer(opened: Door) -> None:
    found = await leaderboard(opened)
    assert [(board["certainty"], board["refining"]) for board in found["boards"]] == [("laplace", True)] * 2
    async with asyncio.timeout(20):
        while any(board["refining"] for board in found["boards"]):
            await asyncio.sleep(0.02)
            found = await leaderboard(opened)
    assert [board["certainty"] for board in found["boards"]] == ["posterior"] * 2


async def test_checks_come_with_a_later_answer(opened: Door) -> None:
    boards = (await leaderboard(opened))["boards"]
    assert [board["checks"] for board in boards] == [None, None]
    async with asyncio.timeout(20):
        while None in [board["checks"] for board in boards]:
            await asyncio.sleep(0.02)
            boards = (await leaderboard(opened))["boards"]
    (first, second) = (board["checks"] for board in boards)
    assert (first["fragility"], first["votes"], first["length_corrected"].keys()) == (5, 10, {"a", "b"})
    assert second == {"fragility": None, "votes": 1, "length_corrected": {}}


async def test_L3_the_query_filters_and_refits(opened: Door) -> None:
    assert (await leaderboard(opened, "?voter=judge"))["boards"] == []
    (board,) = (await leaderboard(opened, "?min_games=2&both_bad=drop&unit=model"))["boards"]
    assert {line["name"]: line["games"] for line in board["lines"]} == {"a": 9, "b": 9}
    assert (await leaderboard(opened, "?to=2026-11-22"))["kept"] == 0
    assert (await leaderboard(opened, "?from=2026-11-23T05:00:00Z"))["kept"] == 6
    (board, _) = (await leaderboard(opened, "?anchor=a:1500"))["boards"]
    assert board["lines"][0]["rating"] == 1500


async def test_L1_without_a_vote_there_is_no_board() -> None:
    async with door(GONE) as opened:
        found = await leaderboard(opened)
        assert found == {"votes": 0, "kept": 0, "boards": [], "categories": [], "sets": [], "languages": []}
        assert (await opened.get("/api/arena/matrix")).json == {"boards": []}
        for name in PLOTS:
            assert b"yet." in (await opened.get(f"/api/arena/plots/{name}.svg")).body


async def test_the_matrix_tells_who_met_whom_and_who_won(opened: Door) -> None:
    (board, other) = (await opened.get("/api/arena/matrix")).json["boards"]
    assert board["players"] == ["a", "b"]
    assert board["games"] == [[0, 10], [10, 0]]
    assert board["wins"] == [[0.0, 7.0], [3.0, 0.0]]
    assert board["chance"][0][0] == 0.5
    assert board["chance"][0][1] == pytest.approx(1 - board["chance"][1][0])
    assert other["players"] == ["y", "x"]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("unit=colour", "Invalid unit: must be one of instance, model, family"),
        ("voter=nobody", "Invalid voter: must be one of people, judge, combined"),
        ("blind=yes", "Invalid blind: must be one of 1, 0"),
        ("from=yesterday", "Invalid from: must be a date or a time in ISO 8601"),
        ("to=9999-12-31", "Invalid to: must be a date or a time in ISO 8601"),
        ("min_games=-1", "Invalid min_games: must be an integer between 0 and 1000000"),
        ("min_games=" + "9" * 5000, "Invalid min_games: must be an integer between 0 and 1000000"),
        ("anchor=x", "Invalid anchor: must be a name and a rating, as in name:1000"),
        ("anchor=x:nan", "Invalid anchor: must be a name and a rating, as in name:1000"),
        ("anchor=x:1e300", "Invalid anchor: must be a name and a rating, as in name:1000"),
        ("category=" + "c" * 201, "Invalid category: must have at most 200 characters"),
    ],
)
def test_L3_a_wrong_filter_is_named(query: str, error: str) -> None:
    with pytest.raises(PunaError) as caught:
        read_query(QueryParams(query))
    assert (caught.value.status, caught.value.message) == (400, error)


def test_L3_every_filter_is_read() -> None:
    found = read_query(
        QueryParams(
            "unit=family&voter=combined&blind=0&category=code&set=s&language=de&from=2026-11-23T02:00:00%2B02:00&to=2026-11-24"
            "&leaked=0&fast=0&min_games=3&both_bad=drop&reweight=1&anchor=llama3.2:3b:1100&theme=dark"
        )
    )
    filters, method = found.filters, found.method
    assert (filters.voter, filters.blind_only, filters.category, filters.prompt_set) == ("combined", False, "code", "s")
    assert (filters.language, filters.soft_leaks, filters.fast, filters.min_games) == ("de", False, False, 3)
    assert (filters.since, str(filters.until)) == (START, "2026-11-25 00:00:00+00:00")
    assert (method.unit, method.both_bad, method.reweighted) == ("family", "drop", True)
    assert method.anchor == ("llama3.2:3b", 1100.0)
    assert read_query(QueryParams("unit=&from=&min_games=&category=")) == read_query({})


async def test_plots_come_in_both_themes_and_as_a_table(opened: Door) -> None:
    for name in PLOTS:
        light, dark = [await opened.get(f"/api/arena/plots/{name}.svg?theme={theme}") for theme in ("light", "dark")]
        assert (light.status, light.headers["content-type"]) == (200, "image/svg+xml")
        assert light.body != dark.body
        assert light.body == (await opened.get(f"/api/arena/plots/{name}.svg")).body
        table = (await opened.get(f"/api/arena/plots/{name}.json?unit=model")).json
        assert table.keys() == {"title", "description", "columns", "rows"}
        assert all(len(row) == len(table["columns"]) for row in table["rows"])


@pytest.mark.parametrize("path", ["nothing.svg", "ratings", "ratings.png", ".svg", "ratings.svg.json"])
async def test_unknown_plots_are_not_found(opened: Door, path: str) -> None:
    reply = await opened.get(f"/api/arena/plots/{path}")
    assert reply.told == (404, "Resource not found")
    assert "ratings, winrate, games" in reply.json["details"]


async def test_an_unknown_theme_is_refused(opened: Door) -> None:
    assert (await opened.get("/api/arena/plots/ratings.svg?theme=neon")).told == (
        400, "Invalid theme: must be one of light, dark"
    )  # fmt: skip


async def test_A4_boards_need_the_token(sqlite: Database) -> None:
    async with door(GONE, database=sqlite, token="secret") as opened:
        for path in ("leaderboard", "matrix", "plots/ratings.svg"):
            assert (await opened.get(f"/api/arena/{path}")).status == 401
            assert (await opened.get(f"/api/arena/{path}", Authorization="Bearer secret")).status == 200


async def test_G4_boards_are_only_read(opened: Door) -> None:
    reply = await opened.post("/api/arena/leaderboard", {})
    assert (reply.status, set(reply.headers["allow"].split(", "))) == (405, {"GET", "HEAD"})


async def test_a_vote_counts_at_once(database: Database) -> None:
    async with door(GONE, database=database) as opened:
        assert (await leaderboard(opened))["votes"] == 0
        await asyncio.to_thread(Votes(database).add_many, kept([ballot(1, "xy", "A", categories=frozenset({"code"}))]))
        found = await leaderboard(opened, "?category=code")
        assert (found["votes"], found["kept"], found["categories"]) == (1, 1, ["code"])
