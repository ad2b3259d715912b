"""What is typed while no prompt is there waits, unseen, for the next one."""

from __future__ import annotations

import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_INPUT, _LOCAL = 0, 3  # indices of c_iflag and c_lflag in the list that termios gives


@contextmanager
def typeahead() -> Iterator[Callable[[], None]]:
    """Outside the line editor, keys are neither shown nor changed: Enter stays Enter, else it arrives as Ctrl-J.

    Ctrl-C and Ctrl-Z stay signals; Ctrl-C also drops what was typed, as in a shell. The value sets this mode again,
    which is of use after a Ctrl-Z: the shell to which it leads has a mode of its own.
    """
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    waiting = list(before)
    waiting[_INPUT] &= ~termios.ICRNL
    waiting[_LOCAL] &= ~(termios.ECHO | termios.ICANON)

    def wait() -> None:
        termios.tcsetattr(terminal, termios.TCSANOW, waiting)

    wait()
    try:
        yield wait
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)
