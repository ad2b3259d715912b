"""What a hostile registry may answer where a pull asks for a manifest, a blob or a token (threats T08).

A table: each row is the name of a lie and what is told in its course. Whatever is not told stays honest.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from tests.registries import HostileRegistry, Model, Request, reply
from tests.registries.model import MANIFEST

Lie = Callable[[HostileRegistry, Model], None]

MB = 10**6
OPEN = {"Content_Length": None}


def manifest_says(answer: object) -> Lie:
    """The manifest's answer is this one."""
    return lambda registry, model: registry.say(f"/v2/{model.repository}/manifests/{model.tag}", answer)  # type: ignore[arg-type]


def manifest_is(change: Callable[[dict[str, Any]], object]) -> Lie:
    """The manifest is another one, told with a good head."""

    def tell(registry: HostileRegistry, model: Model) -> None:
        changed = change(json.loads(model.manifest))
        text = changed if isinstance(changed, bytes) else json.dumps(changed).encode()
        registry.serve_manifest(model.name, text)

    return tell


def blob_says(answer: object) -> Lie:
    """The first layer's answer is this one; a callable gets the honest bytes as well."""

    def tell(registry: HostileRegistry, model: Model) -> None:
        layer = model.layers[0]
        assert isinstance(layer.data, bytes)
        data = layer.data
        given = (lambda request: answer(request, data)) if callable(answer) else answer
        registry.say(f"/v2/{model.repository}/blobs/{layer.digest}", given)  # type: ignore[arg-type]

    return tell


def rest_says(answer: object) -> Lie:
    """Half of the first layer is sent and the connection closed; whoever asks for the rest gets this answer."""

    def tell(request: Request, data: bytes) -> object:
        if request.range is None:
            return reply(200, data[: len(data) // 2], Content_Length=len(data))
        return answer(request, data) if callable(answer) else answer

    return blob_says(tell)


def with_layer(**fields: object) -> Lie:
    return manifest_is(lambda manifest: {**manifest, "layers": [{**manifest["layers"][0], **fields}]})


def token_says(answer: object) -> Lie:
    def tell(registry: HostileRegistry, model: Model) -> None:
        path = f"/{model.repository}/token"
        challenge = f'Bearer realm="{registry.url}{path}",service="s",scope="x"'
        manifest_says(reply(401, WWW_Authenticate=challenge))(registry, model)
        registry.say(path, answer)  # type: ignore[arg-type]

    return tell


def bomb() -> bytes:
    """10 MB of gzip that unpack to 10 GB: one compressed stretch of zeros, given a thousand times."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(b"{") + packer.flush(zlib.Z_FULL_FLUSH)
    stretch = packer.compress(bytes(10 * MB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + stretch * 1000


def endless(head: bytes, piece: bytes, pause_s: float = 0) -> Callable[..., AsyncIterator[bytes]]:
    async def answer(*_: object) -> AsyncIterator[bytes]:
        yield head
        while True:
            yield piece
            await asyncio.sleep(pause_s)

    return answer


async def silence(*_: object) -> AsyncIterator[bytes]:
    await asyncio.sleep(300)
    yield b""


def part(request: Request, data: bytes, **headers: object) -> bytes:
    """An honest 206, but for the headers given."""
    first, last = request.range or (0, len(data) - 1)
    honest = {"Content_Range": f"bytes {first}-{last}/{len(data)}"}
    return reply(206, data[first : last + 1], **{**honest, **headers})


def one_byte(request: Request, data: bytes) -> bytes:
    """The right head and the first byte of what it promises."""
    assert request.range is not None
    first, last = request.range
    return part(request, data)[: -(last - first)] if last > first else part(request, data)


def multipart(data: bytes) -> bytes:
    return b"--x\r\nContent-Range: bytes 0-%d/%d\r\n\r\n%b\r\n--x--\r\n" % (len(data) - 1, len(data), data)


def head(status: int = 200, **headers: object) -> bytes:
    """An answer's head with no length, so that the body goes on until the end of the connection."""
    return reply(status, **{**OPEN, **headers})


MANIFEST_LIES: dict[str, Lie] = {
    "a gzip bomb": manifest_says(lambda _: reply(200, bomb(), Content_Type=MANIFEST, Content_Encoding="gzip")),
    "an honest gzip": lambda registry, model: manifest_says(
        reply(200, gzip.compress(model.manifest), Content_Type=MANIFEST, Content_Encoding="gzip")
    )(registry, model),
    "an unknown encoding": manifest_says(reply(200, b"{}", Content_Type=MANIFEST, Content_Encoding="x-evil")),
    "an endless manifest": manifest_says(endless(head(Content_Type=MANIFEST), b" " * 65536)),
    "a manifest of 5 MB": manifest_is(lambda manifest: json.dumps(manifest).encode() + b" " * 5 * MB),
    "one byte per second": manifest_says(endless(head(Content_Type=MANIFEST), b" ", 1)),
    "silence": manifest_says(silence),
    "a closed connection": manifest_says(b""),
    "half a head": manifest_says(b"HTTP/1.1 200 OK\r\nContent-"),
    "no HTTP": manifest_says(b"SSH-2.0-OpenSSH_9.2\r\n" * 100),
    "an unknown status": manifest_says(b"HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n"),
    "only 100 Continue": manifest_says(endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.001)),
    "endless headers": manifest_says(endless(b"HTTP/1.1 200 OK\r\n", b"X-Header: " + b"x" * 1000 + b"\r\n")),
    "a header of 1 MB": manifest_says(reply(200, b"{}", X_Header="x" * MB)),
    "a negative length": manifest_says(reply(200, b"{}", Content_Length=-1)),
    "two lengths": manifest_says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 20\r\n\r\n{}"),
    "a length that is too long": manifest_says(reply(200, b"{}", Content_Type=MANIFEST, Content_Length=1000)),
    "a length that is too short": lambda registry, model: manifest_says(
        reply(200, model.manifest, Content_Type=MANIFEST, Content_Length=100)
    )(registry, model),
    "a huge chunk": manifest_says(head(Transfer_Encoding="chunked") + b"fffffffffffffffff\r\n{}"),
    "a web page": manifest_says(reply(200, b"<html>Please log in</html>", Content_Type="text/html")),
    "no JSON": manifest_is(lambda manifest: b"\xff\xfe{}"),
    "not a number": manifest_is(lambda manifest: {**manifest, "schemaVersion": float("nan")}),
    "an empty list": manifest_is(lambda manifest: []),
    "null": manifest_is(lambda manifest: None),
    "no layers": manifest_is(lambda manifest: {**manifest, "layers": None}),
    "layers as an object": manifest_is(lambda manifest: {**manifest, "layers": {"digest": "x"}}),
    "layers as numbers": manifest_is(lambda manifest: {**manifest, "layers": [1, 2]}),
    "a config as a list": manifest_is(lambda manifest: {**manifest, "config": [manifest["config"]]}),
    "depth 100,000": manifest_is(lambda manifest: b'{"schemaVersion":2,"layers":' + b"[" * 100_000),
    "depth 100,000 in a value": manifest_is(lambda manifest: b'{"x":' + b"[" * 10**5 + b"]" * 10**5 + b"}"),
    "a million layers": manifest_is(
        lambda manifest: (
            json.dumps({**manifest, "layers": 0})
            .encode()
            .replace(b'"layers": 0', b'"layers": [' + b"{}," * 10**6 + b"{}]")
        )
    ),
    "20,000 different layers": manifest_is(
        lambda manifest: {
            **manifest,
            "layers": [{"mediaType": "x", "digest": f"sha256:{number:064x}", "size": 1} for number in range(20_000)],
        }
    ),
    "a size as text": with_layer(size="1000"),
    "a size as a fraction": with_layer(size=1000.5),
    "a size of true": with_layer(size=True),
    "a negative size": with_layer(size=-1),
    "a size of 2^63": with_layer(size=2**63),
    "a size of 2^62": with_layer(size=2**62),
    "a size of 10^400": manifest_is(
        lambda manifest: (
            json.dumps({**manifest, "layers": [{**manifest["layers"][0], "size": 0}]})
            .encode()
            .replace(b'"size": 0', b'"size": 1' + b"0" * 400)
        )
    ),
    "a size that is too small": with_layer(size=999),
    "a size that is too large": with_layer(size=100_001),
    "401 for ever": manifest_says(reply(401, WWW_Authenticate="Bearer " + "x" * 60_000)),
    "401 without a challenge": manifest_says(reply(401)),
    "a redirect to itself": lambda registry, model: manifest_says(
        reply(307, Location=f"{registry.url}/v2/{model.repository}/manifests/{model.tag}")
    )(registry, model),
    "a redirect to a file": manifest_says(reply(302, Location="file:///etc/passwd")),
    "a redirect to nowhere": manifest_says(reply(302)),
    "an endless error": manifest_says(endless(head(500), b"sorry " * 10_000)),
    "an error as a bomb": manifest_says(lambda _: reply(400, bomb(), Content_Encoding="gzip")),
}

TOKEN_LIES: dict[str, Lie] = {
    "a token of 1 MB": token_says(reply(200, json.dumps({"token": "x" * MB}).encode())),
    "a token with a line break": token_says(reply(200, json.dumps({"token": "x\r\nHost: evil"}).encode())),
    "a token that is a list": token_says(reply(200, json.dumps({"token": ["x"]}).encode())),
    "an endless token": token_says(endless(head(), b'{"token": "' + b"x" * 65536)),
}  # fmt: skip

BLOB_LIES: dict[str, Lie] = {
    "an endless blob": blob_says(endless(head(206, Content_Range="bytes 0-99999/100000"), b"x" * 65536)),
    "a blob at one byte per second": blob_says(lambda request, data: endless(part(request, data[:0], Content_Length=None, Content_Range=f"bytes 0-{len(data) - 1}/{len(data)}"), b"x", 1)(request)),
    "a silent blob": blob_says(silence),
    "a closed connection for a blob": blob_says(b""),
    "other bytes": blob_says(lambda request, data: part(request, bytes(len(data)))),
    "a part that is too short": blob_says(lambda request, data: part(request, data[:-1000])),
    "a part that is too long": blob_says(lambda request, data: reply(206, data + b"more", Content_Range=f"bytes 0-{len(data) - 1}/{len(data)}")),
    "another range": blob_says(lambda request, data: part(request, data, Content_Range=f"bytes 1-{len(data)}/{len(data) + 1}")),
    "another total": blob_says(lambda request, data: part(request, data, Content_Range=f"bytes 0-{len(data) - 1}/{2 * len(data)}")),
    "no range": blob_says(lambda request, data: part(request, data, Content_Range=None)),
    "a range of nonsense": blob_says(lambda request, data: part(request, data, Content_Range="bytes */*")),
    "several ranges": blob_says(lambda request, data: reply(206, multipart(data), Content_Type="multipart/byteranges; boundary=x")),
    "range not satisfiable": blob_says(reply(416)),
    "no content": blob_says(reply(204)),
    "not modified": blob_says(reply(304)),
    "not found": blob_says(reply(404)),
    "an empty blob": blob_says(reply(200)),
    "a whole that is too long": blob_says(lambda request, data: reply(200, data + b"more")),
    "a blob in gzip": blob_says(lambda request, data: part(request, data, Content_Encoding="gzip")),
    "a blob that is a bomb": blob_says(lambda request, data: reply(206, bomb(), Content_Encoding="gzip", Content_Range=f"bytes 0-{len(data) - 1}/{len(data)}")),
    "a negative length of a blob": blob_says(lambda request, data: part(request, data, Content_Length=-5)),
    "a broken chunk": blob_says(lambda request, data: part(request, b"", Content_Length=None, Transfer_Encoding="chunked", Content_Range=f"bytes 0-{len(data) - 1}/{len(data)}") + b"zz\r\n"),
    "a server that is always busy": blob_says(reply(503, Retry_After=100_000)),
}  # fmt: skip

# The first request brings half of the blob; the lie is told to the one that asks for the rest.
RESUME_LIES: dict[str, Lie] = {
    "the whole instead of the rest": rest_says(lambda request, data: reply(200, data[: len(data) // 2], Content_Length=len(data))),
    "the first half again": rest_says(lambda request, data: reply(206, data[: len(data) // 2], Content_Range=f"bytes 0-{len(data) // 2 - 1}/{len(data)}")),
    "other bytes as the rest": rest_says(lambda request, data: part(request, bytes(len(data)))),
    "one byte of the rest per connection": rest_says(one_byte),
    "no rest": rest_says(reply(416)),
    "a rest at one byte per second": rest_says(lambda request, data: endless(part(request, b"", Content_Length=None), b"x", 1)(request)),
}  # fmt: skip

LIES = MANIFEST_LIES | TOKEN_LIES | BLOB_LIES | RESUME_LIES
