"""Addresses that a server must not call (threats T07), and a listener that would notice."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

TEMPLATES = (
    "http://127.0.0.1:{port}/x.png", "https://127.0.0.1:{port}/x.png", "HTTP://127.0.0.1:{port}/x.png",
    "file:///etc/passwd", "ftp://127.0.0.1:{port}/x", "gopher://127.0.0.1:{port}/x", "//127.0.0.1:{port}/x.png",
    "http:\\\\127.0.0.1:{port}\\x.png", "http://good.example@127.0.0.1:{port}/", "http://127.0.0.1:{port}#@good.example/",
    "http://127\uff0e0\uff0e0\uff0e1:{port}/", "http://2130706433:{port}/", "http://[::ffff:127.0.0.1]:{port}/",
    "\thttp://127.0.0.1:{port}/", "data:text/html,http://127.0.0.1:{port}/",
)  # fmt: skip


@contextmanager
def uncalled() -> Iterator[list[str]]:
    """The 15 addresses, leading to a listener of ours; nobody may have called it when the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield [template.format(port=listener.getsockname()[1]) for template in TEMPLATES]
        with pytest.raises(BlockingIOError):
            listener.accept()
