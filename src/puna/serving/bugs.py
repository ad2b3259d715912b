"""What no route foresaw: logged by its place only, and answered in the face's own form.

The web server would log an exception with its text, which may quote what a person wrote to a model.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)


def log_bug(error: Exception) -> None:
    frames = reversed(traceback.extract_tb(error.__traceback__))
    where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in frames)
    log.error("unexpected error", extra={"fields": {"error": type(error).__name__, "where": where}})


class Bugs:
    """Logs, and gives `answer` to the caller where no answer has begun."""

    def __init__(self, app: ASGIApp, answer: Callable[[Request], Response]) -> None:
        self._app = app
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            log_bug(error)
            if not started:
                await self._answer(Request(scope))(scope, receive, send)
