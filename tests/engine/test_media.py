"""What becomes of a picture or a recording before the engine sees it (threats T13)."""

from __future__ import annotations

import io
import wave

import pytest
from PIL import Image

from puna.engine import mediachild
from puna.engine.mediachild import MAX_MINUTES, MAX_SOUND, OUT_PIXELS, RATE, Refused, png
from tests.api.hostile_media import good_pictures, mp3, plain, saved, wav


def shown(data: bytes, pixels: int = OUT_PIXELS) -> Image.Image:
    picture = Image.open(io.BytesIO(png(data, pixels)))
    assert (picture.format, picture.mode) == ("PNG", "RGB")
    return picture


@pytest.mark.parametrize("name", good_pictures())
def test_a_picture_keeps_its_size(name: str) -> None:
    data = good_pictures()[name]
    assert shown(data).size == Image.open(io.BytesIO(data)).size


def test_a_picture_keeps_its_pixels() -> None:
    photo = plain()
    for form in ("PNG", "BMP"):
        assert shown(saved(photo, form)).tobytes() == photo.tobytes()
    assert shown(saved(photo, "WEBP", lossless=True)).tobytes() == photo.tobytes()


def test_what_is_transparent_is_white() -> None:
    half = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    half.putpixel((1, 0), (255, 0, 0, 0))
    picture = shown(saved(half, "PNG"))
    assert [picture.getpixel((x, 0)) for x in (0, 1)] == [(255, 0, 0), (255, 255, 255)]


def test_sixteen_bits_become_eight() -> None:
    assert shown(saved(Image.new("I;16", (1, 1), 40_000), "PNG")).getpixel((0, 0)) == (156, 156, 156)


def test_T13_a_large_picture_is_scaled_down_and_a_small_one_left_alone() -> None:
    for form in ("PNG", "JPEG"):
        picture = shown(saved(plain(size=(200, 100)), form), 5000)
        assert picture.size == (100, 50)
    assert shown(saved(plain(size=(100, 50)), "PNG"), 5000).size == (100, 50)
    assert shown(saved(plain(size=(200, 1)), "PNG"), 50).size == (100, 1)


def test_T13_a_picture_has_no_more_than_20_mib() -> None:
    with pytest.raises(Refused, match="at most 20 MiB"):
        png(saved(plain(), "PNG") + bytes(20 << 20), OUT_PIXELS)


def heard(data: bytes) -> int:
    """How many samples the engine would hear."""
    with wave.open(io.BytesIO(mediachild.wav(data))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        return file.getnframes()


def test_a_recording_becomes_one_channel_of_16_khz() -> None:
    assert heard(wav(0.5)) == RATE // 2
    assert heard(wav(0.5, rate=8_000, width=1)) == pytest.approx(RATE // 2, rel=0.01)
    assert heard(wav(0.5, rate=48_000, channels=2)) == pytest.approx(RATE // 2, rel=0.01)
    assert heard(mp3()) == pytest.approx(20 * 1152 / 44_100 * RATE, rel=0.2)


def _with_format(*, channels: int = 1, rate: int = 16_000, bits: int = 16) -> bytes:
    data = bytearray(wav())
    data[22:24] = channels.to_bytes(2, "little")
    data[24:28] = rate.to_bytes(4, "little")
    data[34:36] = bits.to_bytes(2, "little")
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [wav(0), wav()[:40], wav()[:20], b"RIFF\0\0\0\0WAVEnonsense", b"RIFF\0\0\0\0WAVE", b"ID3", b"ID3" + bytes(999),
     b"\xff\xfb\x90\x64", b"\xff\xfb" + b"\xff" * 999, _with_format(channels=0), _with_format(channels=65_535),
     _with_format(rate=0), _with_format(bits=0), _with_format(bits=65_535)],
)  # fmt: skip
def test_T13_a_broken_recording_is_refused(data: bytes) -> None:
    with pytest.raises(Refused):
        mediachild.wav(data)


def test_T13_a_recording_has_limits() -> None:
    with pytest.raises(Refused, match=f"at most {MAX_MINUTES} minutes"):
        mediachild.wav(wav(MAX_MINUTES * 60 + 2, rate=4_000, width=1))
    with pytest.raises(Refused, match="at most 32 MiB"):
        mediachild.wav(wav() + bytes(MAX_SOUND))
    slow = bytearray(wav(1))
    slow[24:28] = (1).to_bytes(4, "little")  # 16,000 samples of a second each
    with pytest.raises(Refused):
        mediachild.wav(bytes(slow))
