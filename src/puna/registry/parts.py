"""How a blob is cut for the journey (contract ollama-store §3.3, §3.5). Pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from puna.store import Part

PARALLEL = 16  # parts of one blob on their way at the same time, and the number aimed for
SMALLEST = 100 * 10**6  # bytes
LARGEST = 1000 * 10**6


def cut(size: int) -> list[Part]:
    """Parts that tile `[0, size)`: as many as `PARALLEL` where their size allows it, the last one with the rest."""
    step = min(max(size // PARALLEL, SMALLEST), LARGEST)
    return [Part(number, offset, min(step, size - offset)) for number, offset in enumerate(range(0, size, step))]


def whole(size: int) -> list[Part]:
    """One part, for a registry that sends blobs only in one piece."""
    return [Part(0, 0, size)]


def etag(md5s: Iterable[bytes]) -> str:
    """What a multipart upload is called when it is complete: MD5 over the parts' raw MD5s, then their number (§3.5)."""
    md5s = list(md5s)
    return f"{hashlib.md5(b''.join(md5s), usedforsecurity=False).hexdigest()}-{len(md5s)}"
