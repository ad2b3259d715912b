"""`puna meter` with a person in front of it: the menu, the table that grows, Ctrl-C (contract meter §4, §7, C6, C9)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.terminals import ESCAPES, typing
from tests.meter.command import serving
from tests.meter.synthetic import Script, Synthetic
from tests.servers import NO_NETWORK

QUICK = Script(ttft_s=0.002, gap_s=0.001, tokens=3)
WORDS = ["meter", "--local", "--ttft", "--tps", "--runs", "1"]


@pytest.fixture
def environment(home: Path) -> Iterator[dict[str, str]]:
    models = {"first": QUICK, "a[bold]b": Script(ttft_s=0.6, tokens=2), "endless": Script(trick="endless", gap_s=0.05)}
    with serving(Synthetic(models), Synthetic({"far": QUICK})) as (local, cloud):
        yield {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "OLLAMA_HOST": local,
            "OLLAMA_CLOUD_BASE_URL": cloud,
            "HTTPS_PROXY": NO_NETWORK,
        }


def test_the_menu(environment: dict[str, str]) -> None:
    with typing(["meter"], environment) as (terminal, child):
        menu = terminal.wait_for("Cancel")
        assert "Which Ollama models would you like to list?" in menu
        assert [line.strip() for line in menu.splitlines() if "→" in line] == ["→ Both"]
        terminal.type("\x1b[B\x1b[B\r")  # down, down, enter
        text = terminal.rest()
        assert child.wait(20) == 0
    assert "Ollama Cloud Available Models" in text
    assert "Ollama Local Models" not in text


def test_the_menu_can_be_left(environment: dict[str, str]) -> None:
    with typing(["meter"], environment) as (terminal, child):
        terminal.wait_for("Cancel")
        terminal.type("\x1b[B" * 3 + "\r")
        terminal.wait_for("Canceled.")
        assert child.wait(20) == 0
    with typing(["meter"], environment) as (terminal, child):
        terminal.wait_for("Cancel")
        terminal.type("\x03")
        terminal.wait_for("Interrupted.")
        assert child.wait(20) == 130


def test_the_table_grows_and_ends_without_a_spinner(environment: dict[str, str]) -> None:
    with typing([*WORDS, "--model", "first", "a[bold]b", "--verbose"], environment) as (terminal, child):
        raw = terminal.rest()
        assert child.wait(20) == 0
    text = ESCAPES.sub("", raw).replace("\r", "")
    assert "Benchmarking 0/2 model(s)…" in text
    last = text[text.rindex("Ollama Local Models") :]
    assert "a[bold]b" in last
    assert "TPS1" in last
    assert "Benchmarking" not in last
    assert "Completed" not in last
    assert "\x1b[3" in raw[raw.rindex("Ollama Local Models") :]  # in colours


def test_C9_what_was_measured_before_Ctrl_C_is_kept(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    with typing([*WORDS, "--json", str(file), "--no-warm-up"], environment) as (terminal, child):
        terminal.wait_for("Benchmarking 2/3 model(s)…")
        terminal.type("\x03")
        terminal.wait_for("Interrupted.")
        assert child.wait(20) == 130
    assert [row["model"] for row in json.loads(file.read_text())] == ["first", "a[bold]b"]
    with typing(["meter", "--history"], environment) as (terminal, child):
        text = terminal.rest()
    assert text.count("│ first") == 1
    assert "endless" not in text
