"""One repository of one registry: the requests of pull and push (contract ollama-store §3.2 to §3.5).

It asks and checks the answers; parts, retries and files are the business of `download` and `upload`. Works with the
reference's registry, the CNCF distribution and Hugging Face, which differ in who redirects where.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import urlencode

import aiohttp
import orjson
from yarl import URL

from puna.errors import BadRequest, Interrupted, NotFound, RegistryError
from puna.names import Digest, ModelName
from puna.registry.answers import read_exactly, read_small, refusal
from puna.registry.egress import Egress, follow
from puna.registry.hosts import Origin
from puna.registry.identity import Identity
from puna.registry.payload import Body
from puna.registry.token import Challenge, Token, fetch_token
from puna.store import MANIFEST_TYPE, MAX_MANIFEST, Manifest

_MAX_NODES = 20_000  # objects and lists in a manifest: 4 MB of `{},{},…` would take 90 MB to parse
_OCTETS = {"Content-Type": "application/octet-stream"}


class NoRanges(RegistryError):
    """The registry answered a question for a part with the whole blob."""

    def __init__(self) -> None:
        super().__init__("the registry does not send parts of blobs")


@dataclass(frozen=True, slots=True)
class Patched:
    """Where the next part goes, and where the bytes of this one go when the registry does not take them itself."""

    next_session: URL
    put_to: URL | None


class Repository:
    """The repository that `name` says, at `origin`. Methods raise `RegistryError`, `NotFound` and `Forbidden`."""

    def __init__(self, egress: Egress, origin: Origin, name: ModelName, identity: Identity) -> None:
        self.origin = origin
        self.name = name
        self._egress = egress
        self._patience = egress.patience
        self._identity = identity
        self._token: Token | None = None
        self._renewing = asyncio.Lock()

    async def manifest(self) -> Manifest:
        """The manifest of the name's tag, byte for byte. Raises `NotFound` where there is none."""
        async with self._request("GET", self._manifest_url(), headers={"Accept": MANIFEST_TYPE}) as response:
            if response.status != 200:
                await self._refuse(response)
            return _parse_manifest(await read_small(response, MAX_MANIFEST, self._patience))

    async def put_manifest(self, raw: bytes) -> None:
        """Store manifest bytes under the name's tag. Its blobs have to be there."""
        headers = {"Content-Type": str(orjson.loads(raw).get("mediaType") or MANIFEST_TYPE)}
        async with self._request("PUT", self._manifest_url(), headers=headers, data=raw) as response:
            if response.status >= 300:
                await self._refuse(response)

    @asynccontextmanager
    async def read(self, digest: Digest, size: int, start: int, stop: int) -> AsyncGenerator[AsyncIterator[bytes]]:
        """Exactly the bytes [start, stop) of a blob of `size` bytes, in pieces of up to about a megabyte.

        Raises `NoRanges`; `Interrupted` for what the next try may not meet: cut or stalled connections, a busy
        server, a redirect whose target no longer lets us in.
        """
        whole = (start, stop) == (0, size)
        headers = {} if whole else {"Range": f"bytes={start}-{stop - 1}"}
        async with self._request("GET", self._blob_url(digest), headers=headers) as response:
            if response.status in (401, 403) and not self._is_home(response):
                raise Interrupted(f"{response.status}: the registry's storage refused access")
            if response.status == 404:
                raise RegistryError(f"blob {digest.short} is not in the registry")
            if response.status not in (200, 206):
                await self._refuse(response)
            if response.status == 200 and not whole:
                raise NoRanges
            if response.status == 206:
                _check_range(response, start, stop, size)
            if response.content_length not in (None, stop - start):
                raise RegistryError("the registry sends another number of bytes than the manifest says")
            async with aclosing(read_exactly(response, stop - start, self._patience)) as pieces:
                yield pieces

    async def has(self, digest: Digest) -> bool:
        """Whether the blob is in this repository."""
        async with self._request("HEAD", self._blob_url(digest)) as response:
            if response.status == 404:
                return False
            if response.status >= 300:
                await self._refuse(response)
            return True

    async def start_upload(self, digest: Digest, mount_from: ModelName | None) -> URL | None:
        """Open an upload session. None: the registry has taken the blob over from the repository of `mount_from`."""
        url = self._url("blobs/uploads/")
        if mount_from is not None:
            source = f"{mount_from.namespace}/{mount_from.model}"
            url = _with_query(url, {"mount": str(digest), "from": source})
        async with self._request("POST", url) as response:
            if response.status == 201 and mount_from is not None:
                return None
            if response.status >= 300:
                await self._refuse(response)
            return _session_after(response)

    async def patch(self, session: URL, body: Callable[[], AsyncIterator[bytes]], start: int, size: int) -> Patched:
        """Send the next part. `body()` is an async generator of exactly `size` bytes and is called for each try."""
        headers = {**_OCTETS, "Content-Range": f"{start}-{start + size - 1}", "X-Redirect-Uploads": "1"}
        data = Body(body, size)
        async with self._request("PATCH", session, headers=headers, data=data, redirects=0) as response:
            if response.status >= 400:
                await self._refuse(response)
            if response.status < 300:
                return Patched(_session_after(response, session), None)
            return Patched(_session_after(response), follow(response.url, response.headers.get("Location", "")))

    async def put_part(self, url: URL, body: Callable[[], AsyncIterator[bytes]], size: int) -> None:
        """Send a part to where `patch` was told to. The address is the permission: no credential goes with it."""
        data = Body(body, size)
        async with self._egress.send("PUT", url, home=self.origin, headers=_OCTETS, data=data, redirects=0) as response:
            if response.status >= 300:
                await self._refuse(response)

    async def commit(self, session: URL, digest: Digest, etag: str) -> None:
        """End an upload session: the registry checks the digest and takes the blob in."""
        url = _with_query(session, {"digest": str(digest), "etag": etag})
        async with self._request("PUT", url, headers=_OCTETS, answer_s=self._patience.commit_s) as response:
            if response.status >= 300:
                await self._refuse(response)

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        url: URL,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | Body | None = None,
        redirects: int = 5,
        answer_s: float | None = None,
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """`Egress.send` with this repository's token, which is fetched when the registry asks for one."""
        renewed = False
        while True:
            used = self._token
            async with self._egress.send(
                method, url, home=self.origin, token=used, headers=headers, data=data,
                redirects=redirects, answer_s=answer_s,
            ) as response:  # fmt: skip
                if response.status != 401 or not self._is_home(response):
                    yield response
                    return
                challenge = Challenge.parse(response.headers.getall("WWW-Authenticate", ()))
            if challenge is None or renewed:
                raise RegistryError("unauthorized: access denied")
            renewed = await self._renew(used, challenge)

    async def _renew(self, used: Token | None, challenge: Challenge) -> bool:
        """Get another token than `used`: parts that are refused side by side ask once. True when this call asked."""
        async with self._renewing:
            if self._token is not used:
                return False
            self._token = await fetch_token(self._egress, self._identity, self.origin, challenge)
            return True

    async def _refuse(self, response: aiohttp.ClientResponse) -> NoReturn:
        if response.status == 404:
            raise NotFound("file does not exist")
        raise await refusal(response, self._patience)

    def _is_home(self, response: aiohttp.ClientResponse) -> bool:
        return Origin.of(response.url) == self.origin

    def _manifest_url(self) -> URL:
        return self._url(f"manifests/{self.name.tag}")

    def _blob_url(self, digest: Digest) -> URL:
        return self._url(f"blobs/{digest}")

    def _url(self, path: str) -> URL:
        return URL(f"{self.origin}/v2/{self.name.namespace}/{self.name.model}/{path}", encoded=True)


def _parse_manifest(raw: bytes) -> Manifest:
    if raw.count(b"{") + raw.count(b"[") > _MAX_NODES:
        raise RegistryError("invalid manifest: it has too many parts")
    try:
        manifest = Manifest.parse(raw)
    except BadRequest as error:
        raise RegistryError(error.message) from None
    if not manifest.layers:
        raise RegistryError("invalid manifest: it names no layers")
    return manifest


def _check_range(response: aiohttp.ClientResponse, start: int, stop: int, size: int) -> None:
    said = response.headers.get("Content-Range", "")
    if said not in (f"bytes {start}-{stop - 1}/{size}", f"bytes {start}-{stop - 1}/*"):
        raise RegistryError("the registry sent another part of a blob than was asked for")


def _session_after(response: aiohttp.ClientResponse, otherwise: URL | None = None) -> URL:
    """Where the upload goes on. `Docker-Upload-Location` is the session where `Location` takes one part's bytes."""
    location = response.headers.get("Docker-Upload-Location") or response.headers.get("Location") or ""
    return otherwise if otherwise is not None and not location else follow(response.url, location)


def _with_query(url: URL, parameters: Mapping[str, str]) -> URL:
    """The URL with parameters added and all that it has left as it is: registries sign their session addresses."""
    text = str(url.with_fragment(None))
    return URL(f"{text}{'&' if url.raw_query_string else '?'}{urlencode(parameters)}", encoded=True)
