"""How a runner is started for a request, and which runners may answer it: the rules with what they must remember."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from puna.engine.adapters import same_effect, widened
from puna.engine.policy import Limits, Plan, make_plan, needs_reload
from puna.engine.residents import Resident, Waiter
from puna.engine.types import Adapter, Memory
from puna.names import Digest


class Planner:
    """Owned by the scheduler; like its state, only its task changes it."""

    def __init__(self, limits: Limits, several: Callable[[], bool], exists: Callable[[Path], bool]) -> None:
        """`several` tells whether more than one caller can be expected, `exists` whether a file is still there."""
        self._limits = limits
        self._several = several
        self._exists = exists
        self._callers: set[str] = set()  # who has asked since the start
        self._adapters: dict[Digest, Sequence[Adapter]] = {}  # loaded last beside these weights

    def saw(self, waiter: Waiter) -> None:
        self._callers.add(waiter.caller)

    def plan(self, waiter: Waiter, memory: Memory) -> Plan:
        """Adapters that were loaded before are loaded again beside new ones: requests with either need no reload.

        A runner starts as one that callers share where there is more than one (threats T24).
        """
        weights = waiter.weights
        if weights.adapters and not waiter.exact:
            others = self._adapters.get(weights.digest, ())
            weights = widened(weights, [other for other in others if self._exists(other.path)])
        self._adapters[weights.digest] = weights.adapters
        plan = make_plan(weights, waiter.load, memory, self._limits)
        shared = self._several() or len(self._callers) > 1
        return replace(plan, caller=None if shared else waiter.caller)

    def serves(self, resident: Resident, waiter: Waiter) -> bool:
        """Whether the runner could answer now: the right options, no other caller's own, no other adapters in force."""
        if waiter.as_loaded:
            return True
        plan = resident.plan
        if not plan.shared and plan.caller != waiter.caller:
            return False
        if resident.leases and not same_effect(resident.adapters, waiter.weights.adapters):
            return False
        context_length = self._limits.context_length
        return not needs_reload(plan, waiter.weights, waiter.load, context_length, exact=waiter.exact)
