"""Bars in a real terminal: a pull behind a pty, at the sizes that people have."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest

from puna.cli.terminal import cells
from puna.client import Endpoint
from tests.cli.terminals import ESCAPES, typing
from tests.client.fake_server import FakeServer

LAYERS = 30
_REDRAW = re.compile(r"\r\x1b\[2K")  # how every frame but the first begins
_PERCENT = re.compile(r"([0-9a-f]{12}):? +(\d+)%")


def digest(number: int) -> str:
    return f"{number:02x}" * 32


def pulling() -> list[dict[str, Any]]:
    """The lines of a pull of many layers, each with a part that has to be fetched once more."""
    lines: list[dict[str, Any]] = [{"status": "pulling manifest"}]
    for number in range(LAYERS):
        name, total = digest(number), 10**6 * (number + 1)
        for share in (0, 20, 60, 40, 80, 100):
            line = {"status": f"pulling {name[:12]}", "digest": f"sha256:{name}", "total": total}
            lines.append(line | ({"completed": total * share // 100} if share else {}))
    return [*lines, {"status": "success"}]


@pytest.mark.parametrize(("columns", "rows"), [(40, 24), (80, 24), (200, 50)])
def test_bars_fit_the_terminal_and_never_run_backwards(
    endpoint: Endpoint, server: FakeServer, columns: int, rows: int
) -> None:
    server.registry["far"] = pulling()
    server.step_s = 0.004
    environment = {**os.environ, "OLLAMA_HOST": endpoint.url}
    with typing(["pull", "far"], environment, columns=columns, rows=rows) as (terminal, child):
        frames = _REDRAW.split(terminal.rest())
        assert child.wait(10) == 0
    percents: dict[str, int] = {}
    for frame in frames:
        lines = ESCAPES.sub("", frame).replace("\r", "").strip("\n").split("\n")
        assert len(lines) < rows or frame is frames[-1]
        assert max(map(cells, lines)) <= columns
        for name, percent in _PERCENT.findall("\n".join(lines)):
            assert int(percent) >= percents.get(name, 0)
            percents[name] = int(percent)
    assert len(frames) > 5
    assert percents == {digest(number)[:12]: 100 for number in range(LAYERS)}
    last = ESCAPES.sub("", frames[-1]).replace("\r", "").splitlines()
    assert last[0] == "pulling manifest"  # all of it can be scrolled back to
    assert len([line for line in last if " 100% ▕" in line]) == LAYERS
    assert last[-1] == "success"


def test_ctrl_c_leaves_a_clean_screen_and_says_that_the_pull_can_go_on(endpoint: Endpoint, server: FakeServer) -> None:
    server.registry["far"] = [*pulling()[1:3], {}]
    server.endless = True
    environment = {**os.environ, "OLLAMA_HOST": endpoint.url}
    with typing(["pull", "far"], environment, columns=80, rows=24) as (terminal, child):
        terminal.wait_for(" 20% ▕")
        terminal.type("\x03")
        rest = terminal.rest()
        assert child.wait(10) == 130
    assert rest.endswith("interrupted: run it again, and the pull goes on where it stopped\r\n")
    assert "\x1b[?25h" in rest  # the cursor is back


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(endpoint: Endpoint, server: FakeServer) -> None:
    server.registry["far"] = pulling()[-3:]
    environment = {**os.environ, "OLLAMA_HOST": endpoint.url, "TTY_INTERACTIVE": "0"}
    with typing(["pull", "far"], environment) as (terminal, _):
        text = terminal.rest()
    assert text == "pulling 1d1d1d1d1d1d: 80% of 30 MB\r\npulling 1d1d1d1d1d1d: 100% of 30 MB\r\nsuccess\r\n"


def test_verify_leaves_only_its_summary(endpoint: Endpoint, server: FakeServer) -> None:
    name = digest(7)
    server.steps = [{"status": f"verifying {name[:12]}", "digest": name, "total": 10, "completed": 10}] * 30
    server.steps += [{"status": "success"}]
    server.step_s = 0.01
    with typing(["verify"], {**os.environ, "OLLAMA_HOST": endpoint.url}, columns=80, rows=24) as (terminal, child):
        text = terminal.rest()
        assert child.wait(10) == 0
    assert "100% ▕" in text
    assert text.endswith("\x1b[2K1 blob of 1 model is good\r\n")
