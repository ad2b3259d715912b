"""One line per request, as logfmt or as JSON: what it says, and that no caller can break it."""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from puna.serving.logs import Json, Logfmt
from tests.servers import Server

ASK = {"model": "M", "prompt": "a secret prompt", "stream": False, "options": {"num_predict": 3}}


def record(**fields: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "puna.requests", "levelname": "INFO", "msg": "request"})
    made.fields = fields
    return made


def requests(server: Server, path: str) -> list[Any]:
    """The lines about `path`; they are written when the answer has gone, so a caller may be faster."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        lines = [json.loads(line) for line in server.log.splitlines()]
        if found := [line for line in lines if line.get("path") == path]:
            return found
        time.sleep(0.02)
    raise AssertionError(f"no line about {path}:\n{server.log}")


def test_every_line_is_one_json_object_where_the_setting_says_so(server: Server, tmp_path: Path) -> None:
    with Server(server.models, tmp_path / "json", {"PUNA_LOG_FORMAT": "json"}) as running:
        final = running.post("/api/generate", ASK).json
        (line,) = requests(running, "/api/generate")
        assert line.items() >= {"level": "INFO", "logger": "puna.requests", "msg": "request", "method": "POST"}.items()
        assert line["status"] == 200
        assert (line["model"], line["reason"]) == ("M", "length")
        assert (line["prompt_tokens"], line["output_tokens"]) == (final["prompt_eval_count"], 3)
        assert line["ms"] >= line["load_ms"] > 0
        running.get("/nowhere")
        (line,) = requests(running, "/nowhere")
        assert (line["status"], "model" in line) == (404, False)
        assert "secret" not in running.log


def test_logfmt_is_the_default(server: Server) -> None:
    server.get("/log-fmt")
    deadline = time.monotonic() + 10
    while " msg=request method=GET path=/log-fmt status=404 ms=" not in server.log:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("formatter", [Logfmt(), Json()])
@pytest.mark.parametrize("text", ["a\nb", "\x1b[2J", "\x9b2J", "\u202egnp.exe", "\u2028", "\ud800", 'a" b="c'])
def test_T27_a_line_stays_a_line_and_a_terminal_is_left_alone(formatter: logging.Formatter, text: str) -> None:
    line = formatter.format(record(model=text))
    assert line.isascii()
    assert line.isprintable()
    if isinstance(formatter, Json):
        assert json.loads(line)["model"] == text
    else:
        assert line.endswith(f"msg=request model={json.dumps(text)}")


@pytest.mark.parametrize("formatter", [Logfmt(), Json()])
def test_T23_a_long_name_makes_no_long_line(formatter: logging.Formatter) -> None:
    assert len(formatter.format(record(model="x" * 1_000_000))) < 1_200


def test_errors_keep_their_trace_in_one_line() -> None:
    made = record(path="/x")
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        made.exc_info = sys.exc_info()
    for formatter in (Logfmt(), Json()):
        line = formatter.format(made)
        assert "\n" not in line
        assert "ValueError: first\\nsecond" in line


def test_an_unknown_format_is_warned_of(server: Server, tmp_path: Path) -> None:
    with Server(server.models, tmp_path / "xml", {"PUNA_LOG_FORMAT": "xml"}) as running:
        assert "setting log_format: 'xml' is not one of logfmt, json; using logfmt" in running.log
