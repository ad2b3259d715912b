"""Which right each route needs. Exhaustive: the app does not start with a route that is not here (threats T10, T19)."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.routing import compile_path

from puna.keys import Right
from puna.serving.callers import HEARTBEAT

RIGHTS = {
    "/api/generate": Right.INFER,
    "/api/chat": Right.INFER,
    "/api/embed": Right.INFER,
    "/api/embeddings": Right.INFER,
    "/api/rerank": Right.INFER,
    "/api/tokenize": Right.INFER,
    "/api/detokenize": Right.INFER,
    "/api/experimental/web_search": Right.INFER,
    "/api/experimental/web_fetch": Right.INFER,
    "/v1/chat/completions": Right.INFER,
    "/v1/completions": Right.INFER,
    "/v1/embeddings": Right.INFER,
    "/v1/rerank": Right.INFER,
    "/v1/responses": Right.INFER,
    "/v1/audio/transcriptions": Right.INFER,
    "/v1/messages": Right.INFER,
    "/v1/messages/count_tokens": Right.INFER,
    "/v1/models": Right.READ,
    "/v1/models/{model:path}": Right.READ,
    "/api/tags": Right.READ,
    "/api/ps": Right.READ,
    "/api/show": Right.READ,
    "/api/version": Right.READ,
    "/api/status": Right.READ,
    "/api/outdated": Right.READ,
    "/api/me": Right.READ,
    "/api/experimental/model-recommendations": Right.READ,
    "/metrics": Right.READ,
    "/openapi.json": Right.READ,
    "/api/create": Right.MANAGE,
    "/api/copy": Right.MANAGE,
    "/api/delete": Right.MANAGE,
    "/api/blobs/{digest}": Right.MANAGE,
    "/api/pull": Right.MANAGE,
    "/api/verify": Right.MANAGE,
    "/api/signout": Right.MANAGE,
    "/api/user/keys/{key}": Right.MANAGE,
    "/api/push": Right.PUSH,
}
"""By the path of the route as the router knows it."""

# The router's own patterns: what they take for a route's path, be it with a line break behind it, needs its right.
_PATTERNS = [(compile_path(path)[0], right) for path, right in RIGHTS.items()]


def needed_right(path: str) -> Right | None:
    """The right for a request's path; None where no route has it, so that whoever has a key is told that."""
    right = RIGHTS.get(path)
    if right is None:
        right = next((right for pattern, right in _PATTERNS if pattern.match(path)), None)
    return right


def without_right(paths: Iterable[str | None]) -> list[str]:
    """Those of the app's routes that the table forgot."""
    return sorted(str(path) for path in set(paths) - RIGHTS.keys() - {HEARTBEAT})
