"""What the operator sets for `puna code`: the environment, `[code]` and its tables in the settings file (§1.5, §1.6)."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from puna import environment
from puna.client import Endpoint
from puna.code.config import WireConfig, wire_config
from puna.code.face import address, configured, face
from puna.code.types import CodeConfig
from puna.errors import BadRequest, PunaError
from puna.settings import Settings


@pytest.fixture
def file(home: Path) -> Path:
    path = home / ".puna/config.toml"
    path.parent.mkdir()
    return path


def test_the_defaults_are_the_contracts() -> None:
    assert configured(Settings()) == CodeConfig()
    assert wire_config(Settings()) == WireConfig()
    assert (address(Settings()).host, address(Settings()).port) == ("127.0.0.1", 8080)


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("MODEL", "m:1b", "model", "m:1b"),
        ("TEMPLATE", "{code_prefix}", "template", "{code_prefix}"),
        ("TEMPLATE_STRICT", "false", "template_strict", False),
        ("MODE", "Line", "mode", "line"),
        ("WINDOW", "4096", "window", 4096),
        ("MAX_LINES", "3", "max_lines", 3),
        ("TRIM", "off", "trim", False),
        ("RULES_OFF", "z5, Z7", "rules_off", frozenset({"Z5", "Z7"})),
        ("EMULATION", "off", "emulation", False),
        ("SUPERSEDE", "off", "supersede", False),
        ("STRICT_MODELS", "on", "strict_models", True),
        ("PARALLEL", "0", "parallel", 1),
        ("QUEUE", "3", "queue", 3),
        ("QUEUE_MS", "500", "queue_s", 0.5),
        ("DEADLINE_MS", "9000", "deadline_s", 9.0),
    ],
)
@pytest.mark.parametrize("where", ["environment", "flat", "table"])
def test_each_setting_may_stand_in_three_places(
    file: Path, monkeypatch: pytest.MonkeyPatch, where: str, variable: str, text: str, field: str, value: Any
) -> None:
    if where == "environment":
        monkeypatch.setenv(f"PUNA_CODE_{variable}", text)
    elif where == "flat":
        file.write_text(f"code_{variable.lower()} = '{text}'\n")
    else:
        file.write_text(f"[code]\n{variable.lower()} = '{text}'\n")
    assert getattr(configured(Settings()), field) == value


def test_templates_and_families_stand_in_tables(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.write_text(
        """
        [code]
        window = 100
        [code.models."qwen2.5-coder:1.5b"]
        fim = "qwen"
        template = " {code_prefix}\\n"
        [code.families.starcoder]
        template = "S{code_prefix}"
        [code.languages.python]
        template = "P{code_prefix}"
        """
    )
    config = configured(Settings())
    assert config.window == 100
    assert config.families == {"qwen2.5-coder:1.5b": "qwen"}
    assert config.templates == {
        "qwen2.5-coder:1.5b": " {code_prefix}\n",
        "starcoder": "S{code_prefix}",
        "python": "P{code_prefix}",
    }
    assert environment.knob("CODE_WINDOW") == "100"
    assert not caplog.records


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[code.model."m"]\nfim = "off"', r"\[code.model\]"),
        ('[code.models."m"]\nfin = "off"', "fin is no key"),
        ('[code.models."m"]\nfim = 7', "write a table of texts"),
        ('[code.languages]\npython = "x"', "write a table of texts"),
        ('[code]\nmode = "fast"', 'code_mode: "fast" is not one of auto, line, block, raw'),
    ],
)
def test_tables_that_make_no_sense_are_refused(file: Path, text: str, words: str) -> None:
    file.write_text(text)
    with pytest.raises(BadRequest, match=words):
        configured(Settings())


def test_an_unknown_dialect_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUNA_CODE_DIALECT", "openai")
    with pytest.raises(BadRequest, match="code_dialect"):
        wire_config(Settings())


def test_a_misspelt_setting_in_the_table_is_told(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.write_text("[code]\nwidnow = 7\n")
    with caplog.at_level(logging.WARNING):
        Settings()
    assert "code_widnow (did you mean code_window?)" in caplog.text


@pytest.mark.parametrize("host", ["0.0.0.0:0", "[::]:0"])
def test_H8_an_address_that_others_reach_needs_a_key(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("PUNA_CODE_HOST", host)
    with pytest.raises(PunaError, match=r"can be reached from other machines.*may use your models"):
        face(Settings(), Endpoint())
    monkeypatch.setenv("PUNA_API_KEY", "secret")
    face(Settings(), Endpoint()).listener.socket.close()


@pytest.mark.parametrize(("text", "port"), [("127.0.0.1", 8080), ("localhost:9", 9), (":7", 7)])
def test_H8_the_port_is_8080_where_none_is_given(monkeypatch: pytest.MonkeyPatch, text: str, port: int) -> None:
    monkeypatch.setenv("PUNA_CODE_HOST", text)
    assert address(Settings()).port == port
