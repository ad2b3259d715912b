"""API keys at the door: who may do what, on every route and in every form of a key (threats T10, T19, T22)."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest
from fastapi import FastAPI

from puna.api.app import build_app
from puna.api.rights import RIGHTS, needed_right, without_right
from puna.api.state import Runtime
from puna.engine import Engine
from puna.keys import EVERY_RIGHT, KeyFile, Keyring, Right
from puna.modelfile import CreateRequest, create_model
from puna.names import ModelName
from puna.serving.origins import Hosts, Origins
from puna.settings import Settings
from puna.store import Store
from tests.api.inprocess import FakeRegistry, post, serving
from tests.servers import Answer, Server, free_port

OWN = "the-key-of-the-settings"
LACKS = b"lacks the right"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyFile:
    return KeyFile(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def texts(keys: KeyFile) -> Mapping[Right, str]:
    """For each right a key that has this one only."""
    return {right: keys.create(f"only {right}", [right])[1] for right in Right}


@pytest.fixture(scope="module")
def locked(keys: KeyFile, texts: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("locked")
    settings = {"PUNA_KEYS": str(keys.folder), "PUNA_API_KEY": OWN, "PUNA_EMBEDDED_MODEL": "0"}
    with Server(folder / "models", folder / "home", settings) as running:
        yield running


def routes(server: Server) -> list[tuple[str, str, str]]:
    """Method, path to ask for, and template of every route that the running server has."""
    page = server.get("/openapi.json", Authorization=f"Bearer {OWN}").json["paths"]
    found = [(method.upper(), path) for path, methods in page.items() for method in methods]
    found += [("GET", "/openapi.json"), ("HEAD", "/api/tags"), ("OPTIONS", "/api/tags")]
    values = {"{digest}": f"sha256:{'0' * 64}", "{key}": "k", "{model}": "m"}
    asked = []
    for method, path in found:
        filled = path
        for name, value in values.items():
            filled = filled.replace(name, value)
        asked.append((method, filled, path))
    return asked


def test_T19_every_route_of_a_running_server_wants_a_key(locked: Server) -> None:
    asked = routes(locked)
    assert len(asked) > 25
    for method, path, template in asked:
        if template == "/" or method == "OPTIONS":  # the heartbeat, and a question that no route answers
            continue
        answer = locked.request(method, path, b"")
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer"), (method, path)
    assert locked.get("/").body == b"Ollama is running"
    assert locked.get("/nowhere").status == 401
    assert locked.get("/nowhere", Authorization=f"Bearer {OWN}").status == 404


def test_T22_each_route_wants_its_one_right(locked: Server, texts: Mapping[Right, str]) -> None:
    """A key with one right gets past the door of exactly the routes that need this right."""
    for method, path, template in routes(locked):
        if template == "/" or method == "OPTIONS":
            continue
        for right, text in texts.items():
            answer = locked.request(method, path, b"{}", headers={"x-api-key": text})
            refused = answer.status == 403 and (LACKS in answer.body or method == "HEAD")
            assert refused == (needed_right(path) is not right), (method, path, right, answer.status)
            assert refused or LACKS not in answer.body


def test_T19_the_app_does_not_start_with_a_route_that_nobody_thought_of() -> None:
    assert without_right([*RIGHTS, "/"]) == []
    assert without_right(["/api/tags", "/api/new"]) == ["/api/new"]
    assert all(needed_right(path) is right for path, right in RIGHTS.items())


def forms(text: str) -> list[dict[str, str]]:
    return [
        {"Authorization": f"Bearer {text}"},
        {"authorization": f"bearer  {text} "},
        {"x-api-key": text},
        {"X-API-KEY": text, "Authorization": f"BEARER {text}"},
    ]


ASKED = {
    Right.INFER: ("/api/generate", b'{"model": "nope"}', 404),
    Right.READ: ("/api/show", b'{"model": "nope"}', 404),
    Right.MANAGE: ("/api/copy", b'{"source": "nope", "destination": "x"}', 404),
    Right.PUSH: ("/api/push", b"{}", 400),
}


@pytest.mark.parametrize("right", ASKED)
def test_T22_every_form_of_a_key_is_judged_alike(locked: Server, texts: Mapping[Right, str], right: Right) -> None:
    path, body, status = ASKED[right]
    for holder, text in [*texts.items(), (right, OWN)]:
        answers = [locked.request("POST", path, body, headers=form) for form in forms(text)]
        assert len({answer.body for answer in answers}) == 1
        assert {answer.status for answer in answers} == {status if holder is right else 403}
    answers = [locked.request("POST", path, body, headers=form) for form in forms(texts[right][:-1] + "x")]
    assert {answer.status for answer in answers} == {401}


@pytest.mark.parametrize("scheme", ["Basic", "Token", "", "Bearer"])
def test_T22_nothing_else_is_a_key(locked: Server, texts: Mapping[Right, str], scheme: str) -> None:
    text = "" if scheme == "Bearer" else texts[Right.READ]
    assert locked.get("/api/tags", Authorization=f"{scheme} {text}".strip()).status == 401
    assert locked.get(f"/api/tags?api_key={text}&key={text}", Cookie=f"key={text}").status == 401


def raw(server: Server, head: str) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(f"{head}Host: localhost\r\nConnection: close\r\n\r\n".encode())
        return connection.recv(500).split(b"\r\n")[0]


def test_T22_two_different_keys_in_one_request_are_refused(locked: Server, texts: Mapping[Right, str]) -> None:
    one, other = texts[Right.READ], texts[Right.INFER]
    for left, right in ((one, other), (other, one), (one, OWN), (one, "wrong")):
        answer = locked.get("/api/tags", **{"Authorization": f"Bearer {left}", "x-api-key": right})
        assert (answer.status, answer.json) == (400, {"error": "two different keys in one request"})
        for name in ("Authorization: Bearer ", "x-api-key: "):
            assert b" 400 " in raw(locked, f"GET /api/tags HTTP/1.1\r\n{name}{left}\r\n{name}{right}\r\n")
    assert b" 200 " in raw(locked, f"GET /api/tags HTTP/1.1\r\nx-api-key: {one}\r\nx-api-key: {one}\r\n")


@pytest.mark.parametrize("path", ["/api/push%0a", "/api/push%0A?x=1", "/api/%70ush", "/api/blobs/x%0A"])
def test_T22_another_spelling_of_a_path_needs_the_same_right(
    locked: Server, texts: Mapping[Right, str], path: str
) -> None:
    answer = locked.request("POST", path, b"{}", headers={"x-api-key": texts[Right.INFER]})
    assert (answer.status, LACKS in answer.body) == (403, True)


@pytest.mark.parametrize("path", ["/api/push/", "//api/push", "/API/PUSH", "/api/push/..", "/api/./push"])
def test_T22_a_path_that_is_no_route_leads_nowhere(locked: Server, texts: Mapping[Right, str], path: str) -> None:
    answer = locked.request("POST", path, b"{}", headers={"x-api-key": texts[Right.INFER]})
    assert answer.status in (307, 404)


def test_T19_refusals_come_in_the_dialects_own_form(locked: Server, texts: Mapping[Right, str]) -> None:
    reader = {"x-api-key": texts[Right.READ]}
    for headers, status, anthropic in (({}, 401, "authentication_error"), (reader, 403, "permission_error")):
        native, openai, claude = (
            locked.request("POST", path, b"{}", headers=headers)
            for path in ("/api/chat", "/v1/chat/completions", "/v1/messages")
        )
        assert [native.status, openai.status, claude.status] == [status] * 3
        assert isinstance(native.json["error"], str)
        assert isinstance(openai.json["error"]["message"], str)
        assert claude.json["error"]["type"] == anthropic


def test_T22_keys_come_and_go_without_a_restart(locked: Server, keys: KeyFile) -> None:
    key, text = keys.create("short-lived", [Right.READ])
    assert locked.get("/api/tags", Authorization=f"Bearer {text}").status == 200
    keys.revoke(key.id)
    assert locked.get("/api/tags", Authorization=f"Bearer {text}").status == 401


def test_T22_the_log_names_the_caller_and_never_the_key(locked: Server, texts: Mapping[Right, str]) -> None:
    text = texts[Right.READ]
    for path in ("/api/tags", "/api/delete"):
        locked.get(path, Authorization=f"Bearer {text}")
    lines = [line for line in locked.log.splitlines() if 'caller="only read"' in line]
    assert any("path=/api/tags status=200" in line for line in lines)
    assert any("path=/api/delete status=403" in line for line in lines)
    assert OWN not in locked.log
    assert [text for text in texts.values() if text.rpartition("_")[2] in locked.log] == []


def test_T19_an_open_server_is_locked_by_its_first_key_and_stays_so(
    keys: KeyFile, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("open")
    file = KeyFile(folder / "home/.puna")  # where it is without a setting
    with Server(folder / "models", folder / "home", {"PUNA_EMBEDDED_MODEL": "0"}) as running:
        assert running.get("/api/tags", Authorization="Bearer whatever").status == 200
        key, text = file.create("first", [Right.READ])
        assert running.get("/api/tags").status == 401
        assert running.get("/api/tags", Authorization=f"Bearer {text}").status == 200
        file.revoke(key.id)
        assert running.get("/api/tags", Authorization=f"Bearer {text}").status == 401
        assert running.get("/api/tags").status == 401


def test_T19_a_created_key_is_enough_to_listen_beyond_loopback(
    keys: KeyFile, texts: Mapping[Right, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, port = tmp_path_factory.mktemp("public"), free_port()
    settings = {"PUNA_KEYS": str(keys.folder), "PUNA_HOST": f"0.0.0.0:{port}", "PUNA_EMBEDDED_MODEL": "0"}
    with Server(folder / "models", folder / "home", settings, port=port) as running:
        assert running.get("/api/tags").status == 401
        assert running.get("/api/tags", Authorization=f"Bearer {texts[Right.READ]}").status == 200
        assert "with a key" in running.log


@pytest.mark.parametrize(
    ("host", "said"), [("0.0.0.0", "puna key create"), ("127.0.0.1", "damaged")], ids=["no key", "a damaged file"]
)
def test_T19_a_server_that_could_not_judge_its_callers_does_not_start(home: Path, host: str, said: str) -> None:
    (home / ".puna").mkdir()
    damaged = '{"version": 1, "keys": [' if said == "damaged" else '{"version": 1, "keys": []}'
    (home / ".puna/keys.json").write_text(damaged)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "PUNA_HOST": f"{host}:{free_port()}"}
    command = [sys.executable, "-m", "puna.cli", "serve"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: ")
    assert said in ended.stderr
    assert str(home) not in ended.stderr


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
async def app(registry: FakeRegistry, keys: KeyFile, tmp_path: Path, tiny_llama: Path) -> AsyncIterator[FastAPI]:
    settings = Settings()
    store = Store(tmp_path / "models")
    store.start()
    digest, _ = store.adopt(tiny_llama)
    target = ModelName.parse("localhost:5000/me/m")
    list(create_model(store, CreateRequest(target=target, files={"m.gguf": str(digest)})))
    runtime = Runtime(
        store=store, engine=Engine.build(store, settings), registry=registry, settings=settings, loopback=True
    )
    hosts = Hosts(frozenset({"localhost"}), frozenset())
    async with serving(build_app(runtime, hosts=hosts, origins=Origins.parse(""), keys=Keyring(keys))) as running:
        yield running


async def push(app: FastAPI, text: str) -> Answer:
    return await post(app, "/api/push", {"model": "localhost:5000/me/m"}, headers={"Authorization": f"Bearer {text}"})


async def test_T10_models_leave_only_with_the_right_to_push(
    app: FastAPI,
    registry: FakeRegistry,
    keys: KeyFile,
    texts: Mapping[Right, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    _, everything_else = keys.create("all but push", EVERY_RIGHT - {Right.PUSH})
    for text in (texts[Right.MANAGE], everything_else):
        assert (await push(app, text)).status == 403
    assert registry.asked == []
    caplog.set_level(logging.INFO)
    assert (await push(app, texts[Right.PUSH])).status == 200
    assert [asked[0] for asked in registry.asked] == ["push"]
    (pushed,) = [record.fields for record in caplog.records if record.getMessage() == "push"]  # type: ignore[attr-defined]
    assert (pushed["caller"], pushed["destination"]) == ("only push", "localhost:5000")
