"""How long Puna waits for a registry and how often it asks again. All of them are figures of policy, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """Times in seconds. `tries` and the pauses are for whoever repeats what ended in `Interrupted`."""

    connect_s: float = 15  # for one address
    stall_s: float = 5  # no byte of a blob for so long
    answer_s: float = 30  # from the last byte sent to the headers; a small body as a whole
    commit_s: float = 600  # a registry may hash a whole blob before it answers
    tries: int = 6
    first_pause_s: float = 1
    longest_pause_s: float = 32
    slow_window_s: float = 45
    slow_bytes: int = 4096  # fewer in the window, and the transfer is given up
