"""What registries answer, read with limits: small bodies as a whole, blobs to the exact byte, refusals as one line.

Of a refusal's body only a parsed error code is ever shown (threats T06, T08; contract ollama-store §3.8).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from http import HTTPStatus

import aiohttp
import orjson

from puna.errors import Interrupted, RegistryError
from puna.registry.faults import FAULTS, bare, fault
from puna.registry.patience import Patience

_MAX_ERROR = 8_000  # bytes
_CODE = re.compile(r"[ -~]{1,200}", re.ASCII)
_MAY_PASS = {408, 425, 429}


async def read_small(response: aiohttp.ClientResponse, limit: int, patience: Patience) -> bytes:
    """The whole body. Raises `RegistryError` when it has over `limit` bytes, `Interrupted` when it does not end."""
    body = bytearray()
    try:
        async with asyncio.timeout(patience.answer_s):
            while piece := await response.content.readany():
                body += piece
                if len(body) > limit:
                    raise RegistryError(f"{_request(response)}: the answer is over the limit of {limit} bytes")
    except FAULTS as error:
        raise fault(response.method, response.url, error) from error
    return bytes(body)


async def read_exactly(response: aiohttp.ClientResponse, size: int, patience: Patience) -> AsyncGenerator[bytes]:
    """The body in pieces, as they come. Raises `RegistryError` past `size` bytes, `Interrupted` when it ends early."""
    left = size
    while piece := await _next(response, patience):
        left -= len(piece)
        if left < 0:
            raise RegistryError(f"{_request(response)}: more bytes came than were asked for")
        yield piece
    if left:
        raise Interrupted(f"{_request(response)}: the connection was closed early")


async def _next(response: aiohttp.ClientResponse, patience: Patience) -> bytes:
    """What has arrived by now, at least a byte; nothing at the body's end."""
    try:
        async with asyncio.timeout(patience.stall_s):
            return await response.content.readany()
    except FAULTS as error:
        raise fault(response.method, response.url, error) from error


async def refusal(response: aiohttp.ClientResponse, patience: Patience) -> RegistryError:
    """The error that a status stands for: `Interrupted` where it may pass."""
    status = response.status
    text = f"{status}: {await _code(response, patience) or _phrase(status)}"
    return Interrupted(text) if status in _MAY_PASS or status >= 500 else RegistryError(text)


async def _code(response: aiohttp.ClientResponse, patience: Patience) -> str:
    """`errors[0].code` of the registry's error document; empty when there is none that could be shown."""
    try:
        document = orjson.loads(await read_small(response, _MAX_ERROR, patience))
        code = document["errors"][0]["code"]
    except (RegistryError, ValueError, LookupError, TypeError):
        return ""
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "unknown status"


def _request(response: aiohttp.ClientResponse) -> str:
    return f'{response.method} "{bare(response.url)}"'
