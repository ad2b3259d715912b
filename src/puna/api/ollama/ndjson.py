"""Native streams: lines of JSON, the last of which may be an error (contract ollama-http §1.4)."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from puna.api.errors import native_error
from puna.serving.streams import NdjsonResponse
from puna.serving.wire import line


def ndjson(lines: AsyncGenerator[bytes]) -> NdjsonResponse:
    """The response that sends what `lines` yields; an item may hold several lines."""
    return NdjsonResponse(lines, lambda error: line(native_error(error)))
