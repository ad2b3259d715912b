"""What a reader must know to judge the numbers: the machine, the versions, how busy it was."""

from __future__ import annotations

import os
import platform
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


def load_average() -> float:
    """Processes that wanted to run, averaged over the last minute. A quiet machine is below 0.4."""
    return round(os.getloadavg()[0], 2)


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
