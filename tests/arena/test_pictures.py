"""Pictures of a question (contract arena §2.10): what is taken, and what of it goes on to a model."""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from puna.arena import pictures
from puna.arena.failures import Refused
from tests.arena.doors import Door, Reply, door
from tests.code.scripted import Scripted, upstream

Json = dict[str, Any]

pytestmark = pytest.mark.asyncio(loop_scope="module")


def picture(form: str, size: tuple[int, int] = (8, 4), **more: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, form, **more)
    return out.getvalue()


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def model() -> Scripted:
    return Scripted(script=["red"])


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened(model: Scripted) -> AsyncIterator[Door]:
    async with upstream(model) as (_, endpoint), door(endpoint) as found:
        yield found


async def shown(opened: Door, *images: object, instances: int = 1) -> Reply:
    asked = [{"model": "m", "id": str(number)} for number in range(instances)]
    history = [{"role": "user", "content": "What is it?", "images": list(images)}]
    return await opened.post("/api/chat", {"history": history, "model_instances": asked, "extended": True})


async def test_a_picture_is_written_anew_without_what_it_tells_about_its_maker(opened: Door, model: Scripted) -> None:
    place = Image.Exif()
    place[0x010E] = "at home"
    info = PngInfo()
    info.add_text("Comment", "at home")
    files = [picture("JPEG", exif=place), picture("PNG", pnginfo=info), picture("WEBP", exif=place)]
    assert all(b"at home" in file for file in files)
    assert (await shown(opened, *map(text, files))).status == 200
    sent = [base64.b64decode(image) for image in model.asked[-1]["messages"][0]["images"]]
    for data in sent:
        assert b"at home" not in data
        found = Image.open(io.BytesIO(data))
        assert (found.format, found.size) == ("PNG", (8, 4))
        assert found.getpixel((0, 0)) == pytest.approx((255, 0, 0), abs=2)  # JPEG and WebP lose a little


async def test_all_columns_are_shown_the_same_pictures(opened: Door, model: Scripted) -> None:
    assert (await shown(opened, text(picture("PNG")), instances=2)).status == 200
    first, second = model.asked[-2:]
    assert first["messages"] == second["messages"]


async def test_a_large_picture_becomes_as_large_as_a_model_needs_it(
    opened: Door, model: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "_PIXELS", 200)
    checked = await pictures.Pictures().checked([text(picture("PNG", (40, 20)))])
    assert Image.open(io.BytesIO(base64.b64decode(checked[0]))).size == (20, 10)


@pytest.mark.parametrize(
    ("image", "error"),
    [
        ("not base64!", "this is no base64"),
        (text(picture("GIF")), "this is no PNG, JPEG or WebP picture"),
        (text(picture("BMP")), "this is no PNG, JPEG or WebP picture"),
        (text(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "this is no PNG, JPEG or WebP picture"),
        (text(b"%PDF-1.7"), "this is no PNG, JPEG or WebP picture"),
        ("", "this is no PNG, JPEG or WebP picture"),
    ],
)
async def test_T13_only_pictures_are_taken(opened: Door, image: str, error: str) -> None:
    good = text(picture("PNG"))
    assert (await shown(opened, good, image)).told == (400, f"Invalid image at index 1: {error}")


async def test_T13_a_picture_has_at_most_10_MiB() -> None:
    with pytest.raises(Refused, match=r"^Invalid image at index 0: at most 10 MiB are taken$"):
        await pictures.Pictures().checked(["A" * (14 << 20)])


@pytest.mark.parametrize("cut", [9, 30, 45])
async def test_T13_a_picture_that_cannot_be_read_is_refused(opened: Door, model: Scripted, cut: int) -> None:
    asked = len(model.asked)
    reply = await shown(opened, text(picture("PNG")[:cut]))
    assert (reply.status, reply.json["error"]) == (400, "images: it cannot be decoded")
    assert len(model.asked) == asked


async def test_there_are_at_most_four_in_a_turn(opened: Door) -> None:
    assert (await shown(opened, *[text(picture("PNG"))] * 5)).told == (400, "Too many images: maximum 4")
    for wrong in (7, None, {"url": "http://x"}):
        assert (await shown(opened, wrong)).told == (400, "Invalid images: must be a list of base64 texts")


async def test_a_picture_alone_is_a_question(opened: Door) -> None:
    history = [{"role": "user", "content": "", "images": [text(picture("PNG"))]}]
    body = {"history": history, "model_instances": [{"model": "m"}], "extended": True}
    assert (await opened.post("/api/chat", body)).status == 200
    assert (await opened.post("/api/chat", {**body, "extended": False})).told == (400, "No messages provided")
