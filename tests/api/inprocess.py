"""The real app called inside the test: no socket, no child process, and a caller who can leave at any line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from fastapi import FastAPI

from puna.errors import PunaError
from puna.names import ModelName
from puna.progress import Progress
from puna.registry import Outdated
from tests.servers import Answer

CALLER = "192.0.2.7"  # an address that only documents use


@dataclass
class FakeRegistry:
    """Does what the script says: yields its steps, raises its errors, waits where it says None."""

    script: Sequence[Progress | PunaError | None] = (Progress("success"),)
    refusal: PunaError | None = None
    versions: Sequence[Outdated] = ()
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    left: int = 0
    open: bool = False

    async def __aenter__(self) -> Self:
        self.open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.open = False

    def pull(self, name: ModelName, *, insecure: bool = False) -> AsyncGenerator[Progress]:
        return self._begin("pull", name, insecure)

    def push(self, name: ModelName, *, insecure: bool = False) -> AsyncGenerator[Progress]:
        return self._begin("push", name, insecure)

    def verify(
        self, name: ModelName | None, *, repair: bool = False, insecure: bool = False
    ) -> AsyncGenerator[Progress]:
        return self._begin("verify", name, repair, insecure)

    async def outdated(self, names: Sequence[ModelName] | None = None) -> Sequence[Outdated]:
        self.asked.append(("outdated", names))
        return self.versions

    def _begin(self, *asked: Any) -> AsyncGenerator[Progress]:
        self.asked.append(asked)
        if self.refusal is not None:
            raise self.refusal
        return self._steps()

    async def _steps(self) -> AsyncGenerator[Progress]:
        try:
            for step in self.script:
                if step is None:
                    await asyncio.Event().wait()
                elif isinstance(step, PunaError):
                    raise step
                else:
                    yield step
        finally:
            self.left += 1


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncGenerator[FastAPI]:
    """The app between its start and its end."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        yield app


async def post(
    app: FastAPI,
    path: str,
    body: object,
    *,
    leave_after: int | None = None,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request. With `leave_after` the caller goes away when so many pieces of the body have come."""
    waiting = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]
    leaving = asyncio.Event()
    head: dict[str, Any] = {}
    pieces: list[bytes] = []

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop()
        await leaving.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            head.update(message)
        else:
            pieces.append(message.get("body", b""))
            if leave_after is not None and len(pieces) >= leave_after:
                leaving.set()

    await app(_scope(method, path, headers or {}), receive, send)
    answered = {name.decode().lower(): value.decode() for name, value in head.get("headers", ())}
    return Answer(head.get("status", 0), answered, b"".join(pieces))


def _scope(method: str, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    sent = {"host": "localhost"} | {name.lower(): value for name, value in headers.items()}
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "client": (CALLER, 50_000),
        "server": ("localhost", 11434),
    }
