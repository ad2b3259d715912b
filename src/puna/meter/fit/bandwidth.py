"""How fast this machine reads memory: what decoding waits for.

The C library's `memchr` looks through a buffer that is larger than the last cache for a byte that is not there, in as
many threads as the engine computes in. It only reads, as decoding does, it is vectorised, and ctypes lets go of the
interpreter's lock meanwhile. A copy would count writes, which decoding hardly has.
"""

from __future__ import annotations

import ctypes
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import psutil

REPEATS = 9
SMALLEST, LARGEST = 128 << 20, 1 << 30  # bytes of the buffer
_CACHES = 4  # times the last cache, so that next to nothing of the buffer is in it when its turn comes again
_SHARE = 8  # of free memory is the most that the buffer takes
_THERE, _ABSENT = 1, 2


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """Bytes per second: the median of the passes, and the slowest and the fastest."""

    median: float
    slowest: float
    fastest: float
    threads: int


def measure(free: int, *, threads: int = 0, repeats: int = REPEATS) -> Bandwidth:
    """A few hundred milliseconds of these threads; 0 = as many as the engine takes by itself.

    `free`: bytes of memory that may be used, in part.
    """
    threads = threads or compute_threads()
    size = min(max(SMALLEST, _CACHES * last_cache()), LARGEST, max(free // _SHARE, 1 << 20))
    library = ctypes.CDLL(None)
    library.memchr.restype = ctypes.c_void_p
    library.memchr.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
    buffer = (ctypes.c_char * size)()
    start, part = ctypes.addressof(buffer), size // threads
    ctypes.memset(start, _THERE, size)  # pages that nobody wrote to are all the same one

    def read(number: int) -> None:
        library.memchr(start + number * part, _ABSENT, part)

    rates = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(repeats + 1):
            began = perf_counter()
            list(pool.map(read, range(threads)))
            rates.append(threads * part / (perf_counter() - began))
    rates = rates[1:]  # the threads started in the first one
    return Bandwidth(median(rates), min(rates), max(rates), threads)


def compute_threads() -> int:
    """As many as the engine takes by itself: one for each physical core that this process may run on."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(psutil.cpu_count(logical=False) or allowed, allowed))


def last_cache(folder: Path = Path("/sys/devices/system/cpu/cpu0/cache")) -> int:
    """Bytes of the largest cache; 0 where the system does not say."""
    sizes = [0]
    for file in folder.glob("index*/size"):
        text = file.read_text(encoding="ascii", errors="replace").strip()
        number, unit = text[:-1], text[-1:]
        if number.isdecimal() and unit in _UNITS:
            sizes.append(int(number) * _UNITS[unit])
    return max(sizes)


_UNITS = {"K": 1 << 10, "M": 1 << 20}
