"""An endpoint whose truth is known: it speaks Ollama's routes and OpenAI's, at exact times and with exact counts.

A model's name chooses its `Script`; the hostile ones are scripts, too. A prompt has one token per word and ten more.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic_ns
from typing import Any, Literal

import uvloop
from aiohttp import web

from puna.client import Endpoint

Json = dict[str, Any]
NS = 1_000_000_000
TEMPLATE_TOKENS = 10

Trick = Literal[
    "",
    "endless",  # never stops talking
    "silent",  # headers, and then nothing
    "hangs after done",  # the answer is whole, its stream never ends
    "breaks off",  # ends without `done`
    "garbage",  # lines that are no JSON, values of wrong types, and then the end
    "garbage inside",  # the same between good lines
    "huge line",
    "huge body",
    "error inside",  # an `error` object in the middle of the stream
    "lies",  # counts and durations that cannot be
    "exaggerates",  # durations a tenth of the true ones
    "counts nothing",  # no counts at all
    "only total",  # no evaluation times
    "stops early",  # before num_predict
]


@dataclass(frozen=True)
class Script:
    ttft_s: float = 0.02
    gap_s: float = 0.005
    tokens: int = 8
    per_chunk: int = 1
    thinking: int = 0  # of the chunks, the first ones
    load_s: float = 0.5  # said of a model that was not in memory; 0.001 otherwise
    prompt_s: float = 0.01  # said of every prompt's evaluation
    cached: int | None = None  # tokens said to be cached
    capabilities: tuple[str, ...] | None = ("completion",)
    trick: Trick = ""
    refusals: tuple[int, ...] = ()  # statuses of the first requests


@dataclass
class Synthetic:
    """`asked` has (path, body) of every request in order, `truth` the times at which an answer's chunks really left."""

    models: dict[str, Script] = field(default_factory=lambda: {"steady": Script()})
    places: int = 99  # models that fit into memory
    context: int = 4096
    embeds_as: int = 16  # vector length
    tags: list[Any] | None = None  # instead of those of `models`
    key: str = ""
    native: bool = True
    asked: list[tuple[str, Json]] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    peers: set[Any] = field(default_factory=set)  # connections that were used
    at_once: dict[str, int] = field(default_factory=dict)  # most requests of a model in work at one time
    working: dict[str, int] = field(default_factory=dict)
    truth: dict[str, list[int]] = field(default_factory=dict)  # by prompt: ns from the request to each chunk

    def bodies(self, path: str) -> list[Json]:
        return [body for asked, body in self.asked if asked == path]

    def models_asked(self) -> list[str]:
        return [
            body["model"] for path, body in self.asked if path in ("/api/chat", "/api/embed", "/v1/chat/completions")
        ]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        began_ns = monotonic_ns()
        data = await request.read()
        body: Json = json.loads(data) if data else {}
        if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
            return _refused(401, "unauthorized")
        self.asked.append((request.path, body))
        if request.transport is not None:
            self.peers.add(request.transport.get_extra_info("peername"))
        path = request.path
        if path == "/":
            return web.Response(text="Ollama is running")
        if path.startswith("/v1/") or self.native:
            if path in _PLAIN:
                return _PLAIN[path](self, body)
            if path in _TALKING:
                return await self._work(request, body, began_ns)
        return web.Response(status=404, text="404 page not found")

    async def _work(self, request: web.Request, body: Json, began_ns: int) -> web.StreamResponse:
        name = str(body["model"])
        script = self.models.get(name)
        if script is None:
            return _refused(404, f"model '{name}' not found")
        turn = self.refused.get(name, 0)
        if turn < len(script.refusals):
            self.refused[name] = turn + 1
            return _refused(script.refusals[turn], "try again later")
        was_loaded = self._load(name)
        self.working[name] = self.working.get(name, 0) + 1
        self.at_once[name] = max(self.at_once.get(name, 0), self.working[name])
        try:
            load_s = 0.001 if was_loaded else script.load_s
            if request.path.endswith(("embed", "embeddings")):
                return await self._embed(request.path, body, script, load_s)
            talk = _Talk(request, body, script, began_ns, load_s)
            self.truth[str(body["messages"][-1]["content"])] = talk.sent_ns
            return await talk.answer()
        finally:
            self.working[name] -= 1

    def _load(self, name: str) -> bool:
        """Whether it was in memory before."""
        was_loaded = name in self.loaded
        if not was_loaded:
            self.loaded = [*self.loaded, name][-self.places :]
        return was_loaded

    async def _embed(self, path: str, body: Json, script: Script, load_s: float) -> web.Response:
        await asyncio.sleep(script.ttft_s)
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        tokens = sum(len(text.split()) for text in texts)
        vectors = [[0.5] * self.embeds_as for _ in texts]
        if path == "/v1/embeddings":
            data = [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]
            return web.json_response({"data": data, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}})
        total_ns, load_ns = int((script.ttft_s + load_s) * NS), int(load_s * NS)
        said = {
            "embeddings": vectors,
            "total_duration": total_ns,
            "load_duration": load_ns,
            "prompt_eval_count": tokens,
        }
        return web.json_response(said)

    def list_tags(self, _: Json) -> web.Response:
        entries = [
            {
                "name": name,
                "model": name,
                "modified_at": f"2026-01-{28 - day:02}T00:00:00Z",
                "size": 10**9,
                "digest": f"{day:064x}",
            }
            for day, name in enumerate(self.models)
        ]
        return web.json_response({"models": entries if self.tags is None else self.tags})

    def show(self, body: Json) -> web.Response:
        script = self.models.get(body["model"])
        if script is None or script.capabilities is None:
            return _refused(400, "no details of this one")
        info = {"synthetic.context_length": 8192}
        return web.json_response(
            {"details": {"parameter_size": "7B"}, "model_info": info, "capabilities": script.capabilities}
        )

    def ps(self, _: Json) -> web.Response:
        entry = {"size": 1000, "size_vram": 400, "context_length": self.context}
        return web.json_response({"models": [{"name": name, "model": name, **entry} for name in self.loaded]})

    def unload(self, body: Json) -> web.Response:
        self.loaded = [name for name in self.loaded if name != body["model"]]
        return web.json_response({"done": True, "done_reason": "unload"})

    def version(self, _: Json) -> web.Response:
        return web.json_response({"version": "0.99.0"})

    def tell_truth(self, _: Json) -> web.Response:
        told = web.json_response(self.truth)
        self.truth = {}
        return told

    def openai_models(self, _: Json) -> web.Response:
        return web.json_response(
            {"data": [{"id": name, "created": 1700000000, "max_model_len": 8192} for name in self.models]}
        )


class _Talk:
    """One streamed answer. Chunk i leaves at TTFT + i · gap after the request, however long the writing takes."""

    def __init__(self, request: web.Request, body: Json, script: Script, began_ns: int, load_s: float) -> None:
        self.sent_ns: list[int] = []
        self._request = request
        self._is_openai = request.path.startswith("/v1/")
        self._script = script
        self._began_ns = began_ns
        self._load_s = load_s
        self._words = sum(len(message["content"].split()) for message in body["messages"])
        wanted = body.get("max_tokens") if self._is_openai else (body.get("options") or {}).get("num_predict")
        self._tokens = script.tokens if wanted is None or script.trick == "stops early" else min(wanted, 10**6)
        self._chunks = -(-self._tokens // script.per_chunk)
        self._response = web.StreamResponse()

    async def answer(self) -> web.StreamResponse:
        trick = self._script.trick
        await self._response.prepare(self._request)
        if trick == "silent":
            await asyncio.sleep(3600)
        if trick == "endless":
            await self._forever()
        for index in range(self._chunks):
            await self._until(self._script.ttft_s + index * self._script.gap_s)
            if index == 1 and trick:
                await self._disturb(trick)
            if index == 1 and trick == "error inside":
                return await self._close(self._line({"error": "the engine fell over"}))
            if index == 1 and trick in ("breaks off", "garbage"):
                return await self._close(b"")
            self.sent_ns.append(monotonic_ns() - self._began_ns)
            await self._response.write(self._chunk(index))
        await self._response.write(self._last())
        if trick == "hangs after done":
            await asyncio.sleep(3600)
        return await self._close(b"")

    async def _disturb(self, trick: Trick) -> None:
        if trick in ("garbage", "garbage inside"):
            junk = b'\n\n{"message": {"content": 7, "thinking": ["x"]}}\nnot json\n[1]\n{"message": "text"}\nnull\n\xff\xfe\n'
            await self._response.write(junk.replace(b'{"m', b'data: {"m') if self._is_openai else junk)
        elif trick == "huge line":
            for _ in range(10):
                await self._response.write(b"x" * 1_000_000)
        elif trick == "huge body":
            for _ in range(70):
                await self._response.write((b" " * 4095 + b"\n") * 256)

    async def _forever(self) -> None:
        while True:
            await self._response.write(self._chunk(0))
            await asyncio.sleep(self._script.gap_s)

    async def _until(self, after_s: float) -> None:
        await asyncio.sleep(max(0.0, after_s - (monotonic_ns() - self._began_ns) / NS))

    async def _close(self, data: bytes) -> web.StreamResponse:
        await self._response.write_eof(data)
        return self._response

    def _chunk(self, index: int) -> bytes:
        thinks = index < self._script.thinking
        text = "word "
        if self._is_openai:
            return self._line(
                {"choices": [{"index": 0, "delta": {"reasoning_content" if thinks else "content": text}}]}
            )
        return self._line({"message": {"role": "assistant", "thinking" if thinks else "content": text}, "done": False})

    def _last(self) -> bytes:
        prompt = self._words + TEMPLATE_TOKENS
        if self._is_openai:
            usage = {"prompt_tokens": prompt, "completion_tokens": self._tokens}
            stop = self._line({"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]})
            counted = b"" if self._script.trick == "counts nothing" else self._line({"choices": [], "usage": usage})
            return stop + counted + b"data: [DONE]\n\n"
        script = self._script
        eval_s = (self._chunks - 1) * script.gap_s
        total_s = self._load_s + script.prompt_s + eval_s
        said: Json = {
            "total_duration": int(total_s * NS),
            "load_duration": int(self._load_s * NS),
            "prompt_eval_count": prompt,
            "prompt_eval_duration": int(script.prompt_s * NS),
            "eval_count": self._tokens,
            "eval_duration": int(eval_s * NS),
        }
        if script.cached is not None:
            said["prompt_eval_cached_count"] = script.cached
        if script.trick == "lies":
            said |= {"eval_count": 10**30, "eval_duration": -5, "prompt_eval_count": "many", "total_duration": 1.5}
        elif script.trick == "exaggerates":
            said["eval_duration"] //= 10
        elif script.trick == "counts nothing":
            said = {}
        elif script.trick == "only total":
            del said["eval_duration"]
        reason = "stop" if script.trick == "stops early" else "length"
        return self._line(
            {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": reason, **said}
        )

    def _line(self, value: Json) -> bytes:
        data = json.dumps(value).encode()
        return b"data: " + data + b"\n\n" if self._is_openai else data + b"\n"


_PLAIN = {
    "/api/tags": Synthetic.list_tags,
    "/api/show": Synthetic.show,
    "/api/ps": Synthetic.ps,
    "/api/generate": Synthetic.unload,
    "/api/version": Synthetic.version,
    "/v1/models": Synthetic.openai_models,
    "/truth": Synthetic.tell_truth,
}
_TALKING = ("/api/chat", "/api/embed", "/v1/chat/completions", "/v1/embeddings")


def _refused(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)


async def _serve_until_stdin_closes(models: dict[str, Script]) -> None:
    async with running(Synthetic(models)) as endpoint:
        print(endpoint.port, flush=True)
        await asyncio.to_thread(sys.stdin.read)


@asynccontextmanager
async def running(synthetic: Synthetic) -> AsyncIterator[Endpoint]:
    """Where it listens on the loopback."""
    runner = web.ServerRunner(web.Server(synthetic.handle, handler_cancellation=True), shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield Endpoint(host=host, port=port, api_key=synthetic.key or None)
    finally:
        await runner.cleanup()


if __name__ == "__main__":  # a process of its own, so that its work is not the meter's: `python -m … '{"m": {…}}'`
    uvloop.run(_serve_until_stdin_closes({name: Script(**fields) for name, fields in json.loads(sys.argv[1]).items()}))
