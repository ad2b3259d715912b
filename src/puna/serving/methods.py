"""HTTP methods in any case: `curl -X post` sends the literal method `post` (contract code-completion H1).

The parser knows the methods as RFC 9110 writes them and refuses all others. h11 takes any word, but costs 0.1 ms of CPU
more per request (0.15 instead of 0.05 on the bench machine), as much as everything else that a small answer needs.
"""

from __future__ import annotations

from puna.serving.limits import BoundedProtocol

_LONGEST = 32  # bytes: more without a blank is no method


class AnyCaseMethods(BoundedProtocol):
    """Writes the method large where a piece of network data begins with a request.

    A request that stands behind another one in the same piece (pipelining) is left as it is.
    """

    _between_requests = True
    _held = b""  # a method that has not come to its end

    def data_received(self, data: bytes) -> None:
        if self._between_requests:
            data = self._held + data
            method, blank, rest = data.partition(b" ")
            unfinished = not blank and len(data) < _LONGEST and data.strip(b"\r\n").isalpha()
            self._held = data if unfinished else b""
            if unfinished:
                return
            if not method.isupper():
                data = method.upper() + blank + rest
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._between_requests = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        self._between_requests = True
        super().on_message_complete()
