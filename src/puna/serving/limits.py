"""How large and how slow the head of a request may be (threats T14, T23): uvicorn's protocol, which has no such limits.

What counts is what has to be kept in memory: the request line, the fields in front of the body and, in a chunked body,
those behind it. The body itself is bounded where it is read (`puna.serving.wire`).
"""

from __future__ import annotations

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 64 << 10  # bytes
MAX_FIELDS = 128
HEAD_S = 20.0  # from a new connection, or the first byte after an answer, to the end of a head; of silence in a body
LINGER_S = 1.0  # what a refused client still sends is read for so long, or the answer would be lost with it

_TOO_LARGE = b"431 Request Header Fields Too Large"
_ANSWER = b"HTTP/1.1 %b\r\ncontent-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"


class HeadTooLarge(Exception):
    """Stops the parser; uvicorn then asks `send_400_response` for the answer."""


class BoundedProtocol(HttpToolsProtocol):
    """Answers 431 to a head that is too large and hangs up on one that does not come to an end."""

    _head_bytes = 0  # of this request: its line and its fields
    _kept_bytes = 0  # since the last one began, or the last piece of a body came
    _in_body = False  # its rest may still be coming when the answer is complete
    _refused = False
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._kept_bytes += len(data)
        super().data_received(data)
        if self._kept_bytes > MAX_HEAD:  # a line, a field or a chunk's head that has no end
            self._refuse()
        elif self._idle and (self._head_timer is None or self._in_body):
            self._wait_for_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = self._kept_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(name, value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        self._in_body = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._kept_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body = False
        self._kept_bytes = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Nothing is put into the middle of an answer that has begun."""
        if self._head_bytes > MAX_HEAD or len(self.headers or ()) >= MAX_FIELDS:
            self._refuse()
        elif self._answering:
            self.transport.close()
        else:
            super().send_400_response(msg)

    @property
    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    @property
    def _answering(self) -> bool:
        return not self._idle and self.cycle.response_started

    def _count(self, *parts: bytes) -> None:
        self._head_bytes += sum(map(len, parts))
        if self._head_bytes > MAX_HEAD or len(self.headers) >= MAX_FIELDS:
            raise HeadTooLarge

    def _refuse(self) -> None:
        self._refused = True
        self._stop_waiting()
        if self._answering:
            self.transport.close()
            return
        self.transport.write(_ANSWER % (_TOO_LARGE, len(_TOO_LARGE), _TOO_LARGE))
        self.loop.call_later(LINGER_S, self.transport.close)

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self._head_timer = self.loop.call_later(HEAD_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
