"""Quantising with llama.cpp's own tool: Puna names the input and the type, the `llama-quantize` binary does the work.

The binary is a child with an argument list, a bounded environment and a file size limit (threats T11, T26, T27). Types
and texts follow contract ollama-store §4.2.
"""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from puna.environment import child_environment
from puna.errors import PunaError

SOURCES = ("F32", "F16", "BF16")
TARGETS = ("F32", "F16", "BF16", "Q4_K_S", "Q4_K_M", "Q8_0")

_ALIASES = {"Q4_K": "Q4_K_M"}
_STEP = re.compile(rb"\[ *([0-9]{1,6})/ *([0-9]{1,6})\]")  # `[  12/ 272] blk.1.attn_q.weight - …`
_POLL_S = 0.25  # how soon a caller that closes the iterator is noticed
_STALLED_S = 900.0  # one tensor takes seconds; a child that says nothing for so long hangs
_TAIL = 4096  # bytes of output kept for the error message
_GROWTH = 3  # F16 to F32 doubles a file; anything beyond this is a fault


def normalise_type(text: str) -> str:
    """The canonical name of a quantisation target. Raises `PunaError` (the reference answers 500)."""
    name = _ALIASES.get(text.upper(), text.upper())
    if name not in TARGETS:
        supported = "F32, F16, Q4_K_S, Q4_K_M, Q8_0"
        raise PunaError(f"unsupported quantization type {name} - supported types are {supported}")
    return name


def check_source(file_type: str) -> None:
    """Raises `PunaError` for weights that are quantised already."""
    if file_type not in SOURCES:
        raise PunaError("quantization is only supported for F16, BF16 and F32 models")


def check_available(binary: Path | None) -> Path:
    """The tool's path. Raises `PunaError` where the operator named none."""
    if binary is None:
        raise PunaError("quantization needs llama.cpp's llama-quantize: set PUNA_LLAMA_QUANTIZE to its path")
    return binary


def run_quantizer(binary: Path, source: Path, target: Path, file_type: str) -> Iterator[tuple[int, int]]:
    """Write `source` as `file_type` to `target`. Yields (done, total) bytes of `source`, at least four times a second.

    Closing the iterator kills the child. Raises `PunaError` when the tool cannot be started, fails or hangs.
    """
    size = source.stat().st_size
    try:
        child = subprocess.Popen(
            [binary, source, target, file_type],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=child_environment(),
            cwd=target.parent,
            start_new_session=True,
        )
    except OSError as error:
        raise PunaError(f"could not start the tool that PUNA_LLAMA_QUANTIZE names: {error.strerror}") from None
    with child:
        try:
            _limit(child.pid, size * _GROWTH + (64 << 20))
            tail = b""
            for tail in _output(child):
                yield size * _progress(tail) // 1000, size
            if child.wait() != 0:
                raise PunaError(f"quantization failed: {_last_line(tail)}")
            yield size, size
        finally:
            child.kill()  # does nothing to a child that has ended


def _output(child: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """The last bytes of the child's output, each time there are new ones and at every poll, until it ends."""
    assert child.stdout is not None
    tail, heard = b"", time.monotonic()
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            if selector.select(_POLL_S):
                data = os.read(child.stdout.fileno(), 1 << 16)
                if not data:
                    return
                tail, heard = (tail + data)[-_TAIL:], time.monotonic()
            elif time.monotonic() - heard > _STALLED_S:
                raise PunaError("quantization failed: the tool stopped answering")
            yield tail


def _progress(tail: bytes) -> int:
    """Thousandths of the tensors that were begun, by the last counter in the output."""
    steps = _STEP.findall(tail)
    if not steps:
        return 0
    step, steps_total = map(int, steps[-1])
    return min(1000, 1000 * (step - 1) // steps_total) if step and steps_total else 0


def _last_line(tail: bytes) -> str:
    """What the tool said last, printable and without the machine's paths (threats T03)."""
    lines = [line for line in tail.decode(errors="replace").splitlines() if line.strip()]
    text = re.sub(r"\S*/", "", lines[-1]) if lines else "the tool said nothing"
    return "".join(char for char in text if char.isprintable())[:200]


def _limit(pid: int, file_size: int) -> None:
    """No core dumps and no file beyond `file_size` bytes, where the system can limit a running process."""
    if sys.platform == "linux":
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            process.rlimit(psutil.RLIMIT_FSIZE, (file_size, file_size))
            process.rlimit(psutil.RLIMIT_CORE, (0, 0))
