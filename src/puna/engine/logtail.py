"""The last lines of a runner's output, kept in memory: nothing on disk to bound, to clean up or to leak prompts."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque

log = logging.getLogger("puna.engine.runner")

MAX_LINES = 200
MAX_LINE = 1000  # characters
_READ = 16_384

_GPU_BUFFER = re.compile(r" (?!CPU|BLAS|\S*_Host )\S+ +(?:model|KV|RS|compute|output) buffer size = +([\d.]+) MiB")


class LogTail:
    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=MAX_LINES)
        self.size = 0  # bytes seen so far; it grows while a load makes progress
        self.gpu_bytes = 0  # buffers that the engine says it put on GPUs

    async def follow(self, stream: asyncio.StreamReader) -> None:
        """Read until the stream ends."""
        rest = b""
        while data := await stream.read(_READ):
            self.size += len(data)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._add(line)
            if len(rest) > MAX_LINE * 4:
                self._add(rest)
                rest = b""
        self._add(rest)

    def _add(self, raw: bytes) -> None:
        line = raw.decode("utf-8", "replace").strip()[:MAX_LINE]
        if not line:
            return
        self.lines.append(line)
        log.debug("%s", line)
        if buffer := _GPU_BUFFER.search(line):
            self.gpu_bytes += int(float(buffer[1]) * 2**20)
