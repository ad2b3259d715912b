"""Request bodies with `Content-Encoding: zstd`, which agents send to the OpenAI and Anthropic routes (contract §8.5).

A small body can hold a large text, so the text is bounded before it exists: 20 MiB, and a window of 8 MiB to make it.
"""

from __future__ import annotations

import sys
from typing import TypeVar

from pydantic import BaseModel
from starlette.requests import Request

from puna.errors import BadRequest
from puna.serving.wire import PLAIN, content_encoding, decode, read_body

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

MODEL = TypeVar("MODEL", bound=BaseModel)

MAX_TEXT = 20 << 20  # bytes after decompression

_WINDOW_LOG = 23  # 8 MiB


async def read_json(request: Request, model: type[MODEL], *, empty: str = "missing request body") -> MODEL:
    """As `wire.read_json`, for a body that may be compressed. Raises `BadRequest` for one that cannot be unpacked."""
    body = await read_body(request, encodings=PLAIN | {"zstd"})
    if content_encoding(request) == "zstd":
        body = unpacked(body)
    return decode(body, model, empty=empty)


def unpacked(data: bytes) -> bytes:
    """The text of one frame. Raises `BadRequest` for anything else, and for more than `MAX_TEXT`."""
    frame = ZstdDecompressor(options={DecompressionParameter.window_log_max: _WINDOW_LOG})
    try:
        text = frame.decompress(data, max_length=MAX_TEXT + 1)
    except ZstdError:
        raise BadRequest("the request body is not a valid zstd frame") from None
    if len(text) > MAX_TEXT:
        raise BadRequest("http: request body too large")
    if not frame.eof or frame.unused_data:  # a row of a million tiny frames would cost more than it is worth
        raise BadRequest("the request body must be one whole zstd frame")
    return text
