"""What an answer's form does to its votes (contract arena §2.5, style control and length). Pure.

Differences are taken between the two answers of a row and scaled by their root mean square, not centred: swapping the
sides of a row then changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from puna.arena.ratings import POINTS, PRIOR, Games, Row
from puna.arena.ratings.fit import players_design, to_points
from puna.arena.ratings.games import Floats
from puna.arena.ratings.logistic import Logistic, sigmoid

ENOUGH = 50
"""Battles below which no style is told."""

FEATURES = ("tokens", "headings", "list_items", "bold")

_RIDGE = 1.0
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,}).*?(?:^ {0,3}\1[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} ", re.MULTILINE)
_LIST_ITEM = re.compile(r"^[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]", re.MULTILINE)
_BOLD = re.compile(r"\*\*(?=\S)[^*\n]+\*\*|__(?=\S)[^_\n]+__")


@dataclass(frozen=True, slots=True)
class Style:
    """Counts of one answer."""

    tokens: int
    headings: int
    list_items: int
    bold: int

    @classmethod
    def of(cls, answer: str, tokens: int) -> Self:
        """Of Markdown outside of code fences; `tokens` as the model counted them."""
        text = _FENCE.sub("", answer)
        return cls(tokens, *(len(feature.findall(text)) for feature in (_HEADING, _LIST_ITEM, _BOLD)))

    def versus(self, other: Style) -> tuple[float, ...]:
        """z = (a - b)/(a + b) of each feature, 0 if both are 0."""
        pairs = ((getattr(self, feature), getattr(other, feature)) for feature in FEATURES)
        return tuple((a - b) / (a + b) if a + b else 0.0 for a, b in pairs)


@dataclass(frozen=True, slots=True)
class StyledRow:
    """A row with both answers' styles, in the row's order."""

    row: Row
    first: Style
    second: Style


@dataclass(frozen=True, slots=True)
class StyleControl:
    """Ratings as if all answers had the same style, and what each feature is worth in points per standard deviation."""

    ratings: dict[str, float]
    effects: dict[str, float]


def style_control(rows: Sequence[StyledRow]) -> StyleControl | None:
    """Strengths and style fitted together; None below 50 battles."""
    games = Games.of([styled.row for styled in rows])
    if games.battles < ENOUGH:
        return None
    differences = _scaled(np.array([styled.first.versus(styled.second) for styled in rows]))
    design = np.hstack((players_design(games.first, games.second, len(games.players)), differences))
    precision = np.array([PRIOR] * len(games.players) + [_RIDGE] * len(FEATURES))
    at = Logistic(design, games.score, games.weight, precision).maximum()
    ratings, effects = to_points(at[: len(games.players)]), POINTS * at[len(games.players) :]
    return StyleControl(
        ratings=dict(zip(games.players, ratings.tolist(), strict=True)),
        effects=dict(zip(FEATURES, effects.tolist(), strict=True)),
    )


def length_corrected_win_rate(scores: Sequence[float], longer_by: Sequence[float]) -> float:
    """σ(θ) of logit = θ + φ·tanh(Δlength/sd): the win rate at equal lengths. 0.5 for no games.

    `scores`: y of one player against its baseline; `longer_by`: how much longer its answer was, in tokens.
    """
    length = np.tanh(_scaled(np.asarray(longer_by, dtype=np.float64)[:, None]))
    design = np.hstack((np.ones((len(scores), 1)), length))
    outcome = np.asarray(scores, dtype=np.float64)
    model = Logistic(design, outcome, np.ones(len(scores)), np.array([PRIOR, _RIDGE]))
    return float(sigmoid(model.maximum())[0])


def _scaled(differences: Floats) -> Floats:
    """Each column by its root mean square; a column of zeros stays."""
    size = np.sqrt((differences**2).sum(axis=0) / max(len(differences), 1))
    return np.asarray(differences / np.where(size > 0, size, 1.0))
