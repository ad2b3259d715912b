"""What an answer's bytes say: chunks with their arrival, counts, the end. Pure; one reader per route and dialect.

A reader gets the stamped pieces of one answer. The endpoint is not trusted: what is not JSON, not an object or of the
wrong type is passed over, counts that cannot be are taken as absent, and lengths are bounded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from puna.client.errors import ClientError
from puna.meter.records import Basis, Part, ServerTimings, Stamp

Json = dict[str, Any]

MAX_CHUNKS = 1 << 18  # of one answer; more tokens than any context holds
MAX_COUNT = 1 << 53  # tokens or nanoseconds; a larger number is a lie that floats cannot carry


@dataclass(slots=True)
class Heard:
    """What was read of an answer so far."""

    first_chunk_ns: int | None = None
    stamps: list[Stamp] = field(default_factory=list)
    server: ServerTimings = field(default_factory=ServerTimings)
    basis: Basis = "server"
    vector_length: int | None = None
    done_reason: str = ""
    complete: bool = False

    def chunk(self, at_ns: int) -> None:
        if self.first_chunk_ns is None:
            self.first_chunk_ns = at_ns

    def part(self, at_ns: int, part: Part, text: object) -> None:
        """One piece of text; anything but a text with characters is none. Raises `ClientError` beyond `MAX_CHUNKS`."""
        if isinstance(text, str) and text:
            if len(self.stamps) >= MAX_CHUNKS:
                raise ClientError(f"the server's answer has more than {MAX_CHUNKS} chunks")
            self.stamps.append(Stamp(at_ns, part, len(text)))


class Reader(Protocol):
    heard: Heard

    def feed(self, at_ns: int, data: bytes) -> None:
        """One piece. Raises `ClientError` for an error that the endpoint reports, and for a line without an end."""

    def finish(self, at_ns: int) -> None:
        """The answer's end. Raises `ClientError` like `feed`."""


class WholeReader(ABC):
    """A `Reader` of an answer that is one JSON object."""

    def __init__(self) -> None:
        self.heard = Heard()
        self._body = bytearray()

    def feed(self, at_ns: int, data: bytes) -> None:
        self.heard.chunk(at_ns)
        self._body += data

    def finish(self, at_ns: int) -> None:
        value = loaded_object(bytes(self._body))
        if value is None:
            raise ClientError("the server's answer is not a JSON object")
        if error := reported_error(value):
            raise ClientError(error)
        self.understand(value)
        self.heard.complete = True

    @abstractmethod
    def understand(self, value: Json) -> None:
        """Take down what the object says."""


def loaded_object(data: bytes) -> Json | None:
    """None for what is no JSON object."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def reported_error(value: Json) -> str:
    """The text of an `error`, be it a string or an object with a `message`; empty without one."""
    error = value.get("error")
    if isinstance(error, dict):
        error = error.get("message") or error
    return str(error) if error else ""


def inner(value: Json, key: str) -> Json:
    """The object at `key`, empty when there is none."""
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def number(value: Json, key: str) -> int | None:
    """A count of tokens or nanoseconds; None for anything that cannot be one."""
    found = value.get(key)
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found < MAX_COUNT:
        return None
    return found
