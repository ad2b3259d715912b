"""`OllamaClient`: the native routes of any Ollama-compatible server (contract ollama-http §3), over aiohttp.

Requests and answers are plain JSON objects in the contract's shapes: what a server may add tomorrow passes through.
The server is not trusted: lines and bodies are bounded, compressed answers are not asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import aiohttp
import orjson

from puna.client.endpoint import Endpoint
from puna.client.errors import ClientError, ServerUnreachable, error_text
from puna.client.ndjson import LineSplitter
from puna.names import Digest

Json = dict[str, Any]
JsonLines = AsyncGenerator[Json, None]

MAX_BODY = 64 << 20  # bytes of one plain answer; a verbose `show` with a large vocabulary is about 20 MiB
CONNECT_S = 30.0  # only connecting is timed: loading a model or reading a long prompt may take minutes
KEEP_S = 4.0  # idle connections go before uvicorn closes them (5 s), so that no request meets a closing one
_UPLOAD_PIECE = 1 << 20  # bytes


class OllamaClient:
    """An async context manager. Every method raises `ServerUnreachable` or `ClientError`.

    The methods that give an async generator are streams: leave them early through `contextlib.aclosing`, which closes
    the connection and so ends the server's work.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._headers = {"Accept-Encoding": "identity"}
        if endpoint.api_key:
            self._headers["Authorization"] = f"Bearer {endpoint.api_key}"
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = self._new_session()
        return self

    def _new_session(self, traces: list[aiohttp.TraceConfig] | None = None) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_S),
            trust_env=not self.endpoint.is_loopback,  # proxies never stand between this machine and itself
            auto_decompress=False,
            trace_configs=traces,
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def heartbeat(self) -> None:
        """Ask whether a server answers (`HEAD /`)."""
        await self._call("HEAD", "/")

    async def get(self, path: str) -> Json:
        """The JSON object at a route that takes no body."""
        return await self._call("GET", path)

    async def version(self) -> str:
        """The level of Ollama's API that the server speaks."""
        return str((await self.get("/api/version")).get("version", ""))

    async def tags(self) -> list[Json]:
        """The stored models, newest first (§3.2)."""
        return _models(await self.get("/api/tags"))

    async def ps(self) -> list[Json]:
        """The loaded models (§3.3)."""
        return _models(await self.get("/api/ps"))

    async def show(self, model: str, *, verbose: bool = False) -> Json:
        """Everything about one model (§3.4); status 404 when the server does not have it."""
        return await self._call("POST", "/api/show", {"model": model, "verbose": verbose})

    def generate(self, request: Mapping[str, Any]) -> JsonLines:
        """The lines of `/api/generate` (§3.5); an empty prompt loads the model and gives one line."""
        return self._stream("/api/generate", request)

    def chat(self, request: Mapping[str, Any]) -> JsonLines:
        """The lines of `/api/chat` (§3.6)."""
        return self._stream("/api/chat", request)

    async def embed(self, request: Mapping[str, Any]) -> Json:
        """One answer of `/api/embed` (§3.7)."""
        return await self._call("POST", "/api/embed", request)

    async def tokenize(self, model: str, content: str) -> list[Any]:
        """The tokens of a text (Puna's `/api/tokenize`); status 404 from a server that has no such route."""
        tokens = (await self._call("POST", "/api/tokenize", {"model": model, "content": content})).get("tokens")
        return tokens if isinstance(tokens, list) else []

    def create(self, request: Mapping[str, Any]) -> JsonLines:
        """The progress lines of `/api/create` (§3.9)."""
        return self._stream("/api/create", request)

    def pull(self, model: str, *, insecure: bool = False) -> JsonLines:
        """The progress lines of `/api/pull` (§3.13); `insecure` lets the server ask the registry over plain http."""
        return self._stream("/api/pull", {"model": model, "insecure": insecure})

    def push(self, model: str, *, insecure: bool = False) -> JsonLines:
        """The progress lines of `/api/push` (§3.13)."""
        return self._stream("/api/push", {"model": model, "insecure": insecure})

    def verify(self, model: str | None = None, *, repair: bool = False, insecure: bool = False) -> JsonLines:
        """The progress lines of Puna's `/api/verify`: one model, or everything; `repair` pulls what is damaged."""
        request = {"repair": repair, "insecure": insecure}
        return self._stream("/api/verify", request if model is None else {"model": model, **request})

    async def outdated(self, models: Sequence[str] | None = None) -> list[Json]:
        """What the registries have for the pulled models, or for some of them (Puna's `/api/outdated`).

        Objects of `name`, `digest` (here), `newest` (there) and `error` (why nobody knows); empty ones are left out.
        """
        return _models(await self._call("POST", "/api/outdated", {} if models is None else {"models": list(models)}))

    async def has_blob(self, digest: Digest) -> bool:
        try:
            await self._call("HEAD", f"/api/blobs/{digest}")
        except ClientError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def upload_blob(self, path: Path, digest: Digest, progress: Callable[[int], None] | None = None) -> None:
        """Send a file; `progress` hears how many of its bytes were handed over so far."""
        size = (await asyncio.to_thread(path.stat)).st_size
        with await asyncio.to_thread(path.open, "rb") as file:
            pieces = _pieces(file, progress)
            await self._call("POST", f"/api/blobs/{digest}", pieces, {"Content-Length": str(size)})

    async def copy(self, source: str, destination: str) -> None:
        await self._call("POST", "/api/copy", {"source": source, "destination": destination})

    async def delete(self, model: str) -> None:
        await self._call("DELETE", "/api/delete", {"model": model})

    async def unload(self, model: str) -> None:
        """Ask the server to let the model's memory go; it does when the model is idle (§4.12)."""
        await self._call("POST", "/api/generate", {"model": model, "keep_alive": "0s"})

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        """One request of a plain route. An empty answer is `{}`."""
        async with self._open(method, path, body, headers) as response:
            data = await _read(response)
            if response.status >= 400:
                raise ClientError(error_text(data, str(response.reason)), status=response.status)
            return _object(data) if data else {}

    async def _stream(self, path: str, body: Mapping[str, Any]) -> JsonLines:
        """The lines of a streaming route. A line with an `error` ends the stream as a `ClientError`."""
        splitter = LineSplitter()
        async with self._open("POST", path, body) as response:
            async for piece in response.content.iter_any():
                for line in splitter.feed(piece):
                    yield _checked_line(line, response)
            for line in splitter.finish():
                yield _checked_line(line, response)
            if response.status >= 400:
                raise ClientError("no reason given", status=response.status, reason=str(response.reason))

    @asynccontextmanager
    async def _open(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | AsyncIterator[bytes] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        traced: object = None,  # what the session's traces hear of this request
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session is None:
            raise RuntimeError("OllamaClient is used outside its `async with`")
        data: AsyncIterator[bytes] | bytes | BytesIO | None
        data = orjson.dumps(dict(body)) if isinstance(body, Mapping) else body
        if isinstance(data, bytes) and len(data) > _UPLOAD_PIECE:
            data = BytesIO(data)  # pictures: in one piece they would hold up everything else
        url = self.endpoint.url + path
        try:
            asked = self._session.request(method, url, data=data, headers=headers, trace_request_ctx=traced)
            async with asked as response:
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _translated(error, self.endpoint) from error


def _translated(error: Exception, endpoint: Endpoint) -> ClientError:
    match error:
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            return ServerUnreachable()
        case aiohttp.ClientConnectorError():
            reason = error.os_error.strerror or "no connection"
            return ServerUnreachable(f"could not connect to {endpoint.url}: {reason}")
        case TimeoutError():
            return ServerUnreachable(f"could not connect to {endpoint.url}: no answer within {CONNECT_S:.0f} s")
        case _:
            return ClientError("the server closed the connection before its answer was complete")


async def _pieces(file: BinaryIO, progress: Callable[[int], None] | None) -> AsyncIterator[bytes]:
    sent = 0
    while piece := await asyncio.to_thread(file.read, _UPLOAD_PIECE):
        yield piece
        sent += len(piece)
        if progress is not None:
            progress(sent)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    data = bytearray()
    async for piece in response.content.iter_any():
        data += piece
        if len(data) > MAX_BODY:
            raise ClientError(f"the server's answer is larger than {MAX_BODY >> 20} MiB")
    return bytes(data)


def _checked_line(line: bytes, response: aiohttp.ClientResponse) -> Json:
    if response.status >= 400:
        reason = str(response.reason)
        raise ClientError(error_text(line, reason), status=response.status, reason=reason)
    value = _object(line)
    if error := value.get("error"):
        raise ClientError(str(error))
    return value


def _object(data: bytes) -> Json:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise ClientError(f"the server's answer is not a JSON object: {_excerpt(data)}")
    return value


def _excerpt(data: bytes) -> str:
    return " ".join(data[:200].decode(errors="replace").split())


def _models(answer: Json) -> list[Json]:
    models = answer.get("models")
    return [model for model in models if isinstance(model, dict)] if isinstance(models, list) else []
