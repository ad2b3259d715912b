"""A stub upstream for the page: every model says what a test tells it, with its pauses and its failures.

    site.upstream.models["tiny:1b"] = Talker(["One ", 0.2, "two.", gate, Thought("hm"), DIES])

A test runs in one thread and the stub in another: a `Gate` is how a test holds an answer and lets it go on.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from aiohttp import web

Json = dict[str, Any]

DIES: Final = "\0dies"  # the connection is closed in the middle of the answer
_POLL_S = 0.005


class Gate:
    """A place in a script where the answer waits until the test opens it."""

    def __init__(self) -> None:
        self._opened = threading.Event()

    def open(self) -> None:
        self._opened.set()

    async def wait(self) -> None:
        while not self._opened.is_set():
            await asyncio.sleep(_POLL_S)


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of thinking."""

    text: str


Step = str | float | Gate | Thought | Mapping[str, Any]  # text, seconds, …, or a line as it stands
Script = Sequence[Step]


@dataclass
class Talker:
    """A model. `refusal` is a status and a text instead of an answer."""

    script: Script | Callable[[Json], Script] = ("Hello ", "there.")  # a function gets the request's body
    capabilities: Sequence[str] = ("completion",)
    refusal: tuple[int, str] | None = None
    reason: Literal["stop", "length"] = "stop"
    tokens: int | None = None  # as many as the script has pieces, unless it is set
    family: str = "llama"
    parameter_size: str = "1B"
    quantization: str = "Q4_K_M"
    context: int = 4096
    size: int = 1_000_000_000
    loaded: bool = True


@dataclass
class Upstream:
    """What it has, what it was asked, and who hung up."""

    models: dict[str, Talker] = field(default_factory=lambda: {"alpha:1b": Talker(), "beta:2b": Talker()})
    registry: dict[str, Sequence[Json | float | Gate]] = field(default_factory=dict)  # a pull's progress, by model
    asked: list[Json] = field(default_factory=list)  # the bodies of chats, in order
    deleted: list[str] = field(default_factory=list)
    leavers: list[str] = field(default_factory=list)  # models whose reader hung up in the middle of an answer
    down: bool = False  # it hangs up on everyone
    key: str = ""

    def asked_of(self, model: str) -> list[Json]:
        return [body for body in self.asked if body["model"] == model]

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.down and request.transport is not None:
            request.transport.abort()
            return web.Response()
        data = await request.read()
        body: Json = json.loads(data) if data else {}
        match request.path:
            case "/":
                return web.Response(text="Ollama is running")
            case "/api/version":
                return web.json_response({"version": "0.33.0"})
            case "/api/tags":
                return web.json_response({"models": [self._listed(name) for name in self.models]})
            case "/api/ps":
                loaded = [name for name, talker in self.models.items() if talker.loaded]
                return web.json_response({"models": [self._running(name) for name in loaded]})
            case "/api/pull":
                return await self._pull(request, body["model"])
        model = str(body.get("model", ""))
        if model not in self.models:
            return _error(404, f"model '{model}' not found")
        match request.path:
            case "/api/show":
                return web.json_response(self._shown(model))
            case "/api/delete":
                del self.models[model]
                self.deleted.append(model)
                return web.Response()
            case "/api/chat":
                return await self._chat(request, body)
            case "/api/generate":
                return web.json_response({"response": "", "done": True, "done_reason": "load"})
        return _error(404, "404 page not found")

    def _listed(self, name: str) -> Json:
        talker = self.models[name]
        return {
            "name": name,
            "model": name,
            "modified_at": "2026-01-01T00:00:00Z",
            "size": talker.size,
            "digest": f"{sum(name.encode()):064x}",
            "details": _details(talker),
        }

    def _running(self, name: str) -> Json:
        talker = self.models[name]
        return self._listed(name) | {"size_vram": talker.size, "context_length": talker.context}

    def _shown(self, name: str) -> Json:
        talker = self.models[name]
        known = {"general.architecture": talker.family, f"{talker.family}.context_length": talker.context}
        return {"capabilities": list(talker.capabilities), "details": _details(talker), "model_info": known}

    async def _chat(self, request: web.BaseRequest, body: Json) -> web.StreamResponse:
        if not body.get("messages"):
            return web.json_response({"message": {"role": "assistant", "content": ""}, "done": True})
        self.asked.append(body)
        talker = self.models[body["model"]]
        if talker.refusal:
            return _error(*talker.refusal)
        script = talker.script(body) if callable(talker.script) else talker.script
        response = await _opened(request)
        try:
            if not await self._play(request, response, script):
                return response
            pieces = sum(isinstance(step, str | Thought) for step in script)
            await _write(response, {**_said(""), **_last(talker, talker.tokens or pieces)})
        except (ConnectionError, asyncio.CancelledError):
            self.leavers.append(body["model"])
            raise
        return response

    async def _play(self, request: web.BaseRequest, response: web.StreamResponse, script: Script) -> bool:
        """Whether it came to the script's end."""
        for step in script:
            match step:
                case str() if step == DIES:
                    if request.transport is not None:
                        request.transport.abort()
                    return False
                case str():
                    await _write(response, {**_said(step), "done": False})
                case Thought(text):
                    await _write(response, {"message": {"role": "assistant", "content": "", "thinking": text}})
                case Gate():
                    await step.wait()
                case Mapping():
                    await _write(response, step)
                case _:
                    await asyncio.sleep(step)
        return True

    async def _pull(self, request: web.BaseRequest, model: str) -> web.StreamResponse:
        """A model that the registry has is here afterwards, if the last line says so."""
        missing: Sequence[Json] = [{"error": "pull model manifest: file does not exist"}]
        response = await _opened(request)
        line: Json = {}
        for step in self.registry.get(model, missing):
            match step:
                case Gate():
                    await step.wait()
                case Mapping():
                    line = dict(step)
                    await _write(response, line)
                case _:
                    await asyncio.sleep(step)
        if "error" not in line:
            self.models.setdefault(model, Talker())
        return response


def _details(talker: Talker) -> Json:
    return {
        "family": talker.family,
        "families": [talker.family],
        "format": "gguf",
        "parameter_size": talker.parameter_size,
        "quantization_level": talker.quantization,
    }


def _said(text: str) -> Json:
    return {"message": {"role": "assistant", "content": text}}


def _last(talker: Talker, tokens: int) -> Json:
    return {
        "done": True,
        "done_reason": talker.reason,
        "total_duration": 900_000_000,
        "load_duration": 1_000_000 if talker.loaded else 800_000_000,
        "prompt_eval_count": 20,
        "prompt_eval_duration": 100_000_000,
        "eval_count": tokens,
        "eval_duration": tokens * 20_000_000,
    }


async def _opened(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    return response


async def _write(response: web.StreamResponse, line: Mapping[str, Any]) -> None:
    await response.write(json.dumps(line).encode() + b"\n")


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)
