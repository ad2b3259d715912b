"""What can go wrong with a server of somebody else.

PunaError
└── ClientError          the server answered with an error; `status` is its HTTP status, `text` its own words
    └── ServerUnreachable    nothing answers there; starting a server may help
"""

from __future__ import annotations

import json

from puna.errors import PunaError


class ClientError(PunaError):
    """An error that came from a server.

    `str()` carries the status line for endpoints that stream and only the text for the others, as the reference's
    client does (contract ollama-store §6.1); `text` is always the bare text. `answered` is the HTTP status that came
    back, None when the failure was none of HTTP's.
    """

    def __init__(self, text: str, *, status: int | None = None, reason: str = "") -> None:
        super().__init__(f"{status} {reason}: {text}" if reason else text, status=status)
        self.text = text
        self.answered = status


class ServerUnreachable(ClientError):
    """No connection came about: refused, no such host, or no answer in time."""

    def __init__(self, text: str = "could not connect to puna server, run 'puna serve' to start it") -> None:
        super().__init__(text, status=503)
        self.answered = None


def error_text(body: bytes, reason: str) -> str:
    """What a server says in the body of a refusal: the `error` of an object, else its first line.

    A web page is no such text: something else than a model server, or a proxy in front of one, has answered.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict) and isinstance(value.get("error"), str):
        return str(value["error"])
    line = body[:500].decode(errors="replace").strip().partition("\n")[0].strip()
    if line.startswith("<"):
        return f"a web page came back ({reason}): is the address that of a model server?"
    return line or reason
