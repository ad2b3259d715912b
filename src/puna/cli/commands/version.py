"""`puna --version`: the server's version, and this program's where they differ (contract ollama-store §6.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import puna
from puna.cli.connection import configured
from puna.cli.terminal import printable
from puna.client import quick
from puna.client.endpoint import Endpoint
from puna.client.errors import ClientError, ServerUnreachable


def version() -> int:
    served = _served(configured())
    if served:
        print(f"puna version is {printable(served)}")
    else:
        print("Warning: could not connect to a running Puna instance")
    if served != puna.__version__:
        print(f"Warning: client version is {puna.__version__}")
    return 0


def _served(endpoint: Endpoint) -> str:
    """The server's version, empty when none answers.

    Puna's `/api/version` names the level of Ollama's API that it speaks, its own version stands in `/api/status`;
    Ollama has the first only.
    """
    try:
        status = _get(endpoint, "/api/status").get("puna")
        own = status.get("version") if isinstance(status, Mapping) else None
        return str(own or _get(endpoint, "/api/version").get("version", ""))
    except ServerUnreachable:
        return ""


def _get(endpoint: Endpoint, path: str) -> Mapping[str, Any]:
    """The object at `path`, empty when the server refuses it: older ones do not know every route."""
    try:
        return quick.get(endpoint, path)
    except ServerUnreachable:
        raise
    except ClientError:
        return {}
