"""`puna ps`: the models in memory as a table (contract ollama-store §6.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from puna.cli.connection import reached
from puna.cli.tables import table
from puna.client import quick
from puna.units import format_bytes, format_relative

HEADER = ("NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL")
_FOREVER = timedelta(days=21 * 365)  # "for ever" is 292 years on the wire; nobody means a date that far away


def list_running(prefix: str) -> int:
    """Print the loaded models whose name begins with `prefix`."""
    models = quick.get(reached(), "/api/ps").get("models") or []
    print(running(models, prefix, datetime.now(UTC)), end="")
    return 0


def running(models: Iterable[Mapping[str, Any]], prefix: str, now: datetime) -> str:
    """The table for the models of `/api/ps`, the one that stays longest first."""
    chosen = [(_expiry(model, now), model) for model in models if str(model.get("name")).startswith(prefix)]
    chosen.sort(key=lambda pair: pair[0], reverse=True)
    return table(HEADER, (_row(model, expiry, now) for expiry, model in chosen))


def _row(model: Mapping[str, Any], expiry: datetime, now: datetime) -> tuple[str, ...]:
    size = int(model.get("size", 0))
    return (
        str(model.get("name")),
        str(model.get("digest", ""))[:12],
        format_bytes(size),
        processor(size, int(model.get("size_vram", 0))),
        str(model.get("context_length", 0)),
        _until(expiry, now),
    )


def processor(size: int, size_vram: int) -> str:
    """Where the model's bytes are."""
    if size_vram == 0:
        return "100% CPU"
    if size == 0 or size_vram > size:
        return "Unknown"
    if size_vram == size:
        return "100% GPU"
    cpu = int((size - size_vram) / size * 100 + 0.5)
    return f"{cpu}%/{100 - cpu}% CPU/GPU"


def _until(expiry: datetime, now: datetime) -> str:
    if expiry <= now:
        return "Stopping..."
    return "Forever" if expiry - now >= _FOREVER else format_relative(expiry, now)


def _expiry(model: Mapping[str, Any], now: datetime) -> datetime:
    try:
        expiry = datetime.fromisoformat(str(model.get("expires_at")))
    except ValueError:
        return now
    return expiry if expiry.tzinfo else expiry.replace(tzinfo=UTC)
