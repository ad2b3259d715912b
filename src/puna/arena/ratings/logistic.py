"""Weighted logistic regression with a Gaussian prior, solved by Newton's method: the one model under all ratings. Pure.

Strengths are one column a player (+1 for the first of a row, -1 for the second); style and length are further columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from puna.arena.ratings.games import Floats

_STEP = 1e-8
_ROUNDS = 50


@dataclass(frozen=True, slots=True, eq=False)
class Logistic:
    """Σ w [y ln σ(Xb) + (1 - y) ln(1 - σ(Xb))] - ½ Σ κb², to be maximised in b (contract arena §2.5).

    With a positive precision for every coefficient it is strictly concave, so there is one maximum.
    """

    design: Floats  # X: rows × coefficients
    outcome: Floats  # y, 0 to 1
    weight: Floats  # w
    precision: Floats  # κ of each coefficient

    def objective(self, at: Floats) -> Floats:
        """The value at each vector of the last axis of `at`."""
        logit = at @ self.design.T
        likelihood = (self.outcome * logit - np.logaddexp(0, logit)) @ self.weight
        return np.asarray(likelihood - 0.5 * (at * at) @ self.precision)

    def gradient(self, at: Floats) -> Floats:
        surprise = self.weight * (self.outcome - sigmoid(self.design @ at))
        return np.asarray(self.design.T @ surprise - self.precision * at)

    def hessian(self, at: Floats) -> Floats:
        """Of the negated objective: the precision of the posterior at its mode."""
        chance = sigmoid(self.design @ at)
        information = self.design.T * (self.weight * chance * (1 - chance))
        return np.asarray(information @ self.design + np.diag(self.precision))

    def maximum(self) -> Floats:
        """From 0; a step is halved while the objective falls; the end is a step below 1e-8, or 50 rounds."""
        at = np.zeros(len(self.precision))
        value = self.objective(at)
        for _ in range(_ROUNDS):
            step: Floats = np.asarray(np.linalg.solve(self.hessian(at), self.gradient(at)), dtype=np.float64)
            while _size(step) >= _STEP and self.objective(at + step) < value:
                step *= 0.5
            if _size(step) < _STEP:
                break
            at = at + step
            value = self.objective(at)
        return at


def _size(step: Floats) -> float:
    return float(np.abs(step).max(initial=0))


def sigmoid(logit: Floats) -> Floats:
    """1 / (1 + e^-x), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logit)))
