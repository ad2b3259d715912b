"""Answers with too much or with nonsense (threats T08): one clear line each, soon, and nothing of them in it."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from puna.errors import Forbidden, Interrupted, RegistryError
from puna.names import Digest
from puna.registry.repository import Repository
from tests.registries.background import Background
from tests.registries.hostile import HostileRegistry, reply
from tests.registry.rig import DIGEST, Authority, repository

MANIFEST = "/v2/library/tiny/manifests/latest"
BLOB = f"/v2/library/tiny/blobs/{DIGEST}"
LAYER = {"mediaType": "application/vnd.ollama.image.model", "digest": DIGEST, "size": 10}
HEAD = b"HTTP/1.1 200 OK\r\n"
LIMIT = 4_000_000


@pytest.fixture
def registry() -> Iterator[HostileRegistry]:
    with HostileRegistry() as registry:
        yield registry


def manifest(**fields: object) -> bytes:
    return json.dumps({"schemaVersion": 2, "layers": [LAYER], **fields}).encode()


def layers(*values: object) -> bytes:
    return manifest(layers=list(values))


def wide(item: bytes) -> bytes:
    """A manifest of the largest size that is read, full of one item."""
    return b'{"layers":[' + b",".join([item] * ((LIMIT - 20) // (len(item) + 1))) + b"]}"


def endless(head: bytes, piece: bytes, pause: float = 0.0) -> Callable[[object], AsyncIterator[bytes]]:
    async def pieces() -> AsyncIterator[bytes]:
        yield head
        while True:
            yield piece
            await asyncio.sleep(pause)

    return lambda request: pieces()


def told(caught: pytest.ExceptionInfo[Exception]) -> str:
    """The line that a user sees; it quotes nothing of what came."""
    line = str(caught.value)
    assert line
    assert "\n" not in line
    assert len(line) < 400
    assert "secret" not in line
    return line


async def read(repo: Repository, size: int, start: int, stop: int) -> int:
    async with repo.read(Digest.parse(DIGEST), size, start, stop) as pieces:
        return sum([len(piece) async for piece in pieces])


async def begin_and_end(repo: Repository) -> None:
    session = await repo.start_upload(Digest.parse(DIGEST), None)
    assert session is not None
    await repo.commit(session, Digest.parse(DIGEST), "e-1")


MANIFESTS = {
    "not JSON": b"secret",
    "nothing": b"",
    "a list": b"[]",
    "a number": b"5",
    "null": b"null",
    "not text": b"\xff\xfe\x00",
    "cut": manifest()[:-1],
    "two documents": manifest() * 2,
    "no layers at all": b'{"schemaVersion":2}',
    "an empty list": manifest(layers=[]),
    "null for layers": manifest(layers=None),
    "an object for layers": manifest(layers={}),
    "a text for layers": manifest(layers="secret"),
    "null for a layer": layers(None),
    "a list for a layer": layers([]),
    "a config that is a list": manifest(config=[]),
    "no digest": layers({"mediaType": "x", "size": 1}),
    "an empty digest": layers({**LAYER, "digest": ""}),
    "a digest that is a path": layers({**LAYER, "digest": "sha256:../../../etc/passwd"}),
    "a digest of another kind": layers({**LAYER, "digest": "sha512:" + "a" * 128}),
    "a digest in capitals": layers({**LAYER, "digest": DIGEST.upper()}),
    "a digest that is a number": layers({**LAYER, "digest": 5}),
    "size 2^63": layers({**LAYER, "size": 2**63}),
    "a negative size": layers({**LAYER, "size": -1}),
    "a broken size": layers({**LAYER, "size": 1.5}),
    "a size that is true": layers({**LAYER, "size": True}),
    "a size of 5000 digits": manifest().replace(b'"size": 10', b'"size": ' + b"9" * 5000),
    "a size that is not a number": manifest().replace(b'"size": 10', b'"size": NaN'),
    "a media type that is a list": layers({**LAYER, "mediaType": []}),
    "a key given twice": b'{"layers":[],"layers":[]}',
    "another schema": manifest(schemaVersion=1),
    "a list of manifests": manifest(mediaType="application/vnd.docker.distribution.manifest.list.v2+json"),
    "depth 10^5": b"[" * 100_000,
    "depth 10^5 in layers": b'{"layers":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "10^6 objects": wide(b"{}"),
    "10^6 lists": wide(b"[]"),
    "10^6 numbers": wide(b"999"),
    "10^6 texts": wide(b'"a"'),
    "over the limit": b" " * (LIMIT + 1),
}


@pytest.mark.parametrize("body", MANIFESTS.values(), ids=MANIFESTS)
async def test_T08_a_manifest_of_nonsense_is_one_line(home: Path, registry: HostileRegistry, body: bytes) -> None:
    registry.say(MANIFEST, reply(200, body))
    async with repository(home, registry.host) as repo:
        with pytest.raises(RegistryError) as caught:
            await repo.manifest()
    assert not isinstance(caught.value, Interrupted)  # no second try makes it better
    assert "manifest" in told(caught) or "digest" in told(caught)


@pytest.mark.parametrize("item", [b"{}", b'"ab"'])
async def test_T08_a_manifest_of_a_million_parts_takes_little_memory(
    home: Path, registry: HostileRegistry, item: bytes
) -> None:
    registry.say(MANIFEST, reply(200, wide(item)))
    async with repository(home, registry.host) as repo:
        tracemalloc.start()
        try:
            with pytest.raises(RegistryError):
                await repo.manifest()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 64e6


SMALL_ANSWERS = {
    "a gzip bomb": reply(200, gzip.compress(b"0" * 10_000_000), Content_Encoding="gzip"),
    "a made-up encoding": reply(200, manifest(), Content_Encoding="secret"),
    "a length that is negative": HEAD + b"Content-Length: -5\r\n\r\nsecret",
    "a length that is no number": HEAD + b"Content-Length: secret\r\n\r\nsecret",
    "a length of 5000 digits": HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nsecret",
    "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nsecret",
    "a length and chunks": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nsecre\r\n0\r\n\r\n",
    "a length that is too long": reply(200, manifest(), Content_Length=10_000),
    "a length that is too short": reply(200, manifest(), Content_Length=10),
    "chunks that are none": HEAD + b"Transfer-Encoding: chunked\r\n\r\nsecret\r\n",
    "chunks that are cut": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nsec",
    "a chunk of 2^70 bytes": HEAD + b"Transfer-Encoding: chunked\r\n\r\n400000000000000000\r\nsecret",
    "no HTTP": b"SSH-2.0-secret\r\n",
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-",
    "a long header": HEAD + b"X-Long: " + b"x" * 100_000 + b"\r\n\r\n",
    "many headers": HEAD + b"X-A: b\r\n" * 10_000 + b"\r\n",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: secret\r\nConnection: upgrade\r\n\r\nsecret",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "a part": reply(206, manifest()),
    "not modified": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "a status of 999": b"HTTP/1.1 999 secret\r\nContent-Length: 0\r\n\r\n",
    "a redirect to itself": reply(307, Location=MANIFEST),
}


@pytest.mark.parametrize("answer", SMALL_ANSWERS.values(), ids=SMALL_ANSWERS)
async def test_T08_an_answer_of_nonsense_is_one_line(home: Path, registry: HostileRegistry, answer: bytes) -> None:
    registry.say(MANIFEST, answer)
    async with repository(home, registry.host) as repo:
        with pytest.raises(RegistryError) as caught:
            await repo.manifest()
    told(caught)


ENDLESS = {
    "a body": endless(HEAD + b"\r\n", b"secret" * 10_000),
    "chunks": endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"2710\r\n" + b"x" * 10_000 + b"\r\n"),
    "headers": endless(HEAD, b"X-A: b\r\n" * 100),
    "a header": endless(HEAD + b"X-A: ", b"b" * 1000),
    "interim answers": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.001),
    "a byte now and then": endless(HEAD + b"Content-Length: 1000\r\n\r\n", b" ", 0.1),
    "silence": endless(HEAD + b"Content-Length: 1000\r\n\r\n", b"", 0.1),
    "an error": endless(b"HTTP/1.1 403 Forbidden\r\n\r\n", b"secret" * 1000),
    "a slow error": endless(b"HTTP/1.1 403 Forbidden\r\n\r\n", b"s", 0.1),
}


@pytest.mark.parametrize("answer", ENDLESS.values(), ids=ENDLESS)
async def test_T08_an_answer_without_end_ends(
    home: Path, registry: HostileRegistry, answer: Callable[[object], AsyncIterator[bytes]]
) -> None:
    registry.say(MANIFEST, answer)
    async with repository(home, registry.host) as repo:
        started = time.monotonic()
        with pytest.raises(RegistryError) as caught:
            await repo.manifest()
        assert time.monotonic() - started < 10
    told(caught)


def part(body: bytes = b"0123456789", said: str | None = "bytes 10-19/100", **headers: object) -> bytes:
    return reply(206, body, Content_Range=said, **headers)


CHUNKED = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 10-19/100\r\nTransfer-Encoding: chunked\r\n\r\n"
LIES_ABOUT_PARTS = {
    "no range": part(said=None),
    "another start": part(said="bytes 0-9/100"),
    "another end": part(said="bytes 10-18/100"),
    "another size": part(said="bytes 10-19/99"),
    "a negative range": part(said="bytes -10-19/100"),
    "no numbers": part(said="secret"),
    "several parts": part(said=None, Content_Type="multipart/byteranges; boundary=secret"),
    "a shorter length": part(b"01234"),
    "a longer length": part(b"0" * 20),
    "more in chunks": CHUNKED + b"14\r\n" + b"0" * 20 + b"\r\n0\r\n\r\n",
    "no length and more": part(b"0" * 2000, Content_Length=None),
    "compressed": part(gzip.compress(b"0123456789"), Content_Encoding="gzip", Content_Length=10),
    "416": reply(416, b"secret", Content_Range="bytes */5"),
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "a redirect without an address": reply(307),
    "not a registry": b"secret\r\n\r\n",
}


@pytest.mark.parametrize("answer", LIES_ABOUT_PARTS.values(), ids=LIES_ABOUT_PARTS)
async def test_T08_a_part_that_is_not_the_one_asked_for_is_refused(
    home: Path, registry: HostileRegistry, answer: bytes
) -> None:
    registry.say(BLOB, answer)
    async with repository(home, registry.host) as repo:
        with pytest.raises(RegistryError) as caught:
            await read(repo, 100, 10, 20)
    assert not isinstance(caught.value, Interrupted)
    told(caught)


BROKEN = {
    "cut": part(b"01234", Content_Length=10),
    "cut in chunks": CHUNKED + b"5\r\n01234\r\n",
    "ended early in chunks": CHUNKED + b"5\r\n01234\r\n0\r\n\r\n",
    "ended early without a length": part(b"01234", Content_Length=None),
    "stalled": endless(part(b"01234", Content_Length=10), b"", 0.1),
    "stalled before the first byte": endless(part(b"", Content_Length=10), b"", 0.1),
    "hung up": b"",
    "busy": reply(503),
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
async def test_T08_a_part_that_breaks_off_is_worth_another_try(
    home: Path, registry: HostileRegistry, answer: bytes
) -> None:
    registry.say(BLOB, answer)
    async with repository(home, registry.host) as repo:
        with pytest.raises(Interrupted) as caught:
            await read(repo, 100, 10, 20)
    told(caught)


@pytest.mark.parametrize("length", [9, 11, 2**62])
async def test_T08_a_blob_of_another_length_than_the_manifest_says_is_refused(
    home: Path, registry: HostileRegistry, length: int
) -> None:
    registry.say(BLOB, reply(200, b"0123456789"[:length], Content_Length=length))
    async with repository(home, registry.host) as repo:
        with pytest.raises(RegistryError, match="another number of bytes"):
            await read(repo, 10, 0, 10)


async def test_T08_what_came_before_a_cut_is_not_lost(home: Path, registry: HostileRegistry) -> None:
    registry.say(BLOB, part(b"01234", Content_Length=10))
    arrived = []
    async with repository(home, registry.host) as repo, repo.read(Digest.parse(DIGEST), 100, 10, 20) as pieces:
        arrived.append(await anext(pieces))
        with pytest.raises(Interrupted):
            await anext(pieces)
    assert arrived == [b"01234"]


class CutsOff(Background):
    """A registry whose connection ends in the middle of a blob: with TLS without a good-bye, without it by a reset."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply(200, b"x" * 5000, Content_Length=10_000))
        await writer.drain()
        await asyncio.sleep(0.05)
        peer: socket.socket = writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()


@pytest.mark.parametrize("tls", [True, False])
async def test_T08_a_connection_cut_without_a_word_is_worth_another_try(home: Path, tmp_path: Path, tls: bool) -> None:
    authority = Authority(tmp_path)
    with CutsOff(tls=authority.server("127.0.0.1") if tls else None) as registry:
        scheme = "https" if tls else "http"
        async with repository(home, registry.host, scheme=scheme, tls=authority.client) as repo:
            with pytest.raises(Interrupted) as caught:
                await read(repo, 10_000, 0, 10_000)
    told(caught)


@pytest.mark.parametrize("location", [None, "", "https://h\\@evil/", "ftp://h/", "https://u:p@h/", "http://10.0.0.1/x"])
async def test_T08_an_upload_session_of_nonsense_is_one_line(
    home: Path, registry: HostileRegistry, location: str | None
) -> None:
    registry.say("/v2/library/tiny/blobs/uploads/", reply(202, Location=location))
    async with repository(home, registry.host) as repo:
        with pytest.raises((RegistryError, Forbidden)) as caught:
            await begin_and_end(repo)
    told(caught)
    assert len(registry.requests) == 1
