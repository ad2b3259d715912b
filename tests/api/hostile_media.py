"""Pictures as a caller may send them: fine ones, and those that are broken, boundless or something else altogether."""

from __future__ import annotations

import io
import struct
import wave
import zlib
from collections.abc import Sequence

from PIL import Image

SIZE = (48, 32)


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def plain(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    """A picture of something: a gradient."""
    return Image.linear_gradient("L").resize(size).convert(mode)


def good_pictures() -> dict[str, bytes]:
    """By name; a model can be shown each of them."""
    exif = Image.Exif()
    exif[0x010E] = "x" * 9999
    photo = plain()
    return {
        "png": saved(photo, "PNG"),
        "png of 1x1": saved(plain(size=(1, 1)), "PNG"),
        "png with a palette": saved(plain("P"), "PNG", transparency=0),
        "png of 16 bits": saved(plain("I;16"), "PNG"),
        "png of 1 bit": saved(plain("1"), "PNG"),
        "png with transparency": saved(plain("LA"), "PNG"),
        "jpeg": saved(photo, "JPEG", exif=exif),
        "jpeg in greys": saved(plain("L"), "JPEG", progressive=True),
        "jpeg in cmyk": saved(plain("CMYK"), "JPEG"),
        "jpeg of two pictures": saved(photo, "MPO", save_all=True, append_images=[photo]),
        "webp": saved(photo, "WEBP"),
        "webp without loss": saved(plain("RGBA"), "WEBP", lossless=True),
        "gif": saved(photo, "GIF"),
        "bmp": saved(photo, "BMP"),
    }


def bad_pictures() -> dict[str, bytes]:
    """By name; nothing of this may reach an engine."""
    photo, second = plain(), plain().rotate(90)
    several = {"save_all": True, "append_images": [second]}
    good = good_pictures()
    return {
        **{f"half a {form}": good[form][: len(good[form]) // 2] for form in ("png", "jpeg", "webp", "gif", "bmp")},
        "png of 0x0": _png(0, 0),
        "png of 65535x65535": _png(65_535, 65_535),
        "png of 4 Gi x 4 Gi": _png(2**32 - 1, 2**32 - 1),
        "png without data": _png(*SIZE, data=None),
        "png of another checksum": good["png"].replace(b"IDAT", b"IDAt"),
        "png with a text of 1 GB": _png(*SIZE, chunks=[(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 28)))]),
        "png much longer than wide": saved(plain(size=(1, 1000)), "PNG"),
        "jpeg of 65535x65535": _jpeg_of(good["jpeg"], 65_535, 65_535),
        "jpeg of 0x0": _jpeg_of(good["jpeg"], 0, 0),
        "jpeg's first bytes": b"\xff\xd8\xff\xe0",
        "webp of 16384x16384": b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0\xff\x3f\0\xff\x3f\0ALPH\0\0\0\0",
        "gif of 65535x65535": b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + good["gif"][10:],
        "bmp of 0x0": good["bmp"][:18] + struct.pack("<ii", 0, 0) + good["bmp"][26:],
        "bmp of 2 Gi lines": good["bmp"][:18] + struct.pack("<ii", 1, 2**31 - 1) + good["bmp"][26:],
        "animated gif": saved(photo, "GIF", **several),
        "animated webp": saved(photo, "WEBP", **several),
        "animated png": saved(photo, "PNG", **several),
        "gif of 10,000 pictures": _long_gif(10_000),
        "html": b"<!DOCTYPE html><html><img src=http://127.0.0.1/></html>",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "pdf": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF",
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
        "tiff": saved(photo, "TIFF"),
        "ico": saved(photo, "ICO"),
        "ppm": saved(photo, "PPM"),
        "tga": saved(photo, "TGA"),
        "psd": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 32, 48, 8, 3) + bytes(99),
        "zip": b"PK\x03\x04" + bytes(60),
        "one byte": b"\x89",
        "zeros": bytes(4096),
        "another magic": b"\x89PMG" + good["png"][4:],
        "riff of something": b"RIFF\x10\0\0\0AVI LIST" + bytes(16),
    }


def wav(seconds: float = 0.25, *, rate: int = 16_000, channels: int = 1, width: int = 2) -> bytes:
    """Silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(width)
        out.setframerate(rate)
        out.writeframes(bytes(int(seconds * rate) * channels * width))
    return file.getvalue()


def mp3(frames: int = 20) -> bytes:
    """Silence: frames of 128 kbit/s at 44.1 kHz in which nothing is set."""
    return (b"\xff\xfb\x90\x64" + bytes(413)) * frames


def _png(width: int, height: int, *, chunks: Sequence[tuple[bytes, bytes]] = (), data: bytes | None = b"") -> bytes:
    head = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = () if data is None else ((b"IDAT", zlib.compress(data)),)
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in (head, *chunks, *body, (b"IEND", b"")))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _jpeg_of(jpeg: bytes, width: int, height: int) -> bytes:
    """`jpeg` with another size in its frame header."""
    place = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:place] + struct.pack(">HH", height, width) + jpeg[place + 4 :]


def _long_gif(pictures: int) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return head + frame * pictures + b"\x3b"
