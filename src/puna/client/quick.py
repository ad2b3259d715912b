"""One short question to a server, for commands that should be over before aiohttp is loaded.

Importing `http.client` costs 30 ms, aiohttp 190 ms. Only this machine is asked that way: a server elsewhere may stand
behind a proxy, which `OllamaClient` knows about, and is slower to reach than the import.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from puna.client.endpoint import Endpoint
from puna.client.errors import ClientError, ServerUnreachable, error_text

if TYPE_CHECKING:
    from puna.client.client import OllamaClient

Answer = TypeVar("Answer")

_MAX_BODY = 64 << 20  # bytes
_TIMEOUT_S = 30.0


def heartbeat(endpoint: Endpoint) -> None:
    """Ask whether a server answers (`HEAD /`). Raises `ServerUnreachable` or `ClientError`."""
    if endpoint.is_loopback:
        _ask(endpoint, "HEAD", "/")
    else:
        _through_client(endpoint, lambda client: client.heartbeat())


def get(endpoint: Endpoint, path: str) -> Mapping[str, Any]:
    """The JSON object at `path`. Raises `ServerUnreachable` or `ClientError`."""
    if not endpoint.is_loopback:
        return _through_client(endpoint, lambda client: client.get(path))
    try:
        value = json.loads(_ask(endpoint, "GET", path))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ClientError("the server's answer is not a JSON object")
    return value


def _through_client(endpoint: Endpoint, question: Callable[[OllamaClient], Awaitable[Answer]]) -> Answer:
    import asyncio

    from puna.client.client import OllamaClient

    async def ask() -> Answer:
        async with OllamaClient(endpoint) as client:
            return await question(client)

    return asyncio.run(ask())


def _ask(endpoint: Endpoint, method: str, path: str) -> bytes:
    headers = {"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}
    prefix = f"/{endpoint.path}" if endpoint.path else ""
    kind = http.client.HTTPSConnection if endpoint.scheme == "https" else http.client.HTTPConnection
    connection = kind(endpoint.client_host, endpoint.port, timeout=_TIMEOUT_S)
    try:
        connection.request(method, prefix + path, headers=headers)
        response = connection.getresponse()
        body = response.read(_MAX_BODY)
    except ConnectionRefusedError:
        raise ServerUnreachable from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or "no HTTP answer"
        raise ServerUnreachable(f"could not connect to {endpoint.url}: {reason}") from None
    finally:
        connection.close()
    if response.status >= 400:
        raise ClientError(error_text(body, response.reason), status=response.status)
    return body
