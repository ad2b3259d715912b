"""A script beside the browser: it asks the arena's API, and makes votes that can be imported."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any

from tests.page.rig import Site

Json = dict[str, Any]

_DAY = "2026-03-04T10:00:00+00:00"
_READY_S = 10
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Api:
    site: Site

    def ask(self, method: str, path: str, body: object = None) -> bytes:
        """Raises `HTTPError`."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.site.url}/api/arena/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=_READY_S) as response:
            found: bytes = response.read()
            return found

    def json(self, method: str, path: str, body: object = None) -> Any:
        return json.loads(self.ask(method, path, body))

    def vote(self, votes: Iterable[Json]) -> None:
        assert self.json("POST", "import", list(votes))["rejected"] == []

    def session(self, prompt: str, models: tuple[str, ...] = ("alpha:1b",)) -> str:
        """One with a turn that is answered; its title is the prompt's beginning."""
        made: str = self.json("POST", "sessions", {})["id"]
        instances = [{"id": model, "model": model} for model in models]
        self.ask("POST", f"sessions/{made}/turns", {"prompt": prompt, "model_instances": instances})
        return made

    def battle(self, prompt: str) -> str:
        """One that waits for a vote."""
        instances = [{"model": model} for model in self.site.upstream.models]
        made: str = self.json("POST", "battles", {"prompt": prompt, "model_instances": instances})["id"]
        until = time.monotonic() + _READY_S
        while self.json("GET", f"battles/{made}")["state"] != "ready":
            assert time.monotonic() < until
            time.sleep(0.02)
        return made


def vote(left: str, right: str, winner: str = "A", **ballot: Any) -> Json:
    """`left` sits at slot A. `winner` is a slot or `tie`; the rest are fields of a `Ballot`."""
    battle, at = f"battle-{next(_numbers)}", ballot.pop("at", _DAY)
    best = [[winner], ["B" if winner == "A" else "A"]]
    verdict = {"kind": "tie", "groups": [["A", "B"]]} if winner == "tie" else {"kind": "best", "groups": best}
    entries = [_entry("A", left), _entry("B", right)]
    told = {"battle": battle, "at": at, "verdict": verdict, "entries": entries, **ballot}
    return {
        "record": "vote",
        "id": f"{next(_numbers):032x}",
        "kind": "vote",
        "battle": battle,
        "at": at,
        "ballot": told,
    }


def _entry(slot: str, name: str) -> Json:
    model = name.partition("__")[0]
    measures = {"tokens": 200, "tokens_per_s": 42.0, "first_token_s": 0.25}
    return {"slot": slot, "instance": name, "model": model, "family": "llama", **measures}
