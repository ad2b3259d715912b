"""Pictures and recordings in three dialects: what is good is answered, what is not is a 400 that names its field (T13).

The model that sees is the tiny llama behind a projector of random weights: what it says is noise, by a real way.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from puna.engine.media import MAX_ITEMS
from tests.api.hostile_media import bad_pictures, good_pictures, mp3, plain, saved, wav
from tests.api.tiny_ear import tiny_ear
from tests.api.tiny_eye import tiny_eye
from tests.servers import Answer, Server

GOOD, BAD = good_pictures(), bad_pictures()
AT_ONCE = 4


@pytest.fixture(scope="module", autouse=True)
def models(server: Server, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("projectors")
    for name, projector in (("sees", tiny_eye(folder / "eye.gguf")), ("listens", tiny_ear(folder / "ear.gguf"))):
        files = {}
        for path in (tiny_llama, projector):
            data = path.read_bytes()
            digest = files[path.name] = f"sha256:{hashlib.sha256(data).hexdigest()}"
            assert server.request("POST", f"/api/blobs/{digest}", data).status in (200, 201)
        body = {"model": name, "files": files, "parameters": {"num_predict": 2, "temperature": 0}, "stream": False}
        assert server.post("/api/create", body).json == {"status": "success"}


def native(server: Server, text: str) -> Answer:
    message = {"role": "user", "content": "what is it?", "images": [text]}
    return server.post("/api/chat", {"model": "sees", "messages": [message], "stream": False})


def openai(server: Server, text: str) -> Answer:
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{text}"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "what is it?"}, part]}]
    return server.post("/v1/chat/completions", {"model": "sees", "messages": messages, "max_tokens": 2})


def anthropic(server: Server, text: str) -> Answer:
    source = {"type": "base64", "media_type": "image/png", "data": text}
    content = [{"type": "text", "text": "what is it?"}, {"type": "image", "source": source}]
    body = {"model": "sees", "messages": [{"role": "user", "content": content}], "max_tokens": 2}
    return server.post("/v1/messages", body)


Dialect = Callable[[Server, str], Answer]
FIELDS: dict[Dialect, str] = {
    native: "messages[0].images[0]",
    openai: "messages[0].content[1].image_url",
    anthropic: "messages.0.content.1.source.data",
}


def send(server: Server, dialect: Dialect, files: dict[str, bytes]) -> dict[str, Answer]:
    """The answers by the files' names."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        texts = [base64.b64encode(data).decode() for data in files.values()]
        return dict(zip(files, pool.map(lambda text: dialect(server, text), texts), strict=True))


def message_of(answer: Answer) -> str:
    error: Any = answer.json["error"]
    return str(error if isinstance(error, str) else error["message"])


def engines(server: Server) -> set[int]:
    return {pid for child in server.runners() if (pid := _engine(child))}


def _engine(process: psutil.Process) -> int:
    try:
        return process.pid if any(word.endswith("/child.py") for word in process.cmdline()) else 0
    except psutil.NoSuchProcess:
        return 0


@pytest.mark.parametrize("dialect", FIELDS, ids=lambda dialect: dialect.__name__)
def test_T13_a_good_picture_is_answered(server: Server, dialect: Dialect) -> None:
    for name, answer in send(server, dialect, GOOD).items():
        assert answer.status == 200, (name, answer.body)


@pytest.mark.parametrize("dialect", FIELDS, ids=lambda dialect: dialect.__name__)
def test_T13_a_bad_picture_is_refused_and_the_engine_never_sees_it(server: Server, dialect: Dialect) -> None:
    assert send(server, dialect, {"png": GOOD["png"]})["png"].status == 200
    before = engines(server)
    assert before
    for name, answer in send(server, dialect, BAD).items():
        assert (answer.status, name) == (400, name), answer.body
        assert message_of(answer).startswith(f"{FIELDS[dialect]}: "), (name, answer.body)
        if dialect is openai:
            assert answer.json["error"]["param"] == FIELDS[dialect]
    assert engines(server) == before
    assert send(server, dialect, {"png": GOOD["png"]})["png"].status == 200


@pytest.mark.parametrize("dialect", FIELDS, ids=lambda dialect: dialect.__name__)
def test_T13_no_bytes_are_no_picture(server: Server, dialect: Dialect) -> None:
    assert dialect(server, "").status == 400


def test_T13_refusals_say_what_to_do(server: Server) -> None:
    files = {name: BAD[name] for name in ("svg", "animated gif", "png of 65535x65535", "png much longer than wide")}
    texts = {name: message_of(answer) for name, answer in send(server, native, files).items()}
    where = FIELDS[native]
    assert texts == {
        "svg": f"{where}: this is no PNG, JPEG, WebP, GIF or BMP picture",
        "animated gif": f"{where}: animations are not supported, send one picture of it",
        "png of 65535x65535": f"{where}: a picture may have at most 64 million pixels, this one has 65535x65535",
        "png much longer than wide": f"{where}: a side may be at most 200 times the other, "
        "the picture has 1x1000 pixels",
    }


def test_the_same_picture_in_another_format_is_the_same_to_the_model(server: Server) -> None:
    answers = send(server, native, {"png": GOOD["png"], "bmp": GOOD["bmp"], "other": saved(plain().rotate(90), "PNG")})
    png, bmp, other = (answer.json["message"]["content"] for answer in answers.values())
    assert png == bmp
    assert png != other


def test_pictures_keep_their_order(server: Server) -> None:
    def look(*pictures: bytes) -> str:
        images = [base64.b64encode(picture).decode() for picture in pictures]
        body = {"model": "sees", "prompt": "[img][img] compare", "images": images, "raw": True, "stream": False}
        return str(server.post("/api/generate", body).json["response"])

    one, other = saved(plain(), "PNG"), saved(plain().rotate(90), "WEBP")
    assert look(one, other) == look(one, other)
    assert look(one, other) != look(other, one)


def test_T13_a_request_has_no_more_than_16_pictures(server: Server) -> None:
    message = {"role": "user", "content": "?", "images": [base64.b64encode(GOOD["png"]).decode()]}
    for count, status in ((MAX_ITEMS, 200), (MAX_ITEMS + 1, 400)):
        body = {"model": "sees", "messages": [message] * count, "stream": False, "options": {"num_ctx": 4096}}
        answer = server.post("/api/chat", body)
        assert answer.status == status, answer.body
    assert f"at most {MAX_ITEMS} pictures" in message_of(answer)


def test_T13_only_the_bad_one_of_several_is_named(server: Server) -> None:
    images = [base64.b64encode(data).decode() for data in (GOOD["png"], GOOD["webp"], BAD["half a png"], GOOD["gif"])]
    answer = server.post("/api/generate", {"model": "sees", "prompt": "?", "images": images})
    assert (answer.status, answer.json) == (400, {"error": "images[2]: it cannot be decoded"})


def test_T13_every_route_that_makes_a_prompt_looks_at_its_pictures(server: Server) -> None:
    svg = base64.b64encode(BAD["svg"]).decode()
    url = f"data:image/png;base64,{svg}"
    source = {"type": "base64", "media_type": "image/png", "data": svg}
    block = {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "image", "source": source}]}
    message = {"role": "user", "content": "?", "images": [svg]}
    bodies: dict[str, dict[str, Any]] = {
        "/api/generate": {"prompt": "?", "images": [svg], "stream": True},
        "/api/chat": {"messages": [message], "_debug_render_only": True},
        "/v1/responses": {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": url}]}]},
        "/v1/messages": {"max_tokens": 2, "stream": True, "messages": [{"role": "user", "content": [block]}]},
        "/v1/messages/count_tokens": {"messages": [{"role": "user", "content": [block]}]},
    }
    for path, body in bodies.items():
        answer = server.post(path, {"model": "sees", **body})
        assert (path, answer.status) == (path, 400), answer.body
        assert "this is no PNG" in message_of(answer)


@pytest.mark.parametrize(
    ("model", "data", "text"),
    [("sees", wav(), "does not support audio"), ("listens", GOOD["png"], "does not support vision"),
     ("M", GOOD["png"], "does not support vision"), ("M", b"nothing", "does not support vision")],
)  # fmt: skip
def test_what_the_model_cannot_take_in_is_refused_first(server: Server, model: str, data: bytes, text: str) -> None:
    images = [base64.b64encode(data).decode()]
    answer = server.post("/api/generate", {"model": model, "prompt": "?", "images": images})
    assert (answer.status, answer.json) == (400, {"error": f"registry.ollama.ai/library/{model}:latest {text}"})


def test_recordings_on_every_route(server: Server) -> None:
    def ask(data: bytes) -> Answer:
        audio = {"type": "input_audio", "input_audio": {"data": base64.b64encode(data).decode(), "format": "wav"}}
        body = {"model": "listens", "messages": [{"role": "user", "content": [audio]}], "max_tokens": 2}
        return server.post("/v1/chat/completions", body)

    assert ask(wav()).status == 200
    assert ask(mp3()).status == 200
    answer = ask(wav()[:40])
    assert (answer.status, answer.json["error"]["param"]) == (400, "messages[0].content[0].input_audio.data")
    images = [base64.b64encode(b"RIFF\0\0\0\0WAVEnonsense").decode()]
    answer = server.post("/api/generate", {"model": "listens", "prompt": "?", "images": images})
    text = "images[0]: the recording cannot be decoded, send a WAV or an MP3"
    assert (answer.status, answer.json) == (400, {"error": text})
