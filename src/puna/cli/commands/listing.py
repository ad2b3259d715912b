"""`puna list`: the stored models as a table (contract ollama-store §6.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from puna.cli.connection import server
from puna.cli.tables import table
from puna.client import quick
from puna.units import format_bytes, format_relative

HEADER = ("NAME", "ID", "SIZE", "MODIFIED")
_UNSET_YEAR = 1  # Go's zero time


def list_models(prefix: str = "") -> int:
    """Print the models whose name begins with `prefix`, ignoring case."""
    with server() as endpoint:
        models = quick.get(endpoint, "/api/tags").get("models") or []
    print(listing(models, prefix, datetime.now(UTC)), end="")
    return 0


def listing(models: Iterable[Mapping[str, Any]], prefix: str, now: datetime) -> str:
    """The table for the models of `/api/tags`."""
    rows = (_row(model, now) for model in models if str(model.get("name")).lower().startswith(prefix.lower()))
    return table(HEADER, rows)


def _row(model: Mapping[str, Any], now: datetime) -> tuple[str, str, str, str]:
    size = "-" if model.get("remote_model") else format_bytes(int(model.get("size", 0)))
    return str(model.get("name")), str(model.get("digest", ""))[:12], size, _age(str(model.get("modified_at")), now)


def _age(text: str, now: datetime) -> str:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return "Never"
    if when.year == _UNSET_YEAR or when.tzinfo is None:
        return "Never"
    return format_relative(when, now)
