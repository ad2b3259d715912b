"""Who may reach the server: Host, Origin, keys, bind addresses (threats T19, T20, T21; contract ollama-http §8)."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from puna.errors import BadRequest
from puna.serving.origins import Hosts, Origins, is_loopback
from tests.servers import Server, free_port

LOOPBACK = Hosts.build(bound="127.0.0.1", hostname="box", own_addresses=["127.0.0.1", "192.168.7.7"], listed="puna.lan")
EVERYWHERE = Hosts.build(bound="0.0.0.0", hostname="box", own_addresses=["127.0.0.1", "192.168.7.7"], listed="")

GOOD_HOSTS = [
    "localhost",
    "LOCALHOST:11434",
    "127.0.0.1",
    "127.0.0.1:1",
    "127.8.8.8",
    "[::1]",
    "[::1]:11434",
    "box",
    "BOX:1",
]
BAD_HOSTS = [
    "", "evil.example", "evil.example:11434", "127.0.0.1.evil.example", "localhost.evil.example", "localhost:1@evil",
    "localhost.", "localhost:", "localhost:x", "localhost:99999", "foo.localhost", "x.local", "x.internal", "[::1", "::1",
    "[::ffff:8.8.8.8]", "8.8.8.8", "0x7f.1", "2130706433", "localhost/", "localhost\\evil", "a localhost", "10.0.0.1",
    "[fe80::1]", "loc\u0430lhost",
]  # fmt: skip


@pytest.mark.parametrize("hosts", [LOOPBACK, EVERYWHERE], ids=["loopback", "everywhere"])
def test_T20_only_listed_hosts_are_served(hosts: Hosts) -> None:
    assert [host for host in GOOD_HOSTS if not hosts.allow(host)] == []
    assert [host for host in BAD_HOSTS if hosts.allow(host)] == []


def test_T20_more_hosts_by_setting_and_by_bind_address() -> None:
    assert LOOPBACK.allow("puna.lan:11434")
    assert not LOOPBACK.allow("192.168.7.7")
    assert EVERYWHERE.allow("192.168.7.7:11434")
    assert Hosts.build(bound="127.0.0.1", hostname="", own_addresses=[], listed="*").allow("anything.example")


@pytest.mark.parametrize("host", [*BAD_HOSTS[1:8], "8.8.8.8"])
def test_T20_a_refused_host_gets_an_empty_403(server: Server, host: str) -> None:
    for method, path in (("GET", "/api/tags"), ("POST", "/api/generate"), ("GET", "/nowhere")):
        answer = server.request(method, path, headers={"Host": host})
        assert (answer.status, answer.body) == (403, b"")


@pytest.mark.parametrize(
    "head",
    [
        "GET /api/tags HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n",
        "GET http://evil.example/api/tags HTTP/1.1\r\nHost: evil.example\r\n",
        "GET /api/tags HTTP/1.0\r\n",
    ],
    ids=["two hosts", "absolute form", "no host"],
)
def test_T20_odd_host_lines(server: Server, head: str) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(f"{head}Connection: close\r\n\r\n".encode())
        assert b" 40" in raw.recv(200).split(b"\r\n")[0]


ORIGINS = Origins.parse("")
GOOD_ORIGINS = [
    "http://localhost", "http://localhost:3000", "https://127.0.0.1:8443", "http://0.0.0.0", "app://obsidian.md",
    "file://", "tauri://localhost", "vscode-webview://abc",
]  # fmt: skip
BAD_ORIGINS = [
    "null", "http://evil.example", "http://localhost.evil.example", "http://localhost:3000.evil.example",
    "http://localhost:1@evil.example", "http://evil@localhost", "ftp://localhost", "http://127.0.0.1.evil.example",
    "chrome-extension://abc", "http://localhosts", "", "http://sub.localhost",
]  # fmt: skip


def test_T21_only_listed_origins_may_call() -> None:
    assert [origin for origin in GOOD_ORIGINS if not ORIGINS.allow(origin)] == []
    assert [origin for origin in BAD_ORIGINS if ORIGINS.allow(origin)] == []


CHANGING = [
    ("POST", "/api/generate"), ("POST", "/api/chat"), ("POST", "/api/embed"), ("POST", "/api/embeddings"),
    ("POST", "/api/create"), ("POST", "/api/copy"), ("DELETE", "/api/delete"), ("POST", f"/api/blobs/sha256:{'0' * 64}"),
]  # fmt: skip
CONTENT_TYPES = ["text/plain", "application/json", "application/x-www-form-urlencoded", "multipart/form-data"]


@pytest.mark.parametrize("origin", BAD_ORIGINS[:10])
def test_T21_foreign_pages_change_nothing(server: Server, origin: str) -> None:
    for method, path in CHANGING:
        for content_type in CONTENT_TYPES:
            headers = {"Origin": origin, "Content-Type": content_type}
            answer = server.request(method, path, b'{"model":"M","name":"M"}', headers=headers)
            assert (answer.status, answer.body) == (403, b"")
        preflight = server.request("OPTIONS", path, headers={"Origin": origin, "Access-Control-Request-Method": method})
        assert preflight.status == 403
        assert not [name for name in preflight.headers if name.startswith("access-control")]
    assert "M:latest" in [model["name"] for model in server.get("/api/tags").json["models"]]


def test_T21_a_cross_site_request_without_origin_is_refused(server: Server) -> None:
    assert server.get("/api/tags", **{"Sec-Fetch-Site": "cross-site"}).status == 403
    assert server.get("/api/tags", **{"Sec-Fetch-Site": "none"}).status == 200


def test_a_listed_page_may_ask_first_and_then_call(server: Server) -> None:
    headers = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
    preflight = server.request("OPTIONS", "/api/chat", headers=headers)
    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert "DELETE" in preflight.headers["access-control-allow-methods"]
    assert preflight.headers["access-control-max-age"] == "43200"
    answer = server.get("/api/tags", Origin="http://localhost:3000")
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answer.headers


def test_the_servers_own_page_needs_no_listing(server: Server) -> None:
    answer = server.get("/api/tags", Origin=f"http://127.0.0.1:{server.port}", Host=f"127.0.0.1:{server.port}")
    assert answer.status == 200


@pytest.mark.parametrize("listed", ["http://*.a.*", "gopher://x", "x"])
def test_a_bad_origins_setting_stops_the_start(listed: str) -> None:
    with pytest.raises(BadRequest):
        Origins.parse(listed)


def test_a_listed_wildcard_origin() -> None:
    origins = Origins.parse("https://*.example.org, chrome-extension://abc")
    assert origins.allow("https://a.example.org")
    assert origins.allow("chrome-extension://abc")
    assert not origins.allow("https://example.org")
    assert Origins.parse("*").allow("http://evil.example")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.9.9.9"])
def test_T19_loopback_addresses(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.2", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "box", "8.8.8.8"]
)
def test_T19_everything_else_counts_as_public(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])
def test_T19_a_public_address_without_a_key_does_not_start(host: str, home: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "PUNA_HOST": f"{host}:{free_port()}"}
    command = [sys.executable, "-m", "puna.cli", "serve"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: ")
    assert "PUNA_API_KEY" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.fixture(scope="module")
def locked(server: Server) -> Iterator[Server]:
    port = free_port()
    settings = {"PUNA_API_KEY": "s3cret", "PUNA_HOST": f"0.0.0.0:{port}"}
    with Server(server.models, server.home.parent / "locked", settings, port=port) as running:
        yield running


def test_T19_every_route_but_the_heartbeat_wants_the_key(locked: Server) -> None:
    good = {"Authorization": "Bearer s3cret"}
    paths = locked.request("GET", "/openapi.json", headers=good).json["paths"]
    assert len(paths) > 15
    for path, methods in paths.items():
        for method in methods:
            asked = path.replace("{digest}", f"sha256:{'0' * 64}").replace("{key}", "k")
            status = locked.request(method.upper(), asked, b"").status
            assert (status == 200) if path == "/" else (status == 401), (method, path, status)
    assert locked.get("/openapi.json").status == 401
    assert locked.get("/nowhere").status == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer s3cret"}, 200),
        ({"authorization": "bearer s3cret"}, 200),
        ({"x-api-key": "s3cret"}, 200),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic s3cret"}, 401),
        ({"Authorization": "Bearer s3cret", "x-api-key": "other"}, 400),
    ],
)
def test_T19_a_key_is_a_bearer_token_or_x_api_key(locked: Server, headers: dict[str, str], status: int) -> None:
    assert locked.request("GET", "/api/tags", headers=headers).status == status


def test_no_auth_is_said_by_name(server: Server) -> None:
    port = free_port()
    settings = {"PUNA_HOST": f"0.0.0.0:{port}"}
    with Server(server.models, server.home.parent / "open", settings, ("--no-auth",), port=port) as running:
        assert running.get("/api/tags").status == 200
        assert "every machine that can reach this address" in running.log
