"""What a repository makes of honest registries: those that send bytes, those that redirect, those that take parts."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from yarl import URL

from puna.errors import Interrupted, NotFound, RegistryError, StoreError
from puna.names import Digest, ModelName
from puna.registry.repository import NoRanges, Repository
from tests.registries.background import Background
from tests.registries.docker import DockerRegistry
from tests.registries.hostile import HostileRegistry, Request, ranged, reply
from tests.registries.model import Layer, Model
from tests.registry.rig import repository

BLOB = Layer(bytes(range(256)) * 4000)
MODEL = Model("library/tiny:latest", [BLOB])
DIGEST = Digest.parse(BLOB.digest)
PATH = f"/v2/library/tiny/blobs/{BLOB.digest}"
UPLOADS = "/v2/library/tiny/blobs/uploads/"
SESAME = b'{"token":"sesame"}'


@pytest.fixture
def registry() -> Iterator[HostileRegistry]:
    with HostileRegistry() as registry:
        registry.serve_model(MODEL)
        registry.say("/token", reply(200, SESAME))
        yield registry


@pytest.fixture
def storage() -> Iterator[HostileRegistry]:
    """Where a registry that keeps its blobs elsewhere sends everybody."""
    with HostileRegistry() as storage:
        yield storage


def guarded(registry: HostileRegistry, answer: Callable[[Request], bytes] | bytes) -> Callable[[Request], bytes]:
    """The answer for whoever has the token."""

    def check(request: Request) -> bytes:
        if request.authorization != "Bearer sesame":
            return reply(401, WWW_Authenticate=f'Bearer realm="{registry.url}/token",service="x"')
        return answer if isinstance(answer, bytes) else answer(request)

    return check


async def read(repo: Repository, start: int = 0, stop: int = BLOB.size) -> bytes:
    async with repo.read(DIGEST, BLOB.size, start, stop) as pieces:
        return b"".join([piece async for piece in pieces])


class RefusesAtOnce(Background):
    """A registry that answers when it has seen the head of a request."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply(413))
        await writer.drain()
        await reader.read(-1)


def sending(data: bytes) -> Callable[[], AsyncIterator[bytes]]:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(data), 300_000):
            yield data[start : start + 300_000]

    return pieces


async def test_a_manifest_comes_byte_for_byte(home: Path, registry: HostileRegistry) -> None:
    async with repository(home, registry.host) as repo:
        manifest = await repo.manifest()
    assert manifest.raw == MODEL.manifest
    (request,) = registry.requests
    assert request.headers["accept"] == "application/vnd.docker.distribution.manifest.v2+json"


async def test_a_model_that_is_not_there_is_said_to_be_so(home: Path, registry: HostileRegistry) -> None:
    registry.answers.clear()
    async with repository(home, registry.host) as repo:
        with pytest.raises(NotFound, match=r"^file does not exist$"):
            await repo.manifest()
        with pytest.raises(RegistryError, match=f"blob {DIGEST.short} is not in the registry"):
            await read(repo)
        assert not await repo.has(DIGEST)


@pytest.mark.parametrize(("start", "stop"), [(0, BLOB.size), (0, 10), (77, 800_000), (BLOB.size - 1, BLOB.size)])
async def test_a_part_comes_exactly(home: Path, registry: HostileRegistry, start: int, stop: int) -> None:
    assert isinstance(BLOB.data, bytes)
    async with repository(home, registry.host) as repo:
        assert await read(repo, start, stop) == BLOB.data[start:stop]
    expected = None if stop - start == BLOB.size else f"bytes={start}-{stop - 1}"
    assert registry.requests[0].headers.get("range") == expected


async def test_an_empty_blob_can_be_read(home: Path, registry: HostileRegistry) -> None:
    registry.say(PATH, reply(200))
    async with repository(home, registry.host) as repo, repo.read(DIGEST, 0, 0, 0) as pieces:
        assert [piece async for piece in pieces] == []


async def test_a_reader_may_leave_early(home: Path, registry: HostileRegistry) -> None:
    async with repository(home, registry.host) as repo:
        async with repo.read(DIGEST, BLOB.size, 0, BLOB.size) as pieces:
            async for _ in pieces:
                break
        assert await read(repo) == BLOB.data


async def test_a_registry_without_ranges_is_told_from_one_that_lies(home: Path, registry: HostileRegistry) -> None:
    assert isinstance(BLOB.data, bytes)
    registry.say(PATH, reply(200, BLOB.data))
    async with repository(home, registry.host) as repo:
        with pytest.raises(NoRanges):
            await read(repo, 5, 10)
        assert await read(repo) == BLOB.data


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_T05_storage_elsewhere_gets_the_range_and_no_credential(
    home: Path, registry: HostileRegistry, storage: HostileRegistry, status: int
) -> None:
    assert isinstance(BLOB.data, bytes)
    registry.say(PATH, guarded(registry, reply(status, b"moved", Location="hop?sig=a%2Fb%2bc")))
    hop = PATH.rpartition("/")[0] + "/hop"
    registry.say(hop, reply(status, Location=f"{storage.url}/data?X-Sig=%2F%2b+a&z=1&a=2"))
    storage.say("/data", lambda request: ranged(request, BLOB.data))  # type: ignore[arg-type]
    async with repository(home, registry.host, also=storage.url) as repo:
        assert await read(repo, 5, 10) == BLOB.data[5:10]
    (request,) = storage.requests
    assert request.target == "/data?X-Sig=%2F%2b+a&z=1&a=2"
    assert request.headers["range"] == "bytes=5-9"
    assert "authorization" not in request.headers
    assert registry.asked(hop)[0].target == f"{hop}?sig=a%2Fb%2bc"


@pytest.mark.parametrize("status", [401, 403])
async def test_storage_that_lets_nobody_in_any_more_is_worth_another_try(
    home: Path, registry: HostileRegistry, storage: HostileRegistry, status: int
) -> None:
    registry.say(PATH, reply(307, Location=f"{storage.url}/data"))
    challenge = f'Bearer realm="{storage.url}/token"'
    storage.say("/data", reply(status, b"secret", WWW_Authenticate=challenge))
    async with repository(home, registry.host, also=storage.url) as repo:
        with pytest.raises(Interrupted):
            await read(repo)
    assert [request.path for request in storage.requests] == ["/data"]  # its challenge is not answered


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
async def test_a_busy_registry_is_worth_another_try(home: Path, registry: HostileRegistry, status: int) -> None:
    body = b'{"errors":[{"code":"TOOMANYREQUESTS","message":"secret"}]}'
    registry.say(PATH, f"HTTP/1.1 {status} secret\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    async with repository(home, registry.host) as repo:
        with pytest.raises(Interrupted, match=f"^{status}: TOOMANYREQUESTS$"):
            await read(repo)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"errors":[{"code":"DENIED","message":"secret"}]}', "DENIED"),
        (b'{"errors":[{"code":"' + b"x" * 200 + b'"}]}', "x" * 200),
        (b'{"errors":[{"code":"' + b"x" * 201 + b'"}]}', "Forbidden"),
        (b'{"errors":[{"code":"a\\nsecret"}]}', "Forbidden"),
        (b'{"errors":[{"code":{"secret":1}}]}', "Forbidden"),
        (b'{"errors":[]}', "Forbidden"),
        (b'{"errors":{"code":"secret"}}', "Forbidden"),
        (b"secret", "Forbidden"),
        (b'{"errors":[{"code":"secret"}]}' + b" " * 9000, "Forbidden"),
        (b"", "Forbidden"),
    ],
)
async def test_T06_of_a_refusal_only_the_error_code_is_shown(
    home: Path, registry: HostileRegistry, body: bytes, shown: str
) -> None:
    registry.say("/v2/library/tiny/manifests/latest", reply(403, body))
    async with repository(home, registry.host) as repo:
        with pytest.raises(RegistryError) as caught:
            await repo.manifest()
    assert str(caught.value) == f"403: {shown}"


@pytest.mark.parametrize("status", [307, 308])
async def test_T05_redirects_of_manifest_and_upload_lose_the_credential(
    home: Path, registry: HostileRegistry, storage: HostileRegistry, status: int
) -> None:
    manifest = "/v2/library/tiny/manifests/latest"
    for path in (manifest, UPLOADS, "/session"):
        registry.say(path, guarded(registry, reply(status, Location=f"{storage.url}{path}")))
    storage.say(manifest, lambda request: reply(201 if request.method == "PUT" else 200, MODEL.manifest))
    storage.say(UPLOADS, reply(202, Location="/elsewhere"))
    storage.say("/session", reply(201))
    async with repository(home, registry.host, also=storage.url) as repo:
        assert (await repo.manifest()).raw == MODEL.manifest
        assert await repo.start_upload(DIGEST, None) == URL(f"{storage.url}/elsewhere")
        await repo.put_manifest(MODEL.manifest)
        await repo.commit(URL(f"{registry.url}/session"), DIGEST, "e-1")
    assert [request.method for request in storage.requests] == ["GET", "POST", "PUT", "PUT"]
    assert storage.requests[2].body == MODEL.manifest
    assert not any("authorization" in request.headers for request in storage.requests)
    assert {request.authorization for request in registry.asked(manifest)} == {"", "Bearer sesame"}


async def test_T05_an_upload_session_elsewhere_gets_no_credential(
    home: Path, registry: HostileRegistry, storage: HostileRegistry
) -> None:
    registry.say(UPLOADS, guarded(registry, reply(202, Location=f"{storage.url}/session")))
    storage.say("/session", reply(401, WWW_Authenticate=f'Bearer realm="{storage.url}/token"'))
    async with repository(home, registry.host, also=storage.url) as repo:
        session = await repo.start_upload(DIGEST, None)
        assert session is not None
        with pytest.raises(RegistryError, match="401"):
            await repo.patch(session, sending(b"data"), 0, 4)
    assert [request.path for request in storage.requests] == ["/session"]
    assert "authorization" not in storage.requests[0].headers


async def test_a_mount_is_asked_for_and_taken(home: Path, registry: HostileRegistry) -> None:
    source = ModelName.parse("someone/other:tag")
    registry.say(UPLOADS, reply(201, Location="/v2/x"))
    async with repository(home, registry.host) as repo:
        assert await repo.start_upload(DIGEST, source) is None
        registry.say(UPLOADS, reply(202, Location="/session?_state=a%2Fb%3D"))  # refused: an ordinary session
        assert str(await repo.start_upload(DIGEST, source)) == f"{registry.url}/session?_state=a%2Fb%3D"
    request = registry.requests[0]
    assert (request.method, request.query) == ("POST", {"mount": [BLOB.digest], "from": ["someone/other"]})


async def test_parts_are_sent_unchunked_with_their_place(home: Path, registry: HostileRegistry) -> None:
    assert isinstance(BLOB.data, bytes)
    registry.say(
        "/session", guarded(registry, reply(202, Docker_Upload_Location="/next?_state=%2b", Location="/wrong"))
    )
    async with repository(home, registry.host) as repo:
        patched = await repo.patch(URL(f"{registry.url}/session"), sending(BLOB.data[100:]), 100, BLOB.size - 100)
    assert (str(patched.next_session), patched.put_to) == (f"{registry.url}/next?_state=%2b", None)
    *_, request = registry.asked("/session")
    assert request.body == BLOB.data[100:]
    assert "transfer-encoding" not in request.headers
    assert request.headers["content-length"] == str(BLOB.size - 100)
    assert request.headers["content-range"] == f"100-{BLOB.size - 1}"
    assert request.headers["content-type"] == "application/octet-stream"
    assert request.headers["x-redirect-uploads"] == "1"
    assert request.authorization == "Bearer sesame"


async def test_T05_a_part_that_goes_elsewhere_goes_without_a_credential(
    home: Path, registry: HostileRegistry, storage: HostileRegistry
) -> None:
    where = f"{storage.url}/put?X-Sig=%2F%2b+a"
    answer = reply(307, Docker_Upload_Location=f"{registry.url}/next", Location=where)
    registry.say("/session", guarded(registry, answer))
    storage.say("/put", reply(200))
    async with repository(home, registry.host, also=storage.url) as repo:
        patched = await repo.patch(URL(f"{registry.url}/session"), sending(b"x" * 5000), 0, 5000)
        assert (str(patched.next_session), str(patched.put_to)) == (f"{registry.url}/next", where)
        assert patched.put_to is not None
        assert not storage.requests
        await repo.put_part(patched.put_to, sending(b"x" * 5000), 5000)
    (request,) = storage.requests
    assert (request.method, request.target, request.body) == ("PUT", "/put?X-Sig=%2F%2b+a", b"x" * 5000)
    assert "authorization" not in request.headers
    assert "transfer-encoding" not in request.headers


async def test_a_session_keeps_its_own_query_when_it_is_committed(home: Path, registry: HostileRegistry) -> None:
    registry.say("/session", reply(201))
    async with repository(home, registry.host) as repo:
        await repo.commit(URL(f"{registry.url}/session?_state=a%2Fb%2b+c==", encoded=True), DIGEST, "abc-2")
    (request,) = registry.requests
    digest = BLOB.digest.replace(":", "%3A")
    assert request.target == f"/session?_state=a%2Fb%2b+c==&digest={digest}&etag=abc-2"
    assert request.headers["content-length"] == "0"


@pytest.mark.parametrize("sent", [b"", b"short", b"x" * 5001])
async def test_a_blob_that_is_not_as_long_as_it_was_is_not_sent_as_if_it_were(
    home: Path, registry: HostileRegistry, sent: bytes
) -> None:
    registry.say("/session", reply(202, Location="/next"))
    async with repository(home, registry.host) as repo:
        with pytest.raises(RegistryError, match="changed while it was sent"):
            await repo.patch(URL(f"{registry.url}/session"), sending(sent), 0, 5000)


async def test_what_goes_wrong_here_is_not_put_down_to_the_network(home: Path, registry: HostileRegistry) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 100
        raise StoreError("the disk is gone")

    async with repository(home, registry.host) as repo:
        with pytest.raises(StoreError, match="the disk is gone"):
            await repo.patch(URL(f"{registry.url}/session"), broken, 0, 5000)


async def test_the_source_of_a_part_is_closed_when_the_registry_refuses_it(
    home: Path, registry: HostileRegistry
) -> None:
    closed = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            for _ in range(2000):
                yield b"x" * 100_000
        finally:
            closed.append(True)

    with RefusesAtOnce() as refusing:
        async with repository(home, refusing.host) as repo:
            with pytest.raises(RegistryError):
                await repo.patch(URL(f"{refusing.url}/session"), endless, 0, 200_000_000)
        assert closed == [True]


async def test_the_cncf_registry_takes_and_gives_a_blob_in_parts(home: Path, tmp_path: Path) -> None:
    assert isinstance(BLOB.data, bytes)
    with DockerRegistry(tmp_path / "registry") as server:
        async with repository(home, server.host) as repo:
            assert not await repo.has(DIGEST)
            session = await repo.start_upload(DIGEST, ModelName.parse("someone/other"))
            for start, stop in ((0, 500_000), (500_000, BLOB.size)):
                assert session is not None
                patched = await repo.patch(session, sending(BLOB.data[start:stop]), start, stop - start)
                session = patched.next_session
                assert patched.put_to is None
            assert session is not None
            with pytest.raises(RegistryError, match="400: DIGEST_INVALID"):
                await repo.commit(session, Digest("0" * 64), "x-2")
            session = await repo.start_upload(DIGEST, None)
            assert session is not None
            patched = await repo.patch(session, sending(BLOB.data), 0, BLOB.size)
            await repo.commit(patched.next_session, DIGEST, "x-1")
            assert await repo.has(DIGEST)
            assert await read(repo) == BLOB.data
            assert await read(repo, 10, 600_000) == BLOB.data[10:600_000]
            config = MODEL.config
            assert isinstance(config.data, bytes)
            session = await repo.start_upload(Digest.parse(config.digest), None)
            assert session is not None
            patched = await repo.patch(session, sending(config.data), 0, config.size)
            await repo.commit(patched.next_session, Digest.parse(config.digest), "x-1")
            await repo.put_manifest(MODEL.manifest)
            assert (await repo.manifest()).raw == MODEL.manifest
            assert hashlib.sha256(MODEL.manifest).hexdigest() == (await repo.manifest()).digest.hex
