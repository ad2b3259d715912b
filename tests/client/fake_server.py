"""A small server that speaks the native routes' shapes, remembers what it was asked, and does what a test tells it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from puna.client import Endpoint

Json = dict[str, Any]
MODEL: Json = {
    "name": "tiny:latest",
    "model": "tiny:latest",
    "modified_at": "2026-01-01T00:00:00Z",
    "size": 1024,
    "digest": "ab" * 32,
    "details": {"family": "llama"},
}
TIMES: Json = {
    "total_duration": 2_000_000_000,
    "load_duration": 500_000_000,
    "prompt_eval_count": 5,
    "prompt_eval_duration": 100_000_000,
    "eval_count": 10,
    "eval_duration": 1_000_000_000,
}


@dataclass
class FakeServer:
    """Answers every model name in `models`; `pieces` is what each answer says."""

    models: dict[str, Json] = field(default_factory=lambda: {"tiny": {"capabilities": ["completion"]}})
    pieces: list[Json] = field(default_factory=lambda: [{"content": "Hello"}, {"content": " there"}])
    endless: bool = False  # keep talking after `pieces` until the client leaves
    registry: dict[str, list[Json]] = field(default_factory=dict)  # the progress lines of a pull, by name
    steps: list[Json] = field(default_factory=lambda: [{"status": "success"}])  # those of a push and of a verify
    outdated: list[Json] = field(default_factory=list)
    step_s: float = 0.0  # between two progress lines
    key: str = ""
    asked: list[tuple[str, Any]] = field(default_factory=list)  # (path, body) in order
    headers: list[dict[str, str]] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)  # a client left in the middle of an answer
    blobs: dict[str, bytes] = field(default_factory=dict)
    overrides: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = field(default_factory=dict)

    def bodies(self, path: str) -> list[Any]:
        return [body for asked, body in self.asked if asked == path]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.key and request.path != "/" and request.headers.get("Authorization") != f"Bearer {self.key}":
            return _error(401, "unauthorized")
        self.headers.append(dict(request.headers))
        if request.path.startswith("/api/blobs/"):
            return await self._blob(request)
        data = await request.read()
        body = json.loads(data) if data else None
        self.asked.append((request.path, body))
        if override := self.overrides.get(request.path):
            return await override(request)
        route = _ROUTES.get((request.method, request.path))
        return await route(self, request, body or {}) if route else web.Response(status=404, text="404 page not found")

    async def _blob(self, request: web.Request) -> web.Response:
        digest = request.path.rpartition("/")[2]
        if request.method == "HEAD":
            return web.Response(status=200 if digest in self.blobs else 404)
        self.blobs[digest] = await request.content.read()
        return web.Response(status=201)

    async def root(self, request: web.Request, body: Json) -> web.Response:
        return web.Response(text="Ollama is running")

    async def version(self, request: web.Request, body: Json) -> web.Response:
        return web.json_response({"version": "0.33.0"})

    async def tags(self, request: web.Request, body: Json) -> web.Response:
        return web.json_response({"models": [MODEL]})

    async def ps(self, request: web.Request, body: Json) -> web.Response:
        loaded = {"size_vram": 0, "context_length": 8192, "expires_at": "2318-01-01T00:00:00Z"}
        return web.json_response({"models": [MODEL | loaded]})

    async def show(self, request: web.Request, body: Json) -> web.Response:
        if body["model"] not in self.models:
            return _error(404, f"model '{body['model']}' not found")
        return web.json_response({"details": {"family": "llama"}, "model_info": {}} | self.models[body["model"]])

    async def generate(self, request: web.Request, body: Json) -> web.StreamResponse:
        if body["model"] not in self.models:
            return _error(404, f"model '{body['model']}' not found")
        if not body.get("prompt"):
            return web.json_response({"model": body["model"], "response": "", "done": True, "done_reason": "load"})
        lines = [{"response": piece.get("content", ""), **piece} for piece in self.pieces]
        return await self._stream(request, [*lines, {"response": "", "done": True, **TIMES}])

    async def chat(self, request: web.Request, body: Json) -> web.StreamResponse:
        lines: list[Json] = [
            piece if "error" in piece else {"message": {"role": "assistant", "content": "", **piece}}
            for piece in self.pieces
        ]
        last = {"message": {"role": "assistant", "content": ""}, "done": True, **TIMES}
        return await self._stream(request, [*lines, last])

    async def embed(self, request: web.Request, body: Json) -> web.Response:
        return web.json_response({"model": body["model"], "embeddings": [[0.5, -0.25]]})

    async def create(self, request: web.Request, body: Json) -> web.StreamResponse:
        return await self._stream(request, [{"status": "writing manifest"}, {"status": "success"}])

    async def pull(self, request: web.Request, body: Json) -> web.StreamResponse:
        """A model that the registry has is here afterwards, if the last line says so."""
        unknown: list[Json] = [{"status": "pulling manifest"}, {"error": "pull model manifest: file does not exist"}]
        lines = self.registry.get(body["model"], unknown)
        response = await self._stream(request, lines)
        if "error" not in lines[-1]:
            self.models.setdefault(body["model"], {"capabilities": ["completion"]})
        return response

    async def progress(self, request: web.Request, body: Json) -> web.StreamResponse:
        return await self._stream(request, self.steps)

    async def newest(self, request: web.Request, body: Json) -> web.Response:
        return web.json_response({"models": self.outdated})

    async def copy(self, request: web.Request, body: Json) -> web.Response:
        if body["source"] not in self.models:
            return _error(404, f'model "{body["source"]}" not found')
        return web.Response()

    async def delete(self, request: web.Request, body: Json) -> web.Response:
        return web.Response() if body["model"] in self.models else _error(404, f"model '{body['model']}' not found")

    async def _stream(self, request: web.Request, lines: list[Json]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        try:
            for line in lines[:-1] if self.endless else lines:
                await response.write(json.dumps(line).encode() + b"\n")
                await asyncio.sleep(self.step_s)
            while self.endless:
                await response.write(json.dumps(lines[0]).encode() + b"\n")
                await asyncio.sleep(0.01)
        except (ConnectionError, asyncio.CancelledError):
            self.left.set()
            raise
        return response


_ROUTES: dict[tuple[str, str], Callable[[FakeServer, web.Request, Json], Awaitable[web.StreamResponse]]] = {
    ("HEAD", "/"): FakeServer.root,
    ("GET", "/api/version"): FakeServer.version,
    ("GET", "/api/tags"): FakeServer.tags,
    ("GET", "/api/ps"): FakeServer.ps,
    ("POST", "/api/show"): FakeServer.show,
    ("POST", "/api/generate"): FakeServer.generate,
    ("POST", "/api/chat"): FakeServer.chat,
    ("POST", "/api/embed"): FakeServer.embed,
    ("POST", "/api/create"): FakeServer.create,
    ("POST", "/api/pull"): FakeServer.pull,
    ("POST", "/api/push"): FakeServer.progress,
    ("POST", "/api/verify"): FakeServer.progress,
    ("POST", "/api/outdated"): FakeServer.newest,
    ("POST", "/api/copy"): FakeServer.copy,
    ("DELETE", "/api/delete"): FakeServer.delete,
}


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)


@asynccontextmanager
async def running(server: FakeServer) -> AsyncIterator[Endpoint]:
    """Serve on a free loopback port."""
    runner = web.ServerRunner(web.Server(server.handle, handler_cancellation=True), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield Endpoint(port=runner.addresses[0][1], api_key=server.key or None)
    finally:
        await runner.cleanup()
