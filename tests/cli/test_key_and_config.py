"""`puna key` and `puna config`, and the settings file behind every command."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from puna.client import Endpoint
from puna.settings import Settings
from tests.cli.conftest import Puna
from tests.client.fake_server import FakeServer


@pytest.fixture
def config(home: Path) -> Path:
    path = home / ".puna/config.toml"
    path.parent.mkdir()
    return path


def test_a_key_is_printed_once_and_alone_on_stdout(puna: Puna, home: Path) -> None:
    made = puna("key", "create", "laptop", "--right", "infer", "--right", "read")
    assert made.status == 0
    assert re.fullmatch(r"puna_[0-9a-f]{12}_[0-9a-f]{64}\n", made.out)
    assert made.err.splitlines() == [
        "laptop may infer, read. This is the only time that the key is shown.",
        "From now on the server wants a key from everyone, on this machine too: commands send PUNA_API_KEY.",
    ]
    assert made.out.strip() not in (home / ".puna/keys.json").read_text()
    assert len(puna("key", "create", "phone", "--right", "push").err.splitlines()) == 1


def test_keys_are_listed_and_revoked_without_a_server(puna: Puna) -> None:
    assert puna("key", "list").out.split() == ["ID", "NAME", "RIGHTS", "CREATED"]
    text = puna("key", "create", "my laptop", "--right=push", "--right=infer").out
    key_id = text.split("_")[1]
    line = puna("key", "list").out.splitlines()[1]
    assert re.fullmatch(rf"{key_id}    my laptop    infer, push    \d{{4}}-\d\d-\d\d \d\d:\d\d    ", line)
    assert puna("key", "revoke", key_id).out == f"revoked 'my laptop' ({key_id})\n"
    assert len(puna("key", "list").out.splitlines()) == 1


def test_a_setting_names_another_folder_for_keys(puna: Puna, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUNA_KEYS", "~/elsewhere")
    puna("key", "create", "laptop", "--right", "infer")
    assert [path.name for path in (home / "elsewhere").iterdir()] == ["keys.json"]
    assert not (home / ".puna").exists()
    assert Settings().keys == home / "elsewhere"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["create"], "accepts 1 arg(s), received 0"),
        (["create", "n"], "a key needs a right; there are infer, read, manage, push"),
        (["create", "n", "--right", "root"], "no such right: root; there are infer, read, manage, push"),
        (["create", "n", "--right"], "flag needs an argument: --right"),
        (["create", "\x1b[2J", "--right", "read"],
         "the name of a key has 1 to 64 letters, digits, blanks, or any of . _ @ + -"),
        (["revoke", "\x1b[2Jx"], 'there is no key with the id "[2Jx": `puna key list` shows them'),
        (["revoke"], "accepts 1 arg(s), received 0"),
        (["list", "x"], "accepts 0 arg(s), received 1"),
        (["lst"], 'unknown command "lst" for "puna key"\n\nDid you mean this?\n\tlist'),
        (["--nonsense"], "unknown flag: --nonsense"),
    ],
)  # fmt: skip
def test_a_wrong_key_command(puna: Puna, words: list[str], error: str) -> None:
    result = puna("key", *words)
    assert (result.status, result.out, result.err) == (1, "", f"Error: {error}\n")


@pytest.mark.parametrize("words", [["key"], ["key", "--help"], ["help", "key"]])
def test_key_alone_shows_its_commands(puna: Puna, words: list[str]) -> None:
    result = puna(*words)
    assert (result.status, result.err) == (0, "")
    commands = re.findall(r"^  (\w+)  ", result.out.partition("Commands:\n")[2], re.MULTILINE)
    assert commands == ["create", "list", "revoke"]
    assert "Environment Variables" not in result.out


def test_a_damaged_file_of_keys_is_one_line(puna: Puna, home: Path) -> None:
    (home / ".puna").mkdir()
    (home / ".puna/keys.json").write_text("{")
    for words in (["list"], ["create", "n", "--right", "read"], ["revoke", "0" * 12]):
        result = puna("key", *words)
        assert result.status == 1
        assert result.err == "Error: the file of API keys, keys.json, is damaged: it does not hold what Puna writes\n"


def shown(puna: Puna) -> dict[str, tuple[str, str]]:
    """Value and origin of every setting in `puna config show`."""
    header, *lines = puna("config", "show").out.splitlines()
    columns = [header.index(word) for word in ("SETTING", "VALUE", "FROM")]
    rows = [[line[a:b].strip() for a, b in zip(columns, [*columns[1:], None], strict=True)] for line in lines]
    return {name: (value, origin) for name, value, origin in rows}


def test_config_show_tells_where_each_value_comes_from(
    puna: Puna, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text('keep_alive = "10m"\nnum_parallel = 2\nhosts = ["a.example", "b.example"]\nnoprune = true\n')
    monkeypatch.setenv("PUNA_NUM_PARALLEL", "3")
    monkeypatch.setenv("OLLAMA_MAX_QUEUE", "7")
    rows = shown(puna)
    assert set(rows) == set(Settings.model_fields)
    assert rows["keep_alive"] == ("10m0s", "file")
    assert rows["num_parallel"] == ("3", "PUNA_NUM_PARALLEL")
    assert rows["max_queue"] == ("7", "OLLAMA_MAX_QUEUE")
    assert rows["hosts"] == ("a.example,b.example", "file")
    assert rows["noprune"] == ("true", "file")
    assert rows["load_timeout"] == ("5m0s", "default")
    assert rows["config"] == (str(config), "default")
    assert rows["llama_server"] == ("", "default")


def test_T22_config_show_hides_secrets(puna: Puna, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('api_key = "s3cret-in-the-file"\n')
    result = puna("config", "show")
    assert "s3cret" not in result.out + result.err
    assert shown(puna)["api_key"] == ("(hidden)", "file")
    monkeypatch.setenv("PUNA_API_KEY", "s3cret-in-the-environment")
    assert "s3cret" not in puna("config", "show").out
    assert shown(puna)["api_key"] == ("(hidden)", "PUNA_API_KEY")


def test_config_show_sends_no_control_codes_to_the_terminal(puna: Puna, config: Path) -> None:
    config.write_text('hosts = "\\u001b[2Jx"\n')
    assert shown(puna)["hosts"] == ("[2Jx", "file")


def test_commands_find_host_and_key_in_the_file(
    puna: Puna, server: FakeServer, endpoint: Endpoint, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = "from-the-file"
    config.write_text(f'host = "{endpoint.url}"\napi_key = "from-the-file"\n')
    assert puna("list").status == 0
    monkeypatch.setenv("PUNA_API_KEY", "from-the-environment")
    assert puna("list").err == "Error: unauthorized\n"


def test_another_file_can_be_named(puna: Puna, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.toml").write_text("max_queue = 9\n")
    monkeypatch.setenv("PUNA_CONFIG", str(tmp_path / "other.toml"))
    assert shown(puna)["max_queue"] == ("9", "file")
    assert shown(puna)["config"] == (str(tmp_path / "other.toml"), "PUNA_CONFIG")
    monkeypatch.setenv("PUNA_CONFIG", "/dev/null")
    assert shown(puna)["max_queue"] == ("512", "default")
    monkeypatch.setenv("PUNA_CONFIG", str(tmp_path / "missing.toml"))
    assert puna("list").err == "Error: the settings file that PUNA_CONFIG names is not there\n"


@pytest.mark.parametrize("words", [["list"], ["config", "show"], ["serve"], ["key", "list"], ["ps"], ["--version"]])
def test_a_damaged_settings_file_stops_every_command_with_one_line(puna: Puna, config: Path, words: list[str]) -> None:
    config.write_text('host = "127.0.0.1:1\napi_key = 3')
    result = puna(*words)
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("Error: the settings file is not TOML: ")
    assert result.err.endswith("(at line 1, column 20)\n")


def test_T22_of_a_key_only_the_digest_is_kept(puna: Puna, home: Path) -> None:
    puna("key", "create", "laptop", "--right", "infer")
    (row,) = json.loads((home / ".puna/keys.json").read_text())["keys"]
    assert list(row) == ["id", "name", "rights", "created", "sha256"]


def test_the_settings_file_is_read_without_pydantic(home: Path, config: Path) -> None:
    config.write_text('host = "127.0.0.1:7"\n')
    script = (
        "import sys\nfrom puna import environment\nprint(environment.knob('HOST'))\n"
        "print(sorted({'pydantic', 'typer', 'asyncio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "127.0.0.1:7\n[]\n"
