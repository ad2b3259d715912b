"""How the arena is started: flags, environment, settings file, and what stops the start (contract arena §1.1)."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from puna.arena.config import ArenaConfig, arena_config, named_endpoints
from puna.arena.request import Limits
from puna.cli import main
from puna.client import Endpoint, parse_host
from puna.environment import inherited
from puna.errors import BadRequest
from puna.settings import Settings
from tests.code.scripted import Scripted, upstream

SECRET = "hunter2hunter2"

SETTINGS: list[tuple[str, str, str, str, Any]] = [
    ("C2", "PORT", "WEB_PORT", "8000", {"port": 8000}),
    ("C2", "PORT", "WEB_PORT", "0", {"port": 0}),
    ("C3", "TOKEN", "WEB_CHAT_TOKEN", SECRET, {"token": SECRET}),
    ("C3", "TOKEN", "WEB_CHAT_TOKEN", "  ", {}),
    ("C5", "HISTORY_LIMIT", "HISTORY_LIMIT", "6", {"limits": Limits(messages=6)}),
    ("C6", "REQUEST_TIMEOUT", "REQUEST_TIMEOUT", "12.5", {"idle_s": 12.5}),
    ("C7", "MAX_CONCURRENT", "MAX_CONCURRENT_REQUESTS", "3", {"parallel": 3}),
    ("C7", "MAX_INSTANCES", "MAX_INSTANCES", "2", {"limits": Limits(instances=2)}),
    ("C8", "MAX_BODY_MB", "PUNA_ARENA_MAX_BODY_MB", "1", {"max_body": 1 << 20}),
    ("C8", "CORS_ORIGIN", "PUNA_ARENA_CORS_ORIGIN", "https://Lab.example, http://x:1",
     {"cors": frozenset({"https://lab.example", "http://x:1"})}),
]  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for _, _, web, _, _ in SETTINGS:
        monkeypatch.delenv(web, raising=False)
    monkeypatch.delenv("WEB_BIND", raising=False)


@pytest.mark.parametrize(("row", "name", "web", "text", "fields"), SETTINGS)
@pytest.mark.parametrize("where", ["PUNA_ARENA_", "document", "file"])
def test_C10_each_setting_may_stand_in_the_environment_and_in_the_file(
    home: Path, monkeypatch: pytest.MonkeyPatch, where: str, row: str, name: str, web: str, text: str, fields: Any
) -> None:
    if where == "file":
        (home / ".puna").mkdir()
        (home / ".puna/config.toml").write_text(f"[arena]\n{name.lower()} = '{text}'\n")
    else:
        monkeypatch.setenv(web if where == "document" else f"PUNA_ARENA_{name}", text)
    assert arena_config(Settings()) == ArenaConfig(**fields), row


def test_C1_the_address_is_this_machine_only() -> None:
    assert arena_config(Settings()) == ArenaConfig()
    assert (ArenaConfig().host, ArenaConfig().port, ArenaConfig().loopback) == ("127.0.0.1", 7860, True)


def test_C1_T19_other_machines_are_let_in_with_a_token_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_BIND", "0.0.0.0")
    with pytest.raises(BadRequest, match="set WEB_CHAT_TOKEN"):
        arena_config(Settings())
    assert not arena_config(Settings(), allow_open=True).loopback
    assert arena_config(Settings(), token=SECRET).token == SECRET


def test_C3_a_token_is_never_shown() -> None:
    assert SECRET not in repr(arena_config(Settings(), token=SECRET))


@pytest.mark.parametrize(
    ("variable", "text"),
    [("WEB_PORT", "65536"), ("WEB_PORT", "-1"), ("WEB_PORT", "http"), ("HISTORY_LIMIT", "0"), ("MAX_INSTANCES", "1.5"),
     ("REQUEST_TIMEOUT", "0"), ("REQUEST_TIMEOUT", "nan"), ("MAX_CONCURRENT_REQUESTS", "none"),
     ("PUNA_ARENA_MAX_BODY_MB", "x"), ("PUNA_ARENA_CORS_ORIGIN", "*"), ("WEB_BIND", "0.0.0.0")],
)  # fmt: skip
def test_C10_a_bad_value_stops_the_start_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, text: str
) -> None:
    monkeypatch.setenv(variable, text)
    assert main(["arena", "--no-embedded"]) == 2
    assert re.fullmatch(r"Error: .+\n", capsys.readouterr().err)


def test_C10_a_flag_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("WEB_PORT", "8000")
    assert main(["arena", "--no-embedded", "--port", "x"]) == 2
    assert '"x" is not a whole number from 0 to 65535' in capsys.readouterr().err


def test_C3_a_token_file_without_a_token_guards_nothing_and_is_refused(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "token").write_text(" \n")
    for name in ("token", "missing"):
        assert main(["arena", "--no-embedded", "--token-file", str(tmp_path / name)]) == 2
        assert str(tmp_path) not in capsys.readouterr().err


@pytest.mark.parametrize("text", ["http://x", "=http://x", "a b=http://x", "lab=", "lab=ftp://x", "lab=http://a b"])
def test_C4_an_endpoint_is_a_name_and_an_address(text: str, capsys: Any) -> None:
    assert main(["arena", "--endpoint", text]) == 2
    assert re.match("Error: (--endpoint|invalid host)", capsys.readouterr().err)


def test_C4_a_key_goes_to_its_own_server_only() -> None:
    default = Endpoint(api_key=SECRET)
    assert named_endpoints({}, default) == {"default": default}
    found = named_endpoints({"here": parse_host("http://127.0.0.1:11434"), "lab": parse_host("lab:1")}, default)
    assert list(found) == ["here", "lab"]
    assert (found["here"].api_key, found["lab"].api_key) == (SECRET, None)


@asynccontextmanager
async def command(*words: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "puna.cli", "arena", *words, stderr=asyncio.subprocess.PIPE, env=inherited()
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def address(log: asyncio.StreamReader) -> str:
    """What the command says that it listens at."""
    while line := await log.readline():
        if found := re.search(rb"arena at (http://127\.0\.0\.1:\d+) ", line):
            return found[1].decode()
    raise AssertionError("the command said no address")


async def test_K2_C2_the_command_serves_on_a_free_port_and_leaves_when_told(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{SECRET}\n")
    words = ("--port", "0", "--endpoint", "gone=http://127.0.0.1:1", "--token-file", str(tmp_path / "token"))
    async with command(*words) as process, asyncio.timeout(60), aiohttp.ClientSession() as session:
        assert process.stderr is not None
        url = await address(process.stderr)
        await until_it_answers(session, url)
        sent = {"Authorization": f"Bearer {SECRET}"}
        async with session.post(f"{url}/api/chat", json={"message": "hi", "model": "m"}, headers=sent) as reply:
            assert (reply.status, (await reply.json())["details"]) == (500, "Connection refused")
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            log = await process.stderr.read()
            assert await process.wait() == 0
    assert SECRET.encode() not in log


async def test_K2_open_streams_do_not_keep_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUNA_DATABASE", str(tmp_path / "puna.db"))
    monkeypatch.setenv("MAX_CONCURRENT_REQUESTS", "32")
    model = Scripted(script=["x", 0.05], endless=True)
    async with (
        asyncio.timeout(60),
        upstream(model) as (_, endpoint),
        command("--port", "0", "--endpoint", f"here={endpoint.url}") as process,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        assert process.stderr is not None
        url = await address(process.stderr)
        await until_it_answers(session, url)
        sessions = f"{url}/api/arena/sessions"
        async with session.post(sessions, json={}) as created:
            kept = (await created.json())["id"]
        turn = {"prompt": "?", "model_instances": [{"model": "m"}]}
        streams = [asyncio.create_task(read_all(session, f"{sessions}/{kept}/turns", turn))]
        question = {"message": "?", "model": "m"}
        streams += [asyncio.create_task(read_all(session, f"{url}/api/stream_chat", question)) for _ in range(31)]
        while model.running < 32:
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            log = await process.stderr.read()
            assert await process.wait() == 0
        while model.running:
            await asyncio.sleep(0.01)
        await asyncio.gather(*streams)
    assert b"Traceback" not in log


async def read_all(session: aiohttp.ClientSession, url: str, body: object) -> None:
    """To its end, however that comes."""
    with suppress(aiohttp.ClientError):
        async with session.post(url, json=body) as reply:
            await reply.read()


async def until_it_answers(session: aiohttp.ClientSession, url: str) -> None:
    while True:
        try:
            async with session.get(f"{url}/api/health") as reply:
                assert reply.status == 200
                return
        except aiohttp.ClientConnectorError:
            await asyncio.sleep(0.02)
