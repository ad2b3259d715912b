"""What runs in a media process: the pictures and recordings of one request are decoded and written anew (threats T13).

Started as a plain script, so that nothing of Puna is imported; what decodes hostile bytes knows no secret and is
bounded in memory and time. On stdin stands the number of items and how many pixels a picture may keep, then each
item's kind, length and bytes; each answer on stdout is `+`, a length and the new file, or `-`, a length and the reason.
What no decoder foresaw ends the process, which is an answer too.
"""

from __future__ import annotations

import io
import math
import re
import struct
import sys
import wave
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

START = struct.Struct("<IQ")  # items; pixels of each picture that is written
HEAD = struct.Struct("<cQ")  # the kind of an item or of an answer, and how many bytes follow
PICTURE, SOUND = b"p", b"s"
DONE, REFUSED = b"+", b"-"

MAX_PICTURE = 20 << 20  # bytes
MAX_PIXELS = 64_000_000
MAX_STRETCH = 200  # the longer side against the shorter: engines scale, and a side of nothing is the end of them
OUT_PIXELS = 16_000_000  # no projector takes more of one picture; a larger one is scaled down, none is enlarged
OUT_TOTAL = 64_000_000  # all pictures of a request together

MAX_SOUND = 32 << 20  # bytes
MAX_MINUTES = 30
RATE = 16_000  # Hz; the engine would resample to it anyway

MEMORY = 2 << 30  # bytes of address space
SECONDS = 30  # of processor time

_FORMATS = re.compile(
    rb"(?P<Png>\x89PNG\r\n\x1a\n)|(?P<Jpeg>\xff\xd8\xff)|(?P<WebP>RIFF.{4}WEBP)|(?P<Gif>GIF8[79]a)|(?P<Bmp>BM)",
    re.DOTALL,
)
"""What the files begin with, by the names that Pillow's readers have."""


class Refused(Exception):
    """The reason, in words for the caller."""


def main() -> None:
    _bound()
    source, target = sys.stdin.buffer, sys.stdout.buffer
    count, pixels = START.unpack(source.read(START.size))
    for _ in range(count):
        kind, length = HEAD.unpack(source.read(HEAD.size))
        data = source.read(length)
        try:
            sign, answer = DONE, png(data, pixels) if kind == PICTURE else wav(data)
        except Refused as refusal:
            sign, answer = REFUSED, str(refusal).encode()
        target.write(HEAD.pack(sign, len(answer)) + answer)
        target.flush()


def png(data: bytes, pixels: int) -> bytes:
    """The picture in at most `pixels`, without transparency. Raises `Refused`, and whatever the decoders raise."""
    if len(data) > MAX_PICTURE:
        raise Refused(f"a picture may have at most {MAX_PICTURE >> 20} MiB")
    image = _opened(data)
    width, height = image.size
    _check_size(width, height)
    if getattr(image, "is_animated", False):
        raise Refused("animations are not supported, send one picture of it")
    scale = min(1.0, math.sqrt(min(pixels, OUT_PIXELS) / (width * height)))
    size = max(1, int(width * scale)), max(1, int(height * scale))
    image.draft(None, size)  # a JPEG can come out smaller at once
    picture = _opaque(image)
    picture.thumbnail(size)
    import_module("PIL.PngImagePlugin")  # or Pillow would look for its writer in all formats there are
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()


def wav(data: bytes) -> bytes:
    """The recording with one channel, 16 bits and 16 kHz. Raises as `png`."""
    if len(data) > MAX_SOUND:
        raise Refused(f"a recording may have at most {MAX_SOUND >> 20} MiB")
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for samples in _samples(data):
            file.writeframesraw(samples)
            if file.tell() > MAX_MINUTES * 60 * RATE:
                raise Refused(f"a recording may last at most {MAX_MINUTES} minutes")
        if not file.tell():
            raise Refused("there is no sound in the recording")
    return out.getvalue()


def _opened(data: bytes) -> ImageFile:
    """Its head is read, no more. The other formats of Pillow are not even imported."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # the limit is ours
    found = _FORMATS.match(data)
    if found is None:
        raise Refused("this is no PNG, JPEG, WebP, GIF or BMP picture")
    plugin = import_module(f"PIL.{found.lastgroup}ImagePlugin")
    image: ImageFile = getattr(plugin, f"{found.lastgroup}ImageFile")(io.BytesIO(data))
    return image


def _check_size(width: int, height: int) -> None:
    if not width or not height:
        raise Refused("the picture has no size")
    if width * height > MAX_PIXELS:
        raise Refused(f"a picture may have at most {MAX_PIXELS // 10**6} million pixels, this one has {width}x{height}")
    if max(width, height) > MAX_STRETCH * min(width, height):
        raise Refused(f"a side may be at most {MAX_STRETCH} times the other, the picture has {width}x{height} pixels")


def _opaque(image: Image) -> Image:
    """RGB; what is transparent becomes white, as in the reference. 16 bits become 8 by scaling, not by clipping."""
    from PIL import Image

    if image.mode.startswith("I"):
        image = image.convert("I").point([value >> 8 for value in range(1 << 16)], "L")
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    picture = Image.new("RGB", image.size, "white")
    picture.paste(image, mask=image)
    return picture


def _samples(data: bytes) -> Iterator[bytes]:
    import miniaudio  # type: ignore[import-untyped]

    form = miniaudio.SampleFormat.SIGNED16
    try:
        yield from miniaudio.stream_memory(data, form, nchannels=1, sample_rate=RATE, frames_to_read=RATE)
    except miniaudio.DecodeError:
        raise Refused("the recording cannot be decoded, send a WAV or an MP3") from None


def _bound() -> None:
    """No files, no core dumps, little memory, little time, where the system knows such limits."""
    if sys.platform == "win32":
        return
    import resource

    limits = {resource.RLIMIT_CPU: SECONDS, resource.RLIMIT_FSIZE: 0, resource.RLIMIT_CORE: 0}
    if sys.platform == "linux":
        limits[resource.RLIMIT_AS] = MEMORY
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))


if __name__ == "__main__":
    main()
