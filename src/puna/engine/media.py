"""Pictures and recordings on their way to the engine: it only ever sees what a bounded child wrote anew (threats T13).

One child per request decodes everything in it, with limits of bytes, pixels, frames, minutes, memory and time; a
decoder that crashes takes that child along and nobody else. What the child cannot read is refused by the name of its
field.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from puna.engine import mediachild
from puna.engine.bodies import sound_format
from puna.engine.mediachild import DONE, HEAD, OUT_PIXELS, OUT_TOTAL, PICTURE, SOUND, START
from puna.engine.requests import ChatRequest, GenerateRequest
from puna.engine.types import Props
from puna.environment import child_environment
from puna.errors import BadRequest, FieldRefused, PunaError
from puna.names import ModelName
from puna.prompts.messages import Attached

MAX_ITEMS = 16  # pictures and recordings of one request
MAX_CHILDREN = 2  # at once; the others wait

_SECONDS = 60.0  # for one request, on a machine that is busy
_LARGEST = 4 * OUT_PIXELS  # bytes that an honest child answers with at most


class MediaDecoder:
    """`environment` is what the children inherit; a larger picture is scaled down to `pixels`."""

    def __init__(self, environment: Mapping[str, str] | None = None, *, pixels: int = OUT_PIXELS) -> None:
        self._pixels = pixels
        self._environment = dict(child_environment() if environment is None else environment)
        self._places = asyncio.Semaphore(MAX_CHILDREN)

    async def generate_request(self, request: GenerateRequest) -> GenerateRequest:
        """The same with media that the engine may see. Raises as `reencoded`."""
        if not request.images:
            return request
        return replace(request, images=tuple(await self.reencoded(request.images)))

    async def chat_request(self, request: ChatRequest) -> ChatRequest:
        """The same with media that the engine may see. Raises as `reencoded`."""
        media = [item for message in request.messages for item in message.images]
        if not media:
            return request
        fresh = iter(await self.reencoded(media))
        messages = [replace(said, images=tuple(islice(fresh, len(said.images)))) for said in request.messages]
        return replace(request, messages=messages)

    async def reencoded(self, media: Sequence[bytes]) -> list[bytes]:
        """PNG and WAV files of the same content.

        Raises `FieldRefused` for an item that is too large or unreadable, `BadRequest` for too many of them.
        """
        if len(media) > MAX_ITEMS:
            raise BadRequest(f"at most {MAX_ITEMS} pictures and recordings fit into one request, this has {len(media)}")
        async with self._places:
            return await _decoded(media, min(self._pixels, OUT_TOTAL // max(1, len(media))), self._environment)


def check_senses(name: ModelName, props: Props, media: Iterable[bytes]) -> None:
    """Raises `BadRequest` for what the model cannot take in. Its capabilities do not tell: any projector is vision."""
    for item in media:
        sense, has = ("audio", props.audio) if sound_format(item) else ("vision", props.vision)
        if not has:
            raise BadRequest(f"{name.full} does not support {sense}")


async def _decoded(media: Sequence[bytes], pixels: int, environment: Mapping[str, str]) -> list[bytes]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", mediachild.__file__,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env=environment, start_new_session=True,
    )  # fmt: skip
    sending = asyncio.create_task(_send(process, media, pixels))
    try:
        async with asyncio.timeout(_SECONDS):
            return [await _answer(process, item) for item in media]
    except TimeoutError:
        raise PunaError("the server is too busy to decode the request's media, try again", status=503) from None
    finally:
        sending.cancel()
        with suppress(ProcessLookupError):
            process.kill()
        await asyncio.shield(process.wait())


async def _send(process: asyncio.subprocess.Process, media: Sequence[bytes], pixels: int) -> None:
    assert process.stdin is not None
    with suppress(ConnectionError):  # it ended early, which the reader notices
        process.stdin.write(START.pack(len(media), pixels))
        for item in media:
            process.stdin.write(HEAD.pack(SOUND if sound_format(item) else PICTURE, len(item)))
            process.stdin.write(item)
            await process.stdin.drain()


async def _answer(process: asyncio.subprocess.Process, item: bytes) -> bytes:
    """The new file for `item`. A child that dies instead found it unreadable, or beyond its memory and time."""
    assert process.stdout is not None
    try:
        sign, length = HEAD.unpack(await process.stdout.readexactly(HEAD.size))
        answer = await process.stdout.readexactly(length if length <= _LARGEST else 0)
    except asyncio.IncompleteReadError:
        sign, answer = b"", b"it cannot be decoded"
    if sign == DONE and answer:
        return answer
    field = item.field if isinstance(item, Attached) else "images"
    raise FieldRefused(f"{field}: {answer.decode(errors='replace')}", field)
