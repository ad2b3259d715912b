"""What else a board is told once somebody has looked: fragility, and win rates without length (contract arena §2.5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from puna.arena.ballots import Ballot, Filters
from puna.arena.board import Method, leaderboards
from puna.arena.checks import ENOUGH, MANY, Checks
from puna.arena.query import Query
from puna.arena.standings import Standings
from tests.arena.polls import ballot, votes


class Poll:
    def __init__(self, given: list[Ballot]) -> None:
        self.given = tuple(given)

    def ballots(self) -> tuple[Ballot, ...]:
        return self.given


def checks(given: list[Ballot], filters: Filters | None = None, method: Method | None = None) -> Checks:
    (board,) = leaderboards(given, filters or Filters(), method or Method())
    assert board.checks is not None
    return board.checks


def long(given: list[Ballot], tokens: dict[str, int]) -> list[Ballot]:
    """The same with answers of these lengths."""
    return [
        replace(one, entries=tuple(replace(entry, tokens=tokens[entry.instance]) for entry in one.entries))
        for one in given
    ]


def test_a_lead_that_hangs_on_two_votes_says_so() -> None:
    assert checks(votes(("xy", "A", 6), ("xy", "B", 5))).fragility == 2
    assert checks(votes(("xy", "A", 60), ("xy", "B", 10))).fragility is None


def test_of_very_many_players_nobody_looks_how_few_votes_hold_the_lead() -> None:
    chain = [ballot(number, (f"p{number}", f"p{number + 1}"), "A") for number in range(MANY - 1)]
    assert checks(chain).fragility is None
    assert checks(chain[:-1]).fragility is not None


def test_who_wins_by_length_alone_wins_half_without_it() -> None:
    longer = long(votes(("xy", "A", 30), ("yx", "B", 15), ("xy", "B", 15)), {"x": 400, "y": 100})
    shorter = long(votes(("xy", "A", 5), ("xy", "B", 15)), {"x": 100, "y": 400})
    (board,) = leaderboards([*longer, *shorter])
    assert board.lines[0].win_rate == 50 / 80
    rates = checks([*longer, *shorter]).length_corrected
    assert rates["x"] == pytest.approx(0.5, abs=0.03), "two ridges hold it a little"
    assert rates["x"] + rates["y"] == pytest.approx(1)


def test_equal_lengths_leave_the_win_rate() -> None:
    given = long(votes(("xy", "A", 80), ("yx", "A", 20)), {"x": 100, "y": 100})
    assert checks(given).length_corrected["x"] == pytest.approx(0.8, abs=0.01)


def test_length_is_told_of_those_who_played_enough_with_known_lengths() -> None:
    given = votes(("xy", "A", ENOUGH), ("xz", "A", ENOUGH - 1))
    assert checks(given).length_corrected.keys() == {"x", "y"}
    blank = replace(given[0], entries=tuple(replace(entry, tokens=None) for entry in given[0].entries))
    assert checks([blank, *given[1:]]).length_corrected.keys() == {"x"}


def test_length_is_that_of_the_comparisons_that_the_board_has() -> None:
    given = votes(("xX", "A", ENOUGH), ("xy", "A", ENOUGH), ("xy", "both_bad", ENOUGH), ("xz", "B", 3))
    dropped = Method(unit="model", both_bad="drop")
    found = checks(given, Filters(min_games=ENOUGH), dropped)
    assert found.length_corrected.keys() == {"x", "y"}
    alone = checks(votes(("xy", "A", ENOUGH)), method=dropped)
    assert found.length_corrected == pytest.approx(alone.length_corrected)


async def test_L6_checks_come_behind_also_where_intervals_stay_quick() -> None:
    standings = Standings(Poll(votes(("xy", "A", 600), ("xy", "B", 590))))
    first = await standings.standing(Query())
    assert not first.refining, "what is shown need not wait"
    assert first.boards[0].checks is None
    while not (found := await standings.standing(Query())).complete:
        pass
    assert found.boards[0].checks is not None
    assert found.boards[0].checks.fragility == 11
    assert found.boards[0].lines == first.boards[0].lines
    await standings.close()


async def test_a_first_look_alone_is_never_checked() -> None:
    standings = Standings(Poll(votes(("xy", "A", 3))))
    assert (await standings.standing(Query(method=Method(certainty="laplace")))).complete
    await standings.close()
