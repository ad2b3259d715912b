"""A scripted upstream: a small real server on loopback that speaks Ollama's routes and says what a test tells it.

    async with upstream(Scripted(script=["foo", "(", 0.05, "bar)"])) as (server, endpoint): ...

A script is played for every completion: a string is a line with that text, a number is a pause in seconds, an event is
waited for, a mapping is a line as it stands. The last line (`done`) follows unless `last` is None. Probes (§2.4 D6) are
answered as a model with fill-in-the-middle would, and counted apart from what a test asks.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from puna.client import Endpoint
from puna.code.probe import GAPS
from tests.client.fake_server import running

Json = dict[str, Any]
Step = str | float | asyncio.Event | Mapping[str, Any]
Script = Sequence[Step]

QWEN_TEMPLATE = "{{ if .Suffix }}<|fim_prefix|>{{ .Prompt }}<|fim_suffix|>{{ .Suffix }}<|fim_middle|>{{ else }}{{ .Prompt }}{{ end }}"
CODER: Json = {
    "capabilities": ["completion", "insert"],
    "template": QWEN_TEMPLATE,
    "model_info": {"general.architecture": "qwen2", "qwen2.context_length": 32768},
    "details": {"family": "qwen2", "format": "gguf", "parameter_size": "1.5B", "quantization_level": "Q4_0"},
}
"""The answer of `/api/show` for a coder with fill-in-the-middle (family Qwen2.5-Coder)."""
CHATTER: Json = {
    "capabilities": ["completion"],
    "template": "{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n",
    "model_info": {"general.architecture": "llama"},
    "details": {"family": "llama", "format": "gguf"},
}
"""A chat model without fill-in-the-middle."""
BASE: Json = {**CHATTER, "template": "{{ .Prompt }}"}
"""A base model: plain continuation only."""
EMBEDDER: Json = {"capabilities": ["embedding"], "template": "{{ .Prompt }}", "model_info": {}, "details": {}}

LAST: Json = {
    "done_reason": "stop",
    "total_duration": 9_000_000,
    "load_duration": 1_000_000,
    "prompt_eval_count": 20,
    "prompt_eval_duration": 3_000_000,
    "eval_count": 3,
    "eval_duration": 5_000_000,
}
"""What the last line carries beside `done`."""


@dataclass
class Scripted:
    """`models` maps names to answers of `/api/show`, newest first."""

    script: Script | Callable[[Json], Script] = ("pass",)  # a function gets the request's body
    models: dict[str, Json] = field(default_factory=lambda: {"qwen2.5-coder:1.5b": CODER})
    last: Json | None = field(default_factory=lambda: dict(LAST))
    endless: bool = False  # play the script again and again until the client leaves
    refusal: tuple[int, str] | None = None  # status and text instead of an answer
    fills_gaps: bool = True  # answers probes as a model with fill-in-the-middle does
    shown: asyncio.Event | None = None  # what is known about a model waits for it
    loaded: asyncio.Event | None = None  # a model's load waits for it
    tokenizes: bool = False  # answers Puna's own `/api/tokenize`: a token per character
    key: str = ""

    asked: list[Json] = field(default_factory=list)  # bodies of completions and chats, in order, without probes
    probes: list[Json] = field(default_factory=list)
    calls: list[tuple[str, Json]] = field(default_factory=list)  # every other route
    running: int = 0  # answers on their way
    most_running: int = 0
    lines: int = 0  # lines written so far, all answers together
    left: asyncio.Event = field(default_factory=asyncio.Event)  # a client hung up in the middle of an answer
    leavers: int = 0

    @property
    def prompts(self) -> list[str]:
        return [body.get("prompt", "") for body in self.asked]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        data = await request.read()
        body: Json = json.loads(data) if data else {}
        match request.path:
            case "/api/generate" if not body.get("prompt"):
                self.calls.append((request.path, body))
                if self.loaded is not None:
                    await self.loaded.wait()
                reason = "unload" if body.get("keep_alive") in (0, "0s") else "load"
                return web.json_response({"response": "", "done": True, "done_reason": reason})
            case "/api/generate" | "/api/chat":
                return await self._answer(request, body)
        self.calls.append((request.path, body))
        if request.path == "/api/show" and body.get("verbose") and self.shown is not None:
            await self.shown.wait()
        return self._plain(request.path, body)

    def _plain(self, path: str, body: Json) -> web.Response:
        match path:
            case "/":
                return web.Response(text="Ollama is running")
            case "/api/version":
                return web.json_response({"version": "0.33.0"})
            case "/api/tags" | "/api/ps":
                return web.json_response({"models": [self._listed(name) for name in self.models]})
            case "/api/show" if (found := self.models.get(body.get("model", ""))) is not None:
                return web.json_response(found)
            case "/api/tokenize" if self.tokenizes:
                return web.json_response({"tokens": [ord(char) for char in body["content"]]})
        return web.json_response({"error": f"model '{body.get('model')}' not found"}, status=404)

    def _listed(self, name: str) -> Json:
        return {
            "name": name,
            "model": name,
            "modified_at": "2026-01-01T00:00:00Z",
            "size": 1024,
            "digest": f"{sum(name.encode()):064x}",
            "details": self.models[name].get("details", {}),
        }

    async def _answer(self, request: web.Request, body: Json) -> web.StreamResponse:
        chat = request.path == "/api/chat"
        if not chat and (gap := _gap(body)) is not None:
            self.probes.append(body)
            said: Json = {"response": gap if self.fills_gaps else "nonsense", "done": True, **LAST}
            return web.json_response(said)
        self.asked.append(body)
        if self.refusal:
            status, text = self.refusal
            return web.json_response({"error": text}, status=status)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            return await self._play(request, self.script(body) if callable(self.script) else self.script, chat=chat)
        except (ConnectionError, asyncio.CancelledError):
            self.leavers += 1
            self.left.set()
            raise
        finally:
            self.running -= 1

    async def _play(self, request: web.Request, script: Script, *, chat: bool) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        while True:
            for step in script:
                match step:
                    case str():
                        await self._write(response, {**_said(step, chat=chat), "done": False})
                    case asyncio.Event():
                        await step.wait()
                    case Mapping():
                        await self._write(response, step)
                    case _:
                        await asyncio.sleep(step)
            if not self.endless:
                break
            await asyncio.sleep(0.005)
        if self.last is not None:
            await self._write(response, {**_said("", chat=chat), "done": True, **self.last})
        return response

    async def _write(self, response: web.StreamResponse, line: Mapping[str, Any]) -> None:
        await response.write(json.dumps(line).encode() + b"\n")
        self.lines += 1


def _said(text: str, *, chat: bool) -> Json:
    return {"message": {"role": "assistant", "content": text}} if chat else {"response": text}


def _gap(body: Json) -> str | None:
    """The text that fills the gap, when the prompt is a probe's."""
    prompt = body.get("prompt", "")
    lines = ((gap, gap.prefix.rpartition("\n")[0]) for gap in GAPS)
    return next((gap.middle for gap, head in lines if head in prompt and gap.suffix in prompt), None)


@asynccontextmanager
async def upstream(server: Scripted) -> AsyncIterator[tuple[Scripted, Endpoint]]:
    """Serve on a free loopback port."""
    async with running(server) as endpoint:
        yield server, endpoint
