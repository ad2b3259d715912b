"""Pictures of a question: checked by their content, and written anew without what they tell about their maker (§2.10).

A bounded child decodes them (threats T13), and nothing of the file that was sent goes on to a model or into a database.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from puna.arena.failures import Refused
from puna.arena.request import Question

if TYPE_CHECKING:
    from puna.engine.media import MediaDecoder

MOST_BYTES = 10 << 20  # of one picture
_PIXELS = 4_000_000  # more of them tell a model nothing, and four such PNGs fit into one request

_KNOWN = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|RIFF.{4}WEBP", re.DOTALL)


class Pictures:
    """Base64 in, base64 of a PNG out."""

    async def checked(self, images: Sequence[str]) -> tuple[str, ...]:
        """Raises `Refused` for what is no picture, and `BadRequest` for one that cannot be read or has too many pixels.

        A server whose decoders are all at work raises `PunaError` (503).
        """
        if not images:
            return ()
        files = await asyncio.to_thread(_files, images)
        fresh = await self._decoder.reencoded(files)
        return tuple(base64.b64encode(picture).decode() for picture in fresh)

    async def checked_questions(self, questions: Sequence[Question]) -> tuple[Question, ...]:
        """The same questions; a picture that several instances are shown is looked at once. Raises as `checked`."""
        sent = list(dict.fromkeys(image for question in questions for image in _images(question)))
        if not sent:
            return tuple(questions)
        fresh = dict(zip(sent, await self.checked(sent), strict=True))
        return tuple(_with(question, (fresh[image] for image in _images(question))) for question in questions)

    @cached_property
    def _decoder(self) -> MediaDecoder:
        """Imported with the first picture: it brings much of the engine along."""
        from puna.engine.media import MediaDecoder

        return MediaDecoder(pixels=_PIXELS)


def _files(images: Iterable[str]) -> list[bytes]:
    return [_file(index, image) for index, image in enumerate(images)]


def _file(index: int, image: str) -> bytes:
    if len(image) > MOST_BYTES * 4 // 3 + 4:
        raise Refused(f"Invalid image at index {index}: at most {MOST_BYTES >> 20} MiB are taken")
    try:
        data = base64.b64decode(image, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(f"Invalid image at index {index}: this is no base64") from None
    if not _KNOWN.match(data):
        raise Refused(f"Invalid image at index {index}: this is no PNG, JPEG or WebP picture")
    return data


def _images(question: Question) -> list[str]:
    return [image for message in question.messages for image in message.images]


def _with(question: Question, images: Iterable[str]) -> Question:
    fresh = iter(images)
    messages = [replace(said, images=tuple(islice(fresh, len(said.images)))) for said in question.messages]
    return replace(question, messages=tuple(messages))
