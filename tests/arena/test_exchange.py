"""Files of votes, out and in again (contract arena §2.11; V5; threats T14, T25)."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.arena.ballots import Ballot, Entry
from puna.arena.board import Method, leaderboards
from puna.arena.exchange import preferences, table
from puna.arena.exchange.checking import checked_vote
from puna.arena.exchange.importing import Summary
from puna.arena.exchange.records import document, vote_record
from puna.arena.exchange.report import Report, render
from puna.arena.query import Query
from puna.arena.standings import Standing
from puna.arena.storage.session import Answer, Session, Turn
from puna.arena.storage.votes import Vote, Votes
from puna.arena.verdicts import Verdict
from puna.database import Database
from puna.errors import BadRequest
from tests.arena.exchanging import imported
from tests.arena.polls import START, ballot, kept, votes

NONE = {"new": 0, "known": 0, "rejected": 0}
FORMULA = '=HYPERLINK("http://x","y")'


class Store(Votes):
    """With the database that it lies in."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.database = database


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


@pytest.fixture
def small_store(sqlite: Database) -> Store:
    return Store(sqlite)


def import_votes(body: bytes, store: Store, *, dry_run: bool) -> Summary:
    return imported(body, store.database, dry_run=dry_run)


def several() -> list[Vote]:
    """Of all kinds, with all that a ballot can hold."""
    entries = ballot(9, "xyz", "A").entries
    rich = replace(
        ballot(5, "xy", "B"), voter="judge", weight=0.5, blind=False, fast=True, prompt_set="mine", language="de",
        categories=frozenset({"code", "long"}), at=START + timedelta(microseconds=123456),
    )  # fmt: skip
    leaky = ballot(6, "xy", "both_bad")
    leaky = replace(leaky, entries=(replace(leaky.entries[0], leak="soft", tokens=None), leaky.entries[1]))
    given = [
        *votes(("xy", "A", 2), ("yx", "tie", 1)), rich, leaky, ballot(7, "xyzw", "C"),
        Ballot("b8", START, Verdict.of("ABC", ranking=[["B"], ["A", "C"]]), entries),
        Ballot("s/1", START, Verdict.of_likes("A", "C"), entries, blind=False),
    ]  # fmt: skip
    found = kept(given, prompt="Why?", slots={"A": {"answer": "a"}})
    return [*found[:-1], replace(found[-1], kind="likes")]


def as_json(given: list[Vote]) -> bytes:
    return b"".join(document(map(vote_record, given)))


def as_csv(given: list[Vote]) -> bytes:
    return b"".join(table.lines(given))


def rows_of(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body.decode(), newline="")))


def test_json_comes_back_as_it_left(store: Store) -> None:
    given = several()
    given.insert(1, Vote("f" * 32, "undo", "b0", START))
    assert import_votes(as_json(given), store, dry_run=False).wire() == {
        "new": len(given), "known": 0, "other": 0, "rejected": [], "rejected_count": 0,
        "kinds": {
            "vote": {"new": len(given), "known": 0, "rejected": 0}, "session": NONE, "roster": NONE, "prompts": NONE,
        },
    }  # fmt: skip
    assert list(store.all()) == given
    assert json.loads(as_json(given))["records"][0]["ballot"]["verdict"] == {"kind": "best", "groups": [["A"], ["B"]]}


def test_csv_comes_back_as_far_as_a_board_needs_it(store: Store) -> None:
    given = several()
    assert import_votes(as_csv(given), store, dry_run=False).new == len(given)
    last = given[-1]
    assert last.ballot is not None
    judged = replace(last.ballot, entries=(last.ballot.entries[0], last.ballot.entries[2]))
    assert [vote.ballot for vote in store.all()] == [*(vote.ballot for vote in given[:-1]), judged]
    assert [(vote.id, vote.kind, vote.at) for vote in store.all()] == [(vote.id, vote.kind, vote.at) for vote in given]


def test_known_votes_are_skipped_and_a_dry_run_only_tells(small_store: Store) -> None:
    given = several()
    small_store.append(given[0])
    body = as_json([*given, given[2]])
    expected = (len(given) - 1, 2)
    told = import_votes(body, small_store, dry_run=True)
    assert (told.new, told.known) == expected
    assert len(list(small_store.all())) == 1
    done = import_votes(body, small_store, dry_run=False)
    assert (done.new, done.known) == expected
    again = import_votes(as_csv(given), small_store, dry_run=False)
    assert (again.new, again.known) == (0, len(given))


def test_a_vote_that_was_taken_back_does_not_come_back(small_store: Store) -> None:
    first, second = kept(votes(("xy", "A", 2)))
    undo = Vote("e" * 32, "undo", first.battle, START)
    small_store.add_many([first, second, undo])
    assert list(small_store.counted()) == [second]
    assert {row["vote_id"] for row in rows_of(as_csv(list(small_store.counted())))} == {second.id}
    import_votes(as_json([first, second]), small_store, dry_run=False)
    assert small_store.ballots() == (second.ballot,)


def test_csv_begins_with_what_public_ranking_tools_read() -> None:
    given = kept([ballot(1, "xy", "A"), ballot(2, "xy", "B"), ballot(3, "xy", "tie"), ballot(4, "xy", "both_bad")])
    header, *rows = as_csv(given).decode().split("\r\n")
    assert header.startswith("tstamp,battle_id,category,model_a,model_b,winner,voter,blind,leaked,")
    assert rows[0].startswith("1795395600.000000,b1,,x,y,model_a,people,true,,false")
    assert [row["winner"] for row in rows_of(as_csv(given))] == ["model_a", "model_b", "tie", "both_bad"]


def test_a_verdict_on_many_is_one_vote_of_several_lines() -> None:
    rows = rows_of(
        as_csv(
            kept([Ballot("b", START, Verdict.of("ABC", ranking=[["B"], ["A", "C"]]), ballot(1, "xyz", "A").entries)])
        )
    )
    assert [(row["model_a"], row["model_b"], row["winner"]) for row in rows] == [
        ("x", "y", "model_b"), ("x", "z", "tie"), ("y", "z", "model_a")
    ]  # fmt: skip
    assert {row["verdict"] for row in rows} == {"ranking:B>A,C"}


@pytest.mark.parametrize("name", [FORMULA, "+1", "-1", "@x", "\t=x", "＝x", "'=x", "'", "x=1", 'a,b"c\nd'])
def test_no_cell_is_a_formula_and_every_name_comes_back(name: str) -> None:
    one, other = ballot(1, "xy", "A").entries
    given = kept([Ballot("b", START, Verdict.of("AB", "A"), (replace(one, instance=name, family=name), other))])
    (row,) = rows_of(as_csv(given))
    assert not row["model_a"].startswith(tuple("=+-@\t\r＝"))
    ((_, document),) = table.documents(as_csv(given).decode())
    assert document["ballot"]["entries"][0]["instance"] == name


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20))
def test_any_text_of_a_cell_comes_back(name: str) -> None:
    one, other = ballot(1, "xy", "A").entries
    body = as_csv(kept([Ballot("b", START, Verdict.of("AB", "A"), (replace(one, instance=name), other))]))
    ((_, found),) = table.documents(body.decode())
    assert found["ballot"]["entries"][0]["instance"] == name


def entry(**changes: Any) -> dict[str, Any]:
    return {"slot": "A", "instance": "x", "model": "x", "family": "f"} | changes


BALLOT: dict[str, Any] = {
    "battle": "b1",
    "at": "2026-11-23T01:00:00+00:00",
    "verdict": {"kind": "best", "groups": [["A"], ["B"]]},
    "entries": [entry(), entry(slot="B")],
}
VOTE: dict[str, Any] = {
    "record": "vote", "id": "0" * 32, "kind": "vote", "battle": "b1", "at": "2026-11-23T01:00:00Z", "ballot": BALLOT,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"id": "../../etc"}, "id: String should match"),
        ({"id": "0" * 32 + "\n"}, "id: String should match"),
        ({"kind": "overrule"}, "kind: Input should be"),
        ({"at": "2026-11-23T01:00:00"}, "at: Input should have timezone info"),
        ({"at": "0001-01-01T00:00:00Z"}, "at: not a time of a vote"),
        ({"battle": "b\0"}, "battle: not a name"),
        ({"battle": "other"}, "ballot.battle: not that of the vote"),
        ({"ballot": None}, "ballot: missing"),
        ({"kind": "undo"}, "ballot: an undo has none"),
        ({"details": {"note": "x" * (1 << 20)}}, "details: too large"),
        ({"ballot": BALLOT | {"weight": 1e9}}, "ballot.weight: must be above 0"),
        ({"ballot": BALLOT | {"weight": -1}}, "ballot.weight: must be above 0"),
        ({"ballot": BALLOT | {"voter": "ghost"}}, "ballot.voter: Input should be"),
        ({"ballot": BALLOT | {"categories": [f"c{number}" for number in range(40)]}}, "ballot: too many categories"),
        ({"ballot": BALLOT | {"categories": ["a|b"]}}, "ballot.categories: no | is possible"),
        ({"ballot": BALLOT | {"language": "x" * 301}}, "ballot: too many categories, or one, a set or a language"),
        ({"ballot": BALLOT | {"verdict": {"kind": "best", "groups": [["A"]]}}}, "ballot.verdict: does not fit"),
        ({"ballot": BALLOT | {"verdict": {"kind": "best", "groups": [["A"], ["C"]]}}}, "ballot.verdict: does not fit"),
        (
            {"ballot": BALLOT | {"verdict": {"kind": "tie", "groups": [["A", "B", "A"]]}}},
            "ballot.verdict: does not fit",
        ),
        (
            {"ballot": BALLOT | {"verdict": {"kind": "ranking", "groups": [["A"], [], ["B"]]}}},
            "ballot.verdict: does not",
        ),
        ({"ballot": BALLOT | {"entries": [entry(), entry()]}}, "ballot.entries: must be 2 to 8"),
        ({"ballot": BALLOT | {"entries": [entry(), entry(slot="<b>")]}}, "ballot.verdict: does not fit"),
        ({"ballot": BALLOT | {"entries": [entry(instance=""), entry(slot="B")]}}, "ballot.entries.0.instance: must be"),
        ({"ballot": BALLOT | {"entries": [entry(tokens=-1), entry(slot="B")]}}, "ballot.entries.0.tokens: out of"),
        (
            {"ballot": BALLOT | {"entries": [entry(tokens_per_s="inf"), entry(slot="B")]}},
            "ballot.entries.0.tokens_per_s",
        ),
        ({"ballot": BALLOT | {"entries": [entry(leak="all"), entry(slot="B")]}}, "ballot.entries.0.leak: Input should"),
    ],
)
def test_T14_a_vote_that_is_wrong_is_rejected(change: dict[str, Any], error: str) -> None:
    with pytest.raises(BadRequest) as caught:
        checked_vote(VOTE | change)
    assert caught.value.message.startswith(error)
    assert "\n" not in caught.value.message


def test_T14_the_others_of_a_file_are_kept(small_store: Store) -> None:
    body = json.dumps({"records": [VOTE | {"battle": ""}, VOTE, 3]}).encode()
    found = import_votes(body, small_store, dry_run=False)
    assert [(each.line, each.error) for each in found.rejected] == [
        (1, "battle: not a name"), (3, "Input should be a valid dictionary or instance of _Document")
    ]  # fmt: skip
    assert [vote.id for vote in small_store.all()] == ["0" * 32]


def test_lines_that_are_no_votes_are_named(small_store: Store) -> None:
    lines = as_json(several()).split(b"\n")
    lines[2], lines[4] = b'{"record":"vote","id":', b'{"record":"battle","id":"x"},'
    found = import_votes(b"\n".join(lines), small_store, dry_run=True)
    assert (found.other, [each.line for each in found.rejected]) == (1, [3])


def test_a_list_of_errors_ends_somewhere(small_store: Store) -> None:
    found = import_votes(json.dumps([{"record": "vote"}] * 500).encode(), small_store, dry_run=False).wire()
    assert (len(found["rejected"]), found["rejected_count"]) == (100, 500)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "no export of votes: column tstamp is missing"),
        (b"model_a,model_b,winner\r\nx,y,model_a\r\n", "no export of votes: column tstamp is missing"),
        (b"{}", "there are no records"),
        (b'{"records": 3}', "there are no records"),
        (b'{"records": [', "unexpected EOF"),
        (b"\xff\xfe\x00", "neither JSON nor CSV"),
        (b"[" * 100_001, "JSON with more than 100000 lists"),
        (",".join(table.COLUMNS).encode() + b"\r\n" + b'"' + b"x" * 200_000, "This is not CSV after line 1"),
    ],
)
def test_what_is_no_file_of_ours_is_refused(small_store: Store, body: bytes, error: str) -> None:
    with pytest.raises(BadRequest, match=re.escape(error)):
        import_votes(body, small_store, dry_run=False)


def test_preferences_have_a_line_for_each_pair_with_a_winner() -> None:
    details = {
        "prompts": ["Why?", "Really?"],
        "system": "Be brief.",
        "slots": {slot: {"answer": slot.lower()} for slot in "ABC"},
    }
    given = kept([ballot(1, "xyz", "B"), ballot(2, "xy", "tie"), ballot(3, "xy", "both_bad")], **details)
    lines = [json.loads(line) for line in preferences.lines(given)]
    assert [(line["prompt"], line["chosen"], line["rejected"]) for line in lines] == [
        ("Why?\n\nReally?", "b", "a"), ("Why?\n\nReally?", "b", "c")
    ]  # fmt: skip
    assert lines[0]["meta"]["chosen"] == {"instance": "y", "model": "y"}
    assert (lines[0]["meta"]["system"], lines[0]["meta"]["turns"]) == ("Be brief.", 2)


@pytest.mark.parametrize("details", [{}, {"prompt": 3}, {"prompt": "Why?", "slots": [1]}, {"prompt": "Why?", "slots": {"A": 1}},
                                     {"prompts": {"a": 1}}, {"prompt": "Why?", "slots": {"A": {"answer": 3}, "B": {}}}])  # fmt: skip
def test_preferences_leave_out_what_they_do_not_know(details: dict[str, Any]) -> None:
    assert list(preferences.lines(kept([ballot(1, "xy", "A")], **details))) == []


def hostile_report() -> Report:
    name = '</pre><script>alert(1)</script>|[x](javascript:alert(1))\n# "'
    one = Entry("A", name, name, "f")
    given = (*(Ballot(f"b{n}", START, Verdict.of("AB", "A"), (one, Entry("B", "y", "y", "f"))) for n in range(3)),)
    answer = Answer({"id": name, "model": name}, text=f"```\n{name}\n````\n<img src=x onerror=alert(1)>", like=True)
    session = Session("s", name, "", (), START, START, (Turn(1, name, 2, START, (answer,)),))
    return Report(name, Standing.of(Query(method=Method(certainty="laplace")), given), given, [session])


def test_T25_a_page_of_hostile_names_and_answers_holds_no_markup_of_theirs() -> None:
    page = render(hostile_report(), "html")
    assert "<script" not in page
    assert "<img" not in page
    assert not re.search(r"<[^>]*\bon\w+=", page)
    assert not re.search(r"(?:href|src)=\"(?!data:,)", page)
    assert "default-src 'none'" in page
    assert page.count("<svg ") >= 5


def test_T25_markdown_of_hostile_names_and_answers_holds_no_markup_of_theirs() -> None:
    text = render(hostile_report(), "md")
    outside = re.sub(r"(?ms)^(`{3,})text\n.*?\n\1$", "", text)
    assert not re.search(r"(?<!\\)[<\[]", outside)
    assert not re.search(r"(?m)^# \\?\"", outside)
    rows = [line for line in outside.splitlines() if line.startswith("| ") and "alert" in line]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {13, 5}, "no name adds a cell"
    assert "`````text" in text, "a fence longer than any in the answer"


def test_a_report_tells_what_the_page_shows() -> None:
    given = tuple(votes(("xy", "A", 6), ("yx", "A", 2)))
    (board,) = leaderboards(given, method=Method(certainty="laplace"))
    text = render(Report("Votes", Standing.of(Query(), given), given), "md")
    line = board.lines[0]
    assert f"| 1 | x (provisional) | {line.rating:.0f} | {line.low:.0f} to {line.high:.0f} |" in text
    assert "8 of 8 votes count." in text
    assert "| 2026-11-23 00:00 | A: x, B: y | best: A > B | yes |" in text
