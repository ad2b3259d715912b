"""Streams of JSON lines that no proxy holds back (contract arena S1)."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from puna.errors import PunaError
from puna.serving.streams import NdjsonResponse
from puna.serving.wire import line


def ndjson(lines: AsyncGenerator[bytes]) -> NdjsonResponse:
    """An error in the middle is a last line of its own."""
    response = NdjsonResponse(lines, _last_words)
    response.first_headers += [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
    return response


def _last_words(error: PunaError) -> bytes:
    return line({"error": error.message})
