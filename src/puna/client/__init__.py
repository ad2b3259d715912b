"""One client for any Ollama-compatible endpoint; arena, code, meter and cli reach models only through it.

`Endpoint` and `parse_host` say where a server is, `OllamaClient` talks to it, `embedded_runtime` starts one, and
the errors are in `puna.client.errors`. `OllamaClient` is loaded when it is first named: aiohttp costs 190 ms, which a
command that asks one question does without (`puna.client.quick`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from puna.client.client import OllamaClient
    from puna.client.embedded import embedded_runtime
    from puna.client.endpoint import Endpoint, parse_host
    from puna.client.errors import ClientError, ServerUnreachable

__all__ = [
    "ClientError",
    "Endpoint",
    "OllamaClient",
    "ServerUnreachable",
    "embedded_runtime",
    "parse_host",
]

_HOMES = {
    "ClientError": "errors",
    "Endpoint": "endpoint",
    "OllamaClient": "client",
    "ServerUnreachable": "errors",
    "embedded_runtime": "embedded",
    "parse_host": "endpoint",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
