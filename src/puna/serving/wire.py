"""Bytes on the native routes: JSON in by the reference's lenient rules, JSON out as Go writes it.

Contract ollama-http §1.2 (request decoding), §1.3 (response encoding). No business logic.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import AsyncGenerator, Container, Mapping
from typing import Any, NoReturn, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from puna.errors import BadRequest, Cancelled, FieldRefused, PunaError

MODEL = TypeVar("MODEL", bound=BaseModel)

MAX_BODY = 64 << 20  # bytes of one JSON request: two pictures of 20 MiB travel inside it as base64 (threats T13)
MAX_DEPTH = 64  # nesting of one JSON request (threats T14)
MAX_CONTAINERS = (
    100_000  # lists and objects in it; one takes 64 bytes of memory for two in the body, and more when read
)
MAX_VALUES = 1_000_000  # what stands in them
MAX_DIGITS = 40  # of an integer: Python's have no end
PLAIN = frozenset(("", "identity"))  # the content encodings of a body that is sent as it is
IDLE_BODY_S = 60.0  # a sender that is silent for so long has given up its place (threats T23)

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")  # whole pairs are one character by now


async def read_json(request: Request, model: type[MODEL], *, empty: str = "missing request body") -> MODEL:
    """The request's body as `model`. Raises `BadRequest` with the reference's texts, 413 for a body over `MAX_BODY`."""
    return decode(await read_body(request), model, empty=empty)


def decode(body: bytes, model: type[MODEL], *, empty: str = "missing request body") -> MODEL:
    """JSON text to a request model: unknown keys ignored, `null` means absent, trailing data ignored.

    `empty` is the dialect's text for a body without anything. A `FieldRefused` names the first field that is wrong.
    """
    if not body.strip():
        raise BadRequest(empty)
    value = parse_json(body)
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise BadRequest(f"json: cannot unmarshal {_kind(value)} into a {model.__name__}")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _first_problem(error) from None


def parse_json(body: bytes, *, finite: bool = True) -> Any:
    """One JSON value; what follows it is ignored and invalid UTF-8 becomes U+FFFD. Raises `BadRequest`.

    With `finite` off NaN and infinities are read as such, for a face that names the field that holds one.
    """
    _check_count(body)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = _parse_leniently(body, finite=finite)
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        _check_depth(value)
    return value


def _parse_leniently(body: bytes, *, finite: bool) -> Any:
    decoder = json.JSONDecoder(
        parse_int=_integer,
        parse_float=_finite if finite else float,
        parse_constant=_refuse_constant if finite else float,
    )
    text = body.decode("utf-8", errors="replace").lstrip(" \t\r\n")
    try:
        return _without_surrogates(decoder.raw_decode(text)[0])
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()):
            raise BadRequest("unexpected EOF") from None
        raise BadRequest(f"invalid character {text[error.pos]!r} in the request body: {error.msg}") from None
    except RecursionError:
        raise BadRequest(f"JSON nested deeper than {MAX_DEPTH} levels") from None


def _without_surrogates(value: Any) -> Any:
    """Halves of a surrogate pair are U+FFFD, as in Go: they have no UTF-8 form and could not be sent on."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise BadRequest(f"invalid character {name[0]!r} looking for beginning of value")


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise BadRequest("number out of range in the request body")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise BadRequest("number out of range in the request body")
    return value


def _check_count(body: bytes) -> None:
    """Before anything is built. What stands in strings does not count, but it is rarely worth a look."""
    containers, commas = _counted(body)
    if containers > MAX_CONTAINERS or containers + commas > MAX_VALUES:
        containers, commas = _counted(_STRING.sub(b"", body))
    if containers > MAX_CONTAINERS:
        raise BadRequest(f"JSON with more than {MAX_CONTAINERS} lists and objects")
    if containers + commas > MAX_VALUES:
        raise BadRequest(f"JSON with more than {MAX_VALUES} values")


def _counted(body: bytes) -> tuple[int, int]:
    return body.count(b"[") + body.count(b"{"), body.count(b",")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise BadRequest(f"JSON nested deeper than {MAX_DEPTH} levels")


def _kind(value: object) -> str:
    kinds: Mapping[type, str] = {bool: "bool", str: "string", list: "array", int: "number", float: "number"}
    return kinds.get(type(value), "value")


def _first_problem(error: ValidationError) -> BadRequest:
    problem = error.errors(include_url=False, include_context=True)[0]
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"])[1:]
    cause = problem.get("ctx", {}).get("error")
    if isinstance(cause, ValueError):  # raised by a validator of ours: its text is meant for the caller
        return FieldRefused(str(cause), place)
    where = ".".join(str(part) for part in problem["loc"])
    text = problem["msg"]
    return FieldRefused(f"json: field {where}: {text[:1].lower()}{text[1:]}", place)


async def read_body(request: Request, *, limit: int = MAX_BODY, encodings: Container[str] = PLAIN) -> bytes:
    """The whole body of a JSON request. Raises 413 for one over `limit` bytes, and as `body_parts`."""
    parts: list[bytes] = []
    size = 0
    async for part in body_parts(request, encodings):
        size += len(part)
        if size > limit:
            raise PunaError(f"request body larger than {limit} bytes", status=413)
        parts.append(part)
    return b"".join(parts)


async def body_parts(request: Request, encodings: Container[str] = PLAIN) -> AsyncGenerator[bytes]:
    """The body as it arrives, in one of `encodings`.

    Raises 415 for any other one, 408 for a sender that fell silent, `Cancelled` for one that went away.
    """
    if (encoding := content_encoding(request)) not in encodings:
        raise PunaError(f'Content-Encoding "{encoding[:32]}" is not supported here, send the body as it is', status=415)
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(IDLE_BODY_S):
                part = await anext(stream, None)
        except TimeoutError:
            raise PunaError("the request body did not arrive in time", status=408) from None
        except ClientDisconnect:
            raise Cancelled from None
        if part is None:
            return
        yield part


def content_encoding(request: Request) -> str:
    """In lower case; empty where nothing was done to the body."""
    return ",".join(request.headers.getlist("content-encoding")).strip().lower()


def encode(value: object) -> bytes:
    """Compact JSON with Go's HTML escapes. The five sequences occur only inside strings, so replacing bytes is safe."""
    data = orjson.dumps(value)
    if b"<" in data or b">" in data or b"&" in data:
        data = data.replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")
    if b"\xe2\x80\xa8" in data or b"\xe2\x80\xa9" in data:
        data = data.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
    return data


def line(value: object) -> bytes:
    return encode(value) + b"\n"


def json_response(value: object, status: int = 200) -> Response:
    return Response(encode(value), status, media_type="application/json; charset=utf-8")
