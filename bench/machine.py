"""What a reader must know to judge the numbers: the machine, the versions, how busy it was."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

import psutil

PACKAGES = ("puna", "xllamacpp", "aiohttp", "uvicorn", "uvloop", "fastapi", "orjson")


def facts() -> dict[str, object]:
    return {
        "cpu": _cpu_name(),
        "cores": psutil.cpu_count(logical=False),
        "threads": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / (1 << 30), 1),
        "system": f"{platform.system()} {platform.machine()}",
        "gpu": "not used",
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }


class Quiet:
    """Tells how much others disturbed a run. Make it before the run, ask it when every child has ended."""

    def __init__(self) -> None:
        self.load_average = round(os.getloadavg()[0], 2)  # of the last minute; a quiet machine is below 0.4
        self._began = time.monotonic()
        self._busy_s = _busy_s() - _own_s()

    def disturbance(self) -> float:
        """The share of all cores' time that other processes took, 0 to 1."""
        elapsed = (time.monotonic() - self._began) * (psutil.cpu_count() or 1)
        return round(max(0.0, (_busy_s() - _own_s() - self._busy_s) / elapsed), 4)


def _busy_s() -> float:
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0)


def _own_s() -> float:
    """CPU seconds of this process and of its children that have ended, with theirs."""
    return sum(os.times()[:4])


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
