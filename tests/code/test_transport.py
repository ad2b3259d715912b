"""The door's transport rules: contract code-completion §1.1, H1 to H10."""

from __future__ import annotations

import asyncio
import codecs
import json
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from puna.code.config import WireConfig
from puna.serving.listening import listen
from tests.code.doors import Door, door
from tests.code.scripted import Scripted

ASK = {"prompt": "def quicksort("}
BODY = json.dumps(ASK).encode()


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened() -> AsyncIterator[Door]:
    async with door(Scripted(script=["arr", "):"])) as found:
        yield found


def wire(method: str, path: str = "/api/generate", body: bytes = BODY, *headers: str) -> bytes:
    head = [f"{method} {path} HTTP/1.1", "Host: localhost:8080", "Connection: close", *headers]
    if body:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body


@pytest.mark.parametrize("method", ["post", "Post", "POST", "pOsT"])
async def test_H1_methods_compare_without_case(opened: Door, method: str) -> None:
    assert (await opened.raw(wire(method))).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_H1_a_method_may_come_in_several_pieces(opened: Door) -> None:
    assert (await opened.raw(wire("post"), parts=40)).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_H1_a_connection_may_mix_them(opened: Door) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", opened.port)
    for method in ("POST", "post", "get", "Post"):
        body = b"" if method == "get" else BODY
        head = f"{method} {'/api/version' if method == 'get' else '/api/generate'} HTTP/1.1\r\nHost: localhost\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        status = await reader.readuntil(b"\r\n\r\n")
        assert status.startswith(b"HTTP/1.1 200 OK\r\n"), (method, status)
        length = int(status.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()


async def test_H1_bodies_and_paths_keep_their_case(opened: Door) -> None:
    """Only the word before the first blank of a request is written large."""
    body = b'{"prompt": "post get x"}'
    answer = await opened.raw(wire("POST", body=body), parts=3)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert "post get x" in opened.model.prompts[-1]
    assert (await opened.raw(wire("post", "/API/generate"))).startswith(b"HTTP/1.1 404")


async def test_H1_pipelined_requests_are_answered_in_turn(opened: Door) -> None:
    first = wire("POST").replace(b"Connection: close\r\n", b"")
    answer = await opened.raw(first + wire("POST"))
    assert answer.count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize("line", [b"\x00\x01", b"P" * 100, b"post" * 30, b"GE T / HTTP/1.1\r\n\r\n"])
async def test_H1_what_is_no_request_is_refused(opened: Door, line: bytes) -> None:
    assert b" 400 " in (await opened.raw(line + b"\r\n\r\n")).partition(b"\r\n")[0]


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", ""])
async def test_H2_the_content_type_does_not_matter(opened: Door, kind: str) -> None:
    answer = await opened.raw(wire("POST", "/api/generate", BODY, f"Content-Type: {kind}"))
    assert b'"response":"arr):"' in answer


async def test_H3_json_may_begin_with_a_byte_order_mark(opened: Door) -> None:
    assert (await opened.post("/api/generate", codecs.BOM_UTF8 + BODY)).json["response"] == "arr):"


async def test_H3_unknown_fields_are_ignored_and_null_is_absent(opened: Door) -> None:
    more = {**ASK, "suffix": None, "options": None, "stream": None, "puna": None, "vendor": {"x": [1]}}
    assert (await opened.post("/api/generate", more)).json["response"] == "arr):"


@pytest.mark.parametrize(
    "body", [b"[1]", b'"text"', b"7", b"{", b"", b'{"prompt": 7}', b'{"prompt": "a", "options": []}']
)
async def test_H3_anything_but_an_object_of_the_right_types_is_refused(opened: Door, body: bytes) -> None:
    reply = await opened.post("/api/generate", body)
    assert (reply.status, reply.json["code"]) == (400, "error.invalid_request_format")


async def test_H4_a_body_over_the_limit_is_413() -> None:
    async with door(wire=WireConfig(max_body=2000)) as opened:
        reply = await opened.post("/api/generate", {"prompt": "x" * 2000})
        assert (reply.status, reply.json["code"]) == (413, "error.too_long_request")
        assert (await opened.post("/v1/completions", {"prompt": "x" * 2000})).status == 413
        assert (await opened.post("/api/generate", {"prompt": "x" * 1900})).status == 200


async def test_H4_the_limit_is_a_million_bytes() -> None:
    assert WireConfig().max_body == 1_000_000


@pytest.mark.parametrize(
    "path",
    ["/chat/completions", "/v1/chat/completions", "/chat/completions/", "/v1/chat/completions/"],
)
async def test_H5_one_trailing_slash_and_v1_may_be_there_or_not(opened: Door, path: str) -> None:
    reply = await opened.post(path, {"messages": [{"role": "user", "content": "hi"}]})
    assert reply.json["choices"][0]["message"]["content"] == "arr):"


@pytest.mark.parametrize(
    "path",
    [
        "/completions",
        "/v1/completions",
        "/fim/completions",
        "/v1/fim/completions/",
        "/beta/completions",
        "/v1/beta/completions",
        "/engines/e/completions",
    ],
)
async def test_H5_every_openai_path_is_there_with_and_without_v1(opened: Door, path: str) -> None:
    assert (await opened.post(path, ASK)).status == 200
    assert (await opened.post("/chat/completions//", ASK)).status == 404


@pytest.mark.parametrize("header", ["", "Bearer sk-no-key-required", "Basic eDp5"])
async def test_H6_without_a_key_any_authorization_will_do(opened: Door, header: str) -> None:
    assert (await opened.post("/api/generate", ASK, Authorization=header)).status == 200


async def test_H6_with_a_key_only_its_bearer_comes_in() -> None:
    async with door(Scripted(script=["x"], key="secret"), key="secret") as opened:
        for sent in ("", "Bearer wrong", "Basic secret", "secret"):
            reply = await opened.post("/api/generate", ASK, Authorization=sent)
            assert (reply.status, reply.json["code"]) == (401, "error.unauthorized"), sent
            assert reply.headers["www-authenticate"] == "Bearer"
        reply = await opened.post("/v1/completions", ASK)
        assert (reply.status, reply.json["error"]["code"]) == (401, "error.unauthorized")
        assert (await opened.post("/api/generate", ASK, Authorization="Bearer secret")).status == 200
        assert (await opened.get("/")).status == 200
        assert len(opened.model.asked) == 1


async def test_H7_one_connection_carries_many_requests(opened: Door) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", opened.port)
    request = wire("POST").replace(b"Connection: close\r\n", b"")
    for _ in range(3):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
    writer.close()


async def test_H7_bodies_may_be_chunked_and_wait_for_a_100(opened: Door) -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (BODY[:5], BODY[5:])) + b"0\r\n\r\n"
    chunked = wire("POST", "/api/generate", b"", "Transfer-Encoding: chunked") + chunks
    assert b'"response":"arr):"' in await opened.raw(chunked)
    reader, writer = await asyncio.open_connection("127.0.0.1", opened.port)
    head = wire("POST", "/api/generate", BODY, "Expect: 100-continue").removesuffix(BODY)
    writer.write(head)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    writer.write(BODY)
    assert b'"response":"arr):"' in await reader.read()
    writer.close()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8080", 200),
        ("127.0.0.1", 200),
        ("[::1]:8080", 200),
        ("evil.example", 403),
        ("127.0.0.1.nip.io", 403),
        ("8.8.8.8", 403),
    ],
)
async def test_H8_only_a_host_that_names_this_machine_comes_in(opened: Door, host: str, status: int) -> None:
    assert (await opened.get("/api/version", Host=host)).status == status


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost:3000", True),
        ("https://127.0.0.1", True),
        ("http://evil.example", False),
        ("null", False),
        ("file://", False),
        ("vscode-webview://x", False),
        ("http://localhost.evil.example", False),
    ],
)
async def test_H8_only_loopback_pages_may_read_answers(opened: Door, origin: str, allowed: bool) -> None:
    reply = await opened.get("/api/version", Origin=origin)
    assert reply.headers.get("access-control-allow-origin") == (origin if allowed else None)
    assert reply.status == (200 if allowed else 403)


@pytest.mark.parametrize("path", ["/api/generate", "/v1/completions", "/"])
async def test_H8_options_is_204(opened: Door, path: str) -> None:
    assert (await opened.request("OPTIONS", path)).status == 204
    asked = await opened.request("OPTIONS", path, Origin="http://localhost:1", Access_Control_Request_Method="POST")
    assert (asked.status, asked.headers["access-control-allow-origin"]) == (204, "http://localhost:1")
    assert (await opened.request("OPTIONS", path, Origin="http://evil.example")).status == 403


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/generate", ASK),
        ("GET", "/api/tags", None),
        ("POST", "/v1/completions", ASK),
        ("POST", "/infill", {"input_prefix": "ä", "input_suffix": "b"}),
        ("GET", "/nothing", None),
        ("POST", "/api/generate", {}),
    ],
)
async def test_H9_json_is_one_line(opened: Door, method: str, path: str, body: object) -> None:
    reply = await opened.request(method, path, body)
    assert reply.headers["content-type"] == "application/json"
    assert reply.body.count(b"\n") == 1
    assert reply.body.endswith(b"}\n")
    assert json.loads(reply.body.decode("utf-8"))


async def test_H10_the_root_answers_with_text(opened: Door) -> None:
    got, head = await opened.get("/"), await opened.request("HEAD", "/")
    assert (got.status, got.text) == (200, "Ollama is running")
    assert (head.status, head.body) == (200, b"")
    assert got.headers["content-type"].startswith("text/plain")


async def test_H7_small_answers_on_an_open_connection_are_not_held_back() -> None:
    """With Nagle's algorithm on, every answer after a connection's first would wait 40 ms for the client's receipt."""
    listener = listen("127.0.0.1", 0)
    accepted = asyncio.get_running_loop().create_future()

    async def take(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("socket")
        accepted.set_result(peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    async with await asyncio.start_server(take, sock=listener.socket):
        _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        assert await accepted
        writer.close()
