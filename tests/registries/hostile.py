"""A registry that says exactly what a test tells it to, byte for byte, and a listener that only counts who calls."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from tests.registries.background import Background
from tests.registries.model import MANIFEST, Layer, Model


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query)

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")

    @property
    def range(self) -> tuple[int, int] | None:
        """First and last byte that were asked for."""
        first, _, last = self.headers.get("range", "").removeprefix("bytes=").partition("-")
        return (int(first), int(last)) if first and last else None


Answer = bytes | Callable[[Request], bytes | AsyncIterator[bytes]]
"""A whole answer with its head; or what makes one; or the pieces of one as they are to be sent."""


def reply(status: int = 200, body: bytes = b"", /, **headers: object) -> bytes:
    """A whole HTTP answer. `Content_Length=…` lies about the length, `Content_Length=None` says none."""
    fields: dict[str, object] = {"Content_Length": len(body), "Connection": "close", **headers}
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items() if value is not None]
    phrase = HTTPStatus(status).phrase
    return f"HTTP/1.1 {status} {phrase}\r\n{''.join(lines)}\r\n".encode() + body


class HostileRegistry(Background):
    """Answers are kept by path; a path without one gets 404. Each connection carries one request."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls=tls)
        self.answers: dict[str, Answer] = {}
        self.requests: list[Request] = []

    def say(self, path: str, answer: Answer) -> None:
        self.answers[path] = answer

    def serve_model(self, model: Model) -> None:
        """Serve it honestly; lies are told by saying something else afterwards."""
        self.serve_manifest(model.name, model.manifest)
        for blob in model.blobs:
            self.serve_blob(model.repository, blob)

    def serve_manifest(self, name: str, manifest: bytes) -> None:
        repository, _, tag = name.rpartition(":")
        self.say(f"/v2/{repository}/manifests/{tag}", reply(200, manifest, Content_Type=MANIFEST))

    def serve_blob(self, repository: str, blob: Layer, *, data: bytes | None = None) -> None:
        """The blob, ranges included; or other bytes under its digest."""
        content = data if data is not None else blob.data
        assert isinstance(content, bytes)
        self.say(f"/v2/{repository}/blobs/{blob.digest}", lambda request: ranged(request, content))

    def asked(self, path: str) -> list[Request]:
        return [request for request in list(self.requests) if request.path == path]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await _request(reader)
        self.requests.append(request)
        answer = self.answers.get(request.path, reply(404))
        content = answer if isinstance(answer, bytes) else answer(request)
        if isinstance(content, bytes):
            writer.write(content.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if request.method == "HEAD" else content)
            await writer.drain()
            return
        async for piece in content:
            writer.write(piece)
            await writer.drain()


class Canary(Background):
    """Nobody should call here. Whoever does is counted, gets `answer`, and is hung up on."""

    def __init__(self, answer: bytes = b"") -> None:
        super().__init__()
        self._answer = answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(self._answer)
        await writer.drain()


def ranged(request: Request, data: bytes) -> bytes:
    """What an honest registry says to a request for a blob or a part of it."""
    if request.range is None:
        return reply(200, data)
    first, last = request.range
    part = data[first : last + 1]
    return reply(206, part, Content_Range=f"bytes {first}-{first + len(part) - 1}/{len(data)}")


async def _request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = head.rstrip("\r\n").split("\r\n")
    method, target, _ = line.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    if headers.get("transfer-encoding") == "chunked":
        return Request(method, target, headers, await _chunked(reader))
    return Request(method, target, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return bytes(body)
