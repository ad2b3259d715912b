"""What the extended profile adds to an instance (contract arena §2.1). Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from puna.arena.failures import Refused
from puna.arena.sampling import Range, checked_number

EFFORTS = ("low", "medium", "high", "max")
MOST_STOPS = 16

_NUM_CTX = Range(1, 1 << 24, whole=True)
_MIN_P = Range(0, 1)


@dataclass(frozen=True, slots=True)
class Extras:
    """None, and what is empty, is not sent. `system` takes the place of the conversation's own."""

    system: str = ""
    think: bool | str | None = None  # or one of `EFFORTS`
    format: Any = field(default=None, hash=False)  # "json", or a JSON schema
    stop: tuple[str, ...] = ()
    num_ctx: int | None = None
    min_p: float | None = None

    def wire(self) -> dict[str, Any]:
        """Those that are set, as a request has them."""
        found: dict[str, Any] = {}
        if self.system:
            found["system"] = self.system
        if self.stop:
            found["stop"] = list(self.stop)
        for name in ("think", "format", "num_ctx", "min_p"):
            if (value := getattr(self, name)) is not None:
                found[name] = value
        return found

    def options(self) -> dict[str, Any]:
        """What of them stands among the upstream's options."""
        return {name: value for name, value in self.wire().items() if name in ("stop", "num_ctx", "min_p")}

    def top_level(self) -> dict[str, Any]:
        """What of them stands beside the options."""
        return {name: value for name, value in self.wire().items() if name in ("think", "format")}

    def digest(self) -> str:
        """Eight hex digits that tell settings apart; empty where none is set."""
        wire = self.wire()
        return sha256(json.dumps(wire, sort_keys=True).encode()).hexdigest()[:8] if wire else ""


def read_extras(item: Mapping[str, Any]) -> Extras:
    """Raises `Refused`, naming the field."""
    return Extras(
        system=_text(item.get("system"), "system"),
        think=_think(item.get("think")),
        format=_format(item.get("format")),
        stop=_stops(item.get("stop")),
        num_ctx=None if (n_ctx := item.get("num_ctx")) is None else int(checked_number("num_ctx", n_ctx, _NUM_CTX)),
        min_p=None if (min_p := item.get("min_p")) is None else checked_number("min_p", min_p, _MIN_P),
    )


def _text(value: object, name: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Refused(f"Invalid {name}: must be a string")
    return value if value.strip() else ""


def _think(value: object) -> bool | str | None:
    if value is None or isinstance(value, bool) or (isinstance(value, str) and value in EFFORTS):
        return value
    raise Refused(f"Invalid think: must be true, false or one of {', '.join(EFFORTS)}")


def _format(value: object) -> Any:
    if value in (None, ""):
        return None
    if value == "json" or isinstance(value, dict):
        return value
    raise Refused('Invalid format: must be "json" or a JSON schema')


def _stops(value: object) -> tuple[str, ...]:
    stops = [value] if isinstance(value, str) else value if value is not None else []
    if not (isinstance(stops, list) and len(stops) <= MOST_STOPS and all(isinstance(stop, str) for stop in stops)):
        raise Refused(f"Invalid stop: must be at most {MOST_STOPS} strings")
    return tuple(stop for stop in stops if stop)
