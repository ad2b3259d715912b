"""The answers on their way, so that they can be watched, stopped, and told when they got in each other's way.

Contract arena §2.2 (`/live`, `/cancel`) and §2.9 (`contended`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from puna.arena.events import Phase
from puna.arena.instances import Instance


@dataclass(slots=True, eq=False)
class Work:
    """One answer. Without a request's id nobody can see or stop it: who sits in a blind battle is no one's business."""

    request_id: str
    instance: Instance
    endpoint: str  # the name; never empty
    state: Phase = "queued"
    tokens: int = 0  # pieces so far
    contended: bool = False
    stopped: bool = False
    _began: float = field(default_factory=monotonic)
    _task: asyncio.Task[Any] | None = field(default_factory=asyncio.current_task)

    def stop(self) -> None:
        """Ends the answer, whose task knows by `stopped` that it was asked to."""
        if self._task is not None and not self.stopped:
            self.stopped = True
            self._task.cancel()

    def wire(self) -> dict[str, Any]:
        return {
            "request_id": self.request_id,
            "instance_id": self.instance.id,
            "model": self.instance.model,
            "state": self.state,
            "tokens": self.tokens,
            "elapsed_s": round(monotonic() - self._began, 1),
        }


class Running:
    """All answers of this process that wait or are being generated."""

    def __init__(self) -> None:
        self._works: list[Work] = []
        self._active: list[Work] = []

    @contextmanager
    def joined(self, request_id: str, instance: Instance, endpoint: str) -> Iterator[Work]:
        """Around one answer, in the task that makes it."""
        work = Work(request_id, instance, endpoint)
        self._works.append(work)
        try:
            yield work
        finally:
            self._works.remove(work)

    @contextmanager
    def active(self, work: Work) -> Iterator[None]:
        """Around the time at the upstream. Two at one endpoint are both `contended`."""
        for other in self._active:
            if other.endpoint == work.endpoint:
                other.contended = work.contended = True
        self._active.append(work)
        try:
            yield
        finally:
            self._active.remove(work)

    def wire(self) -> list[dict[str, Any]]:
        """Those that may be seen, oldest first."""
        return [work.wire() for work in self._works if work.request_id]

    def cancel(self, request_id: str, instance_id: str | None = None) -> bool:
        """Stop one column of a request, or all; whether there was any."""
        found = [
            work
            for work in self._works
            if work.request_id and work.request_id == request_id and instance_id in (None, work.instance.id)
        ]
        for work in found:
            work.stop()
        return bool(found)
