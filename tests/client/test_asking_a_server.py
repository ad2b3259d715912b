"""What the client sends, what it gives back, and which error a caller sees."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from contextlib import aclosing
from pathlib import Path

import pytest
from aiohttp import web

from puna.client import ClientError, Endpoint, OllamaClient, ServerUnreachable, quick
from puna.client.client import JsonLines
from puna.names import Digest
from tests.client.fake_server import MODEL, FakeServer, running

CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}


async def collect(lines: JsonLines) -> list[dict[str, object]]:
    return [line async for line in lines]


async def test_the_plain_routes_give_their_objects(client: OllamaClient) -> None:
    await client.heartbeat()
    assert await client.version() == "0.33.0"
    assert await client.tags() == [MODEL]
    assert (await client.ps())[0]["context_length"] == 8192
    assert (await client.show("tiny"))["capabilities"] == ["completion"]
    assert (await client.embed({"model": "tiny", "input": "x"}))["embeddings"] == [[0.5, -0.25]]


async def test_copy_delete_and_unload_send_what_the_contract_names(client: OllamaClient, server: FakeServer) -> None:
    await client.copy("tiny", "other")
    await client.delete("tiny")
    await client.unload("tiny")
    assert server.asked == [
        ("/api/copy", {"source": "tiny", "destination": "other"}),
        ("/api/delete", {"model": "tiny"}),
        ("/api/generate", {"model": "tiny", "keep_alive": "0s"}),
    ]


async def test_what_moves_models_sends_what_the_contract_names(client: OllamaClient, server: FakeServer) -> None:
    server.registry["far"] = [{"status": "pulling manifest"}, {"status": "success"}]
    server.outdated = [{"name": "tiny:latest", "digest": "a", "newest": "b"}]
    assert await collect(client.pull("far")) == server.registry["far"]
    await collect(client.push("tiny", insecure=True))
    await collect(client.verify())
    await collect(client.verify("tiny", repair=True))
    assert await client.outdated() == server.outdated
    await client.outdated(["tiny"])
    assert server.asked == [
        ("/api/pull", {"model": "far", "insecure": False}),
        ("/api/push", {"model": "tiny", "insecure": True}),
        ("/api/verify", {"repair": False, "insecure": False}),
        ("/api/verify", {"model": "tiny", "repair": True, "insecure": False}),
        ("/api/outdated", {}),
        ("/api/outdated", {"models": ["tiny"]}),
    ]


async def test_a_chat_streams_line_by_line(client: OllamaClient) -> None:
    lines = await collect(client.chat(CHAT))
    assert "".join(line["message"]["content"] for line in lines) == "Hello there"  # type: ignore[index]
    assert lines[-1]["done"] is True


async def test_a_load_answers_with_a_single_object(client: OllamaClient) -> None:
    assert [line["done_reason"] for line in await collect(client.generate({"model": "tiny"}))] == ["load"]


async def test_leaving_a_stream_ends_the_servers_work(client: OllamaClient, server: FakeServer) -> None:
    server.endless = True
    async with aclosing(client.chat(CHAT)) as lines:
        async for _ in lines:
            break
    await asyncio.wait_for(server.left.wait(), 5)


async def test_a_cancelled_task_ends_the_servers_work(client: OllamaClient, server: FakeServer) -> None:
    server.endless = True
    task = asyncio.create_task(collect(client.chat(CHAT)))
    while not server.asked:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(server.left.wait(), 5)


async def test_a_plain_route_gives_the_servers_words_without_a_status_line(client: OllamaClient) -> None:
    with pytest.raises(ClientError) as caught:
        await client.show("nope")
    assert (caught.value.status, str(caught.value)) == (404, "model 'nope' not found")


async def test_a_streaming_route_puts_the_status_line_in_front(client: OllamaClient) -> None:
    with pytest.raises(ClientError) as caught:
        await collect(client.generate({"model": "nope", "prompt": "x"}))
    assert str(caught.value) == "404 Not Found: model 'nope' not found"
    assert caught.value.text == "model 'nope' not found"


async def test_an_error_line_inside_a_stream_is_the_bare_text(client: OllamaClient, server: FakeServer) -> None:
    async def fails(request: web.Request) -> web.Response:
        return web.Response(body=b'{"message":{"content":"so far"}}\n{"error":"runner died"}\n')

    server.overrides["/api/chat"] = fails
    lines = client.chat(CHAT)
    assert (await anext(lines))["message"]["content"] == "so far"
    with pytest.raises(ClientError) as caught:
        await anext(lines)
    assert str(caught.value) == "runner died"


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (500, b"Internal Server Error", "500 Internal Server Error: Internal Server Error"),
        (502, b"", "502 Bad Gateway: no reason given"),
        (200, b"<html>", "the server's answer is not a JSON object: <html>"),
        (200, b"[1]\n", "the server's answer is not a JSON object: [1]"),
        (200, b'{"a":1', 'the server\'s answer is not a JSON object: {"a":1'),
    ],
)
async def test_an_answer_that_is_no_ndjson_is_one_clear_error(
    client: OllamaClient, server: FakeServer, status: int, body: bytes, text: str
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, body=body)

    server.overrides["/api/chat"] = answer
    with pytest.raises(ClientError) as caught:
        await collect(client.chat(CHAT))
    assert str(caught.value) == text


async def test_a_connection_that_breaks_off_is_an_error_not_an_end(client: OllamaClient, server: FakeServer) -> None:
    async def breaks(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"message":{"content":"a"}}\n')
        assert request.transport is not None
        request.transport.abort()
        return response

    server.overrides["/api/chat"] = breaks
    with pytest.raises(ClientError, match="closed the connection"):
        await collect(client.chat(CHAT))


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_refused_connection_says_how_to_start_a_server() -> None:
    nobody = Endpoint(port=unused_port())
    async with OllamaClient(nobody) as client:
        with pytest.raises(ServerUnreachable, match="run 'puna serve' to start it"):
            await client.heartbeat()
    with pytest.raises(ServerUnreachable, match="run 'puna serve' to start it"):
        quick.heartbeat(nobody)


async def test_a_quick_question_gets_the_same_answers(endpoint: Endpoint) -> None:
    await asyncio.to_thread(quick.heartbeat, endpoint)
    assert await asyncio.to_thread(quick.get, endpoint, "/api/tags") == {"models": [MODEL]}
    with pytest.raises(ClientError) as caught:
        await asyncio.to_thread(quick.get, endpoint, "/api/nothing")
    assert (caught.value.status, str(caught.value)) == (404, "404 page not found")


async def test_the_key_is_sent_as_a_bearer_token() -> None:
    server = FakeServer(key="secret")
    async with running(server) as endpoint, OllamaClient(endpoint) as client:
        assert await client.version() == "0.33.0"
        assert (await asyncio.to_thread(quick.get, endpoint, "/api/version"))["version"] == "0.33.0"
        assert all(headers["Authorization"] == "Bearer secret" for headers in server.headers)


async def test_T05_a_redirect_to_another_server_does_not_get_the_key() -> None:
    other, server = FakeServer(), FakeServer(key="secret")
    async with running(other) as elsewhere, running(server) as endpoint, OllamaClient(endpoint) as client:

        async def redirect(request: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": f"{elsewhere.url}{request.path}"})

        server.overrides["/api/version"] = redirect
        await client.version()
    assert other.headers
    assert all("Authorization" not in headers for headers in other.headers)


async def test_T08_a_compressed_answer_is_not_asked_for_and_not_unpacked(
    client: OllamaClient, server: FakeServer
) -> None:
    async def squeezed(request: web.Request) -> web.Response:
        return web.Response(body=b"\x1f\x8b" + b"\0" * 50, headers={"Content-Encoding": "gzip"})

    server.overrides["/api/tags"] = squeezed
    with pytest.raises(ClientError, match="not a JSON object"):
        await client.tags()
    assert server.headers[-1]["Accept-Encoding"] == "identity"


async def test_proxies_are_used_for_other_machines_only(
    monkeypatch: pytest.MonkeyPatch, endpoint: Endpoint, server: FakeServer
) -> None:
    monkeypatch.setenv("http_proxy", endpoint.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with OllamaClient(Endpoint(host="far.example")) as client:
        assert await client.version() == "0.33.0"  # the fake plays the proxy
    assert server.headers[-1]["Host"] == "far.example:11434"
    async with OllamaClient(Endpoint(port=unused_port())) as client:
        with pytest.raises(ServerUnreachable):
            await client.heartbeat()


async def test_a_path_in_the_host_is_a_prefix_of_every_route(endpoint: Endpoint, server: FakeServer) -> None:
    async with OllamaClient(Endpoint(port=endpoint.port, path="behind/proxy")) as client:
        with pytest.raises(ClientError):
            await client.tags()
    assert server.asked[-1][0] == "/behind/proxy/api/tags"


async def test_a_blob_is_uploaded_with_its_length_and_tells_its_progress(
    client: OllamaClient, server: FakeServer, tmp_path: Path
) -> None:
    data = bytes(range(256)) * 10_000  # three pieces
    path = tmp_path / "weights.gguf"
    path.write_bytes(data)
    digest = Digest(hashlib.sha256(data).hexdigest())
    steps: list[int] = []
    assert not await client.has_blob(digest)
    await client.upload_blob(path, digest, steps.append)
    assert await client.has_blob(digest)
    assert server.blobs[str(digest)] == data
    assert server.headers[-2]["Content-Length"] == str(len(data))
    assert steps == sorted(steps)
    assert steps[-1] == len(data)


async def test_the_client_refuses_to_work_outside_its_context(endpoint: Endpoint) -> None:
    with pytest.raises(RuntimeError):
        await OllamaClient(endpoint).tags()
