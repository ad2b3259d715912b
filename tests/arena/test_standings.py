"""Boards are reckoned once, quickly first and exactly behind (contract arena §2.6 L6)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable

import pytest

from puna.arena.ballots import Ballot, Filters
from puna.arena.board import MAX_BOARDS, MAX_PLAYERS, Method, leaderboards
from puna.arena.query import Query
from puna.arena.standings import Standings
from puna.errors import BadRequest
from tests.arena.polls import ballot, votes


class Poll:
    """Votes that come in while the test goes on."""

    def __init__(self, given: Iterable[Ballot] = ()) -> None:
        self.given = tuple(given)
        self.reading = 0
        self.at_once = 0

    def ballots(self) -> tuple[Ballot, ...]:
        assert threading.current_thread() is not threading.main_thread(), "reading blocks"
        self.reading += 1
        self.at_once = max(self.at_once, self.reading)
        self.reading -= 1
        return self.given


async def test_L6_laplace_is_shown_until_the_samples_are_there() -> None:
    given = votes(("xy", "A", 6), ("yx", "A", 2), ("vw", "A", 3))
    standings = Standings(Poll(given))
    first = await standings.standing(Query())
    assert [board.certainty for board in first.boards] == ["laplace"] * 2
    assert first.refining
    last = await standings.settled(Query())
    exact = leaderboards(given)
    assert [board.certainty for board in exact] == ["posterior"] * 2
    assert [board.lines for board in last.boards] == [board.lines for board in exact]
    assert [board.lines for board in first.boards] != [board.lines for board in exact]
    await standings.close()


async def test_L6_a_question_is_reckoned_once_until_a_vote_comes() -> None:
    poll = Poll(votes(("xy", "A", 3)))
    standings, query = Standings(poll), Query(method=Method(certainty="laplace"))
    first = await standings.standing(query)
    assert await standings.standing(query) is first
    assert await standings.standing(Query(Filters(voter="judge"), query.method)) is not first
    poll.given += (ballot(9, "xz", "B"),)
    second = await standings.standing(query)
    assert {line.name for line in second.boards[0].lines} == {"x", "y", "z"}
    assert [line.name for line in first.boards[0].lines] == ["x", "y"]
    await standings.close()


async def test_L6_a_vote_that_comes_meanwhile_makes_older_samples_worthless() -> None:
    poll = Poll(votes(("xy", "A", 30)))
    standings = Standings(poll)
    assert (await standings.standing(Query())).refining
    poll.given += tuple(votes(("zy", "A", 30)))
    found = await standings.settled(Query())
    assert {line.name for line in found.boards[0].lines} == {"x", "y", "z"}
    assert found.boards[0].certainty == "posterior"
    await standings.close()


async def test_many_questions_at_once_are_all_answered() -> None:
    poll = Poll(votes(("xy", "A", 20), ("yz", "A", 20)))
    standings = Standings(poll)
    queries = [Query(Filters(min_games=count)) for count in range(12)]
    found = await asyncio.gather(*(standings.standing(query) for query in queries))
    assert [standing.query for standing in found] == queries
    assert poll.at_once == 1
    assert not (await standings.settled(queries[0])).refining
    await standings.close()


async def test_closing_does_not_wait_for_what_nobody_will_see() -> None:
    standings = Standings(Poll(votes(("xy", "A", 3))))
    await standings.standing(Query())
    await standings.close()
    await standings.close()


async def test_boards_are_what_a_battle_asks_for() -> None:
    (board,) = await Standings(Poll(votes(("xy", "A", 3)))).boards(method=Method(certainty="laplace"))
    assert [line.name for line in board.lines] == ["x", "y"]


def test_T23_a_board_of_too_many_players_is_refused_with_what_to_do() -> None:
    chain = [ballot(number, (f"p{number}", f"p{number + 1}"), "A") for number in range(MAX_PLAYERS)]
    with pytest.raises(BadRequest, match="More than 300 players on one board: choose a larger unit"):
        leaderboards(chain)
    (board,) = leaderboards(chain[1:], method=Method(certainty="laplace"))
    assert len(board.lines) == MAX_PLAYERS


def test_T23_of_a_thousand_groups_that_never_met_the_largest_are_boards() -> None:
    pairs = [ballot(number, (f"p{number}", f"q{number}"), "A") for number in range(1000)]
    trio = [ballot(1001, "xy", "A"), ballot(1002, "yz", "A")]
    boards = leaderboards([*pairs, *trio], method=Method(certainty="laplace"))
    assert len(boards) == MAX_BOARDS
    assert {line.name for line in boards[0].lines} == {"x", "y", "z"}
