"""How much memory is free here: the system's, within this process's cgroup, and the GPUs'."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping
from pathlib import Path

import orjson
import psutil

from puna.engine import child
from puna.engine.types import GpuMemory, Memory

log = logging.getLogger(__name__)

_PROBE_SECONDS = 30


def system_memory(root: Path = Path("/")) -> Memory:
    """Free and total bytes for processes of this one. `root` is where `proc` and `sys` are."""
    system = psutil.virtual_memory()
    limit, used = _cgroup(root)
    if limit is None or limit >= system.total:
        return Memory(system.available, system.total)
    return Memory(max(0, min(system.available, limit - used)), limit)


async def gpus(environment: Mapping[str, str]) -> tuple[GpuMemory, ...]:
    """The engine's GPUs, asked in a child process: a driver's context must not live in the server.

    Empty when there is none or when the child fails.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", child.__file__, "--devices",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env=dict(environment),
    )  # fmt: skip
    try:
        output, _ = await asyncio.wait_for(process.communicate(), _PROBE_SECONDS)
    except (TimeoutError, asyncio.CancelledError) as error:
        process.kill()
        await process.wait()
        if isinstance(error, asyncio.CancelledError):
            raise
        log.warning("the engine did not say within %d s which GPUs there are; going on without", _PROBE_SECONDS)
        return ()
    lines = output.splitlines()
    return tuple(GpuMemory(**device) for device in orjson.loads(lines[-1])) if lines and not process.returncode else ()


def _cgroup(root: Path) -> tuple[int | None, int]:
    """Limit and use of this process's own cgroup (v2, then v1); limit None = no limit. Cached files count as free."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            names, folder = ("memory.max", "memory.current"), root / "sys/fs/cgroup"
        elif "memory" in controllers.split(","):
            names, folder = ("memory.limit_in_bytes", "memory.usage_in_bytes"), root / "sys/fs/cgroup/memory"
        else:
            continue
        for place in (folder / path.lstrip("/"), folder):  # in a container the second is the process's own
            limit, used = (_text(place / name) for name in names)
            if limit.isdigit() and used.isdigit():
                return int(limit), max(0, int(used) - _inactive_file(place))
    return None, 0


def _inactive_file(folder: Path) -> int:
    for line in _text(folder / "memory.stat").splitlines():
        name, _, value = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file") and value.isdigit():
            return int(value)
    return 0


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
