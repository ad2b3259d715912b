"""What form and length do to votes (contract arena §2.5)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from puna.arena.ratings import Row
from puna.arena.style import ENOUGH, Style, StyledRow, length_corrected_win_rate, style_control

MARKDOWN = """\
# One
###### Six
####### seven is none
#none
- item
  * nested
1. numbered
2) numbered
3.none
**bold** and __bold__, ** not ** and **not
over lines**
```python
# comment
- no item
**no bold**
```
"""


def test_features_are_counted_outside_of_code() -> None:
    assert Style.of(MARKDOWN, 50) == Style(tokens=50, headings=2, list_items=4, bold=2)


def test_an_unclosed_fence_hides_the_rest() -> None:
    assert Style.of("# a\n~~~\n# b\n- c", 1) == Style(1, 1, 0, 0)
    assert Style.of("````\n```\n# a\n````\n# b", 1).headings == 1


def test_differences_are_shares_and_nothing_against_nothing_is_zero() -> None:
    assert Style(300, 0, 2, 0).versus(Style(100, 0, 0, 5)) == (0.5, 0.0, 1.0, -1.0)


def styled(battles: int = 300, *, by_length: bool = True) -> list[StyledRow]:
    """A and B are equally good; A writes twice as much, and people vote for length alone or for nothing."""
    rng = np.random.default_rng(7)
    rows = []
    for battle in range(battles):
        lengths = rng.integers(100, 300, 2) * (2, 1)
        chance = 1 / (1 + np.exp(-4 * (lengths[0] - lengths[1]) / lengths.sum())) if by_length else 0.5
        row = Row("A", "B", float(rng.random() < chance), battle=str(battle))
        rows.append(StyledRow(row, *(Style(int(length), 0, int(rng.integers(0, 3)), 0) for length in lengths)))
    return rows


def test_style_control_takes_the_length_out_of_the_ratings() -> None:
    controlled = style_control(styled())
    assert controlled is not None
    assert controlled.ratings["A"] == pytest.approx(1000, abs=60)
    assert controlled.effects["tokens"] > 150
    assert abs(controlled.effects["list_items"]) < 60
    assert controlled.effects["headings"] == controlled.effects["bold"] == 0


def test_style_without_effect_is_told_so() -> None:
    controlled = style_control(styled(by_length=False))
    assert controlled is not None
    assert abs(controlled.effects["tokens"]) < 60


def test_swapping_the_sides_of_rows_changes_nothing() -> None:
    rows = styled(60)
    swapped = [
        StyledRow(replace(one.row, first="B", second="A", score=1 - one.row.score), one.second, one.first)
        if index % 2
        else one
        for index, one in enumerate(rows)
    ]
    one, other = style_control(rows), style_control(swapped)
    assert one is not None
    assert other is not None
    assert one.effects == pytest.approx(other.effects, abs=1e-6)
    assert one.ratings == pytest.approx(other.ratings, abs=1e-6)


def test_style_needs_fifty_battles() -> None:
    assert style_control(styled(ENOUGH - 1)) is None
    assert style_control(styled(ENOUGH)) is not None
    assert style_control(styled(ENOUGH - 1) * 2) is None, "rows are not battles"


def test_length_corrected_win_rate_is_that_at_equal_lengths() -> None:
    rows = styled()
    scores = [one.row.score for one in rows]
    longer = [one.first.tokens - one.second.tokens for one in rows]
    assert sum(scores) / len(scores) > 0.65
    assert length_corrected_win_rate(scores, longer) == pytest.approx(0.5, abs=0.12)
    assert length_corrected_win_rate([1 - score for score in scores], [-by for by in longer]) == pytest.approx(
        1 - length_corrected_win_rate(scores, longer)
    )


def test_length_corrected_win_rate_without_differences_is_the_win_rate() -> None:
    assert length_corrected_win_rate([1.0] * 700 + [0.0] * 300, [0] * 1000) == pytest.approx(0.7, abs=0.001)
    assert length_corrected_win_rate([], []) == 0.5
