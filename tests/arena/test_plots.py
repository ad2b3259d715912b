"""Plots are harmless, readable in both themes, and the same for the same data (contract arena §2.10, R6, R10; T25)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from puna.arena.ballots import Ballot
from puna.arena.plots import PLOTS, THEMES, Plot, Theme, View
from puna.arena.plots.speed import Place, front
from puna.arena.query import Query
from puna.arena.standings import Standing
from tests.arena.polls import ballot, votes

HOSTILE = (
    '<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "a\0b\x1b[31m", "\u202ereversed\ud800",
    "javascript:alert(1)", "x" * 5000,
)  # fmt: skip
SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {"svg", "title", "desc", "rect", "line", "text", "path", "polyline", "g"}
CODE = frozenset({"code"})


def view(ballots: Sequence[Ballot]) -> View:
    return View.of(Standing.of(Query(), tuple(ballots)))


def usual() -> list[Ballot]:
    given = votes(("xy", "A", 9), ("yz", "A", 7), ("zx", "B", 5), ("xyzw", "C", 3), ("xy", "tie", 2))
    return [replace(one, categories=CODE) if one.at.hour % 2 else one for one in given]


def parsed(plot: Plot, theme: Theme) -> ElementTree.Element:
    return ElementTree.fromstring(plot.svg(theme))


@pytest.mark.parametrize("draw", PLOTS.values())
@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_R10_names_are_text_and_nothing_else(draw: Callable[[View], Plot], theme: Theme) -> None:
    given = [
        replace(
            ballot(number, (HOSTILE[number % 6], HOSTILE[(number + 1) % 6]), "A"), categories=frozenset(HOSTILE[:3])
        )
        for number in range(18)
    ]
    plot = draw(view(given))
    root = parsed(plot, theme)
    assert {each.tag.removeprefix(SVG) for each in root.iter()} <= ELEMENTS
    names = {name for each in root.iter() for name in each.attrib}
    assert not {name for name in names if name.startswith("on") or name in ("style", "class", "href")}
    text = plot.svg(theme)
    assert not re.search("[\0-\x08\x0b-\x1f\u202a-\u202e\ud800-\udfff]", text)
    assert "url(" not in text
    assert len(text) < 400_000


@pytest.mark.parametrize("draw", PLOTS.values())
def test_the_same_data_give_the_same_bytes(draw: Callable[[View], Plot]) -> None:
    given = usual()
    texts = {draw(view(order)).svg(theme) for order in (given, given[::-1]) for theme in THEMES.values()}
    assert len(texts) == 2, "one a theme, whatever the order in which votes came"


@pytest.mark.parametrize("draw", PLOTS.values())
@pytest.mark.parametrize("ballots", [usual(), votes(("xy", "A", 1)), votes(("xy", "both_bad", 1)), []])
def test_every_plot_has_a_title_a_description_and_a_table(draw: Callable[[View], Plot], ballots: list[Ballot]) -> None:
    plot = draw(view(ballots))
    root = parsed(plot, THEMES["light"])
    title, description = root[0], root[1]
    assert (title.text, description.text) == (plot.title, plot.description)
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert root.get("role") == "img"
    assert all(len(row) == len(plot.table.columns) for row in plot.table.rows)
    assert bool(plot.table.rows) == (len(root) > 4), "no drawing without its numbers"


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_Y5_texts_and_marks_stand_out_from_their_ground(theme: Theme) -> None:
    paper = theme.colour("paper")
    for role in ("ink", "soft"):
        assert contrast(theme.colour(role), paper) >= 4.5
    for role in ("accent", "soft", "s0", "s1", "s2", "s3", "s4", "s5"):
        assert contrast(theme.colour(role), paper) >= 3
    for heat in ("heat:1", "heat:-1", "heat:0.5"):
        assert contrast(theme.colour("ink"), theme.colour(heat)) >= 4.5


def test_no_cell_says_something_by_its_colour_alone() -> None:
    for name in ("winrate", "games", "category"):
        for cell in parsed(PLOTS[name](view(usual())), THEMES["light"]).iter(f"{SVG}g"):
            assert (cell.findtext(f"{SVG}text") or "").strip("-").isdigit()


def test_series_differ_in_shape_as_well_as_in_colour() -> None:
    marks = parsed(PLOTS["history"](view(usual())), THEMES["dark"]).iter(f"{SVG}path")
    pairs = {(mark.get("fill"), mark.get("d")) for mark in marks}
    assert len(pairs) == len({colour for colour, _ in pairs}) == len({shape for _, shape in pairs}) == 4


def test_the_front_is_who_is_not_beaten_in_both() -> None:
    fast, good, both, beaten = Place("a", 90, 900), Place("b", 10, 1300), Place("c", 50, 1200), Place("d", 50, 1100)
    assert front([beaten, good, fast, both]) == (good, both, fast)
    assert front([]) == ()


def test_the_longer_answer_is_told_apart_by_how_much_longer_it_was() -> None:
    table = PLOTS["length"](view(votes(("xy", "A", 3), ("xy", "B", 1), ("xy", "tie", 4)))).table
    decided = {row[0]: (row[1], row[4]) for row in table.rows}
    assert decided["1.5 to 2 times"] == (0.25, 4), "the right one is twice as long"


def test_the_position_tells_how_each_player_fared_on_either_side() -> None:
    rows = PLOTS["position"](view(votes(("xy", "A", 3), ("yx", "A", 1)))).table.rows
    assert {row[0]: (row[1], row[4]) for row in rows} == {
        "everyone, on the left": (1.0, 4),
        "x, left": (1.0, 3), "x, right": (0.0, 1), "y, left": (1.0, 1), "y, right": (0.0, 3),
    }  # fmt: skip


def test_categories_are_rated_by_themselves() -> None:
    given = [
        replace(one, categories=CODE if one.verdict.groups[0] == ("A",) else frozenset({"maths"}))
        for one in votes(("xy", "A", 5), ("xy", "B", 5))
    ]
    rows = {row[0]: row[1:] for row in PLOTS["category"](view(given)).table.rows}
    assert rows["x"][0] > 1100 > 900 > rows["x"][1]  # type: ignore[operator]
    assert PLOTS["category"](view(given)).table.columns == ("name", "code", "maths")


def test_the_history_ends_with_the_ratings_of_today() -> None:
    found = view(usual())
    table = PLOTS["history"](found).table
    today = dict(zip(table.columns[2:], table.rows[-1][2:], strict=True))
    assert today == {line.name: round(line.rating, 1) for line in found.lines}
    assert table.rows[0][2 + [line.name for line in found.lines].index("w")] is None, "it had not played yet"


def test_L4_the_largest_of_separate_boards_is_drawn_and_that_is_said() -> None:
    plot = PLOTS["ratings"](view(votes(("xy", "A", 1), ("yz", "A", 1), ("vw", "A", 1))))
    assert {row[0] for row in plot.table.rows} == {"x", "y", "z"}
    assert "the largest of 2 boards" in plot.description


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
