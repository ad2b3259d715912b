"""A blob to download in tests: its bytes, a plan of parts, and a registry that never fails."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

from puna.names import Digest
from puna.store import Part, Partial, Store

ROOT = Path(__file__).parents[2]
SIZE = 3 * 2**20 + 12_345  # four steps of the hashing
DATA = random.Random(3).randbytes(SIZE)
DIGEST = Digest(hashlib.sha256(DATA).hexdigest())


def cut(size: int = SIZE, count: int = 4) -> list[Part]:
    step = size // count
    ends = [step * number for number in range(count)] + [size]
    return [Part(number, ends[number], ends[number + 1] - ends[number]) for number in range(count)]


def fetch(partial: Partial, part: Part, count: int | None = None, *, piece: int = 100_000) -> None:
    """Write the next `count` bytes of a part, all that are missing by default."""
    end = part.stop if count is None else part.position + count
    while part.position < end:
        partial.write(part, DATA[part.position : min(part.position + piece, end)])


def fetch_rest(partial: Partial) -> int:
    """Fetch whatever is missing; tells how many bytes that were."""
    if not partial.parts:
        partial.plan(cut())
    missing = sum(part.size - part.completed for part in partial.parts)
    for part in partial.parts:
        fetch(partial, part)
    return missing


def data_file(store: Store) -> Path:
    return store.root / "blobs" / f"sha256-{DIGEST.hex}-partial"


def journal_file(store: Store, number: int) -> Path:
    return store.root / "blobs" / f"sha256-{DIGEST.hex}-partial-{number}"


def leave_half(store: Store) -> None:
    """An interrupted download: half of each part is there."""
    with store.partial(DIGEST, SIZE) as partial:
        partial.plan(cut())
        for part in partial.parts:
            fetch(partial, part, part.size // 2)


def child(code: str, store: Store) -> subprocess.Popen[bytes]:
    """A process of its own that runs `code` with the store's folder as its argument."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", code, str(store.root)], cwd=ROOT, **pipes)


def result_of(steps: Generator[int, None, bool]) -> tuple[list[int], bool]:
    """What a re-hashing yields, and what it returns."""
    yielded = []
    while True:
        try:
            yielded.append(next(steps))
        except StopIteration as end:
            return yielded, end.value


def change_in_silence(path: Path, at: int, byte: int) -> None:
    """Change one byte as a failing disk does: size, inode and time stay."""
    status = path.stat()
    with path.open("r+b", buffering=0) as file:
        os.pwrite(file.fileno(), bytes([byte]), at)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
