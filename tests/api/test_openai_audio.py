"""`POST /v1/audio/transcriptions` as the unmodified `openai` SDK and plain HTTP see it (contract ollama-http §6.7).

The model that hears is the tiny llama behind a projector of random weights: it says random words, by a real way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from puna.api.openai.audio import MAX_FIELD, MAX_FIELDS
from puna.serving.wire import MAX_BODY
from tests.api.tiny_ear import tiny_ear, tone
from tests.servers import Answer, Server

BOUNDARY = "puna-test"
WAV = ("file", tone(), 'filename="a.wav"')
NO_FILE = 'file is required: send the recording as a file in the field "file"'


@pytest.fixture(scope="module", autouse=True)
def hearing(server: Server, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    files = {}
    for path in (tiny_llama, tiny_ear(tmp_path_factory.mktemp("ear") / "ear.gguf")):
        data = path.read_bytes()
        digest = files[path.name] = f"sha256:{hashlib.sha256(data).hexdigest()}"
        assert server.request("POST", f"/api/blobs/{digest}", data).status in (200, 201)
    body = {"model": "hears", "files": files, "parameters": {"num_predict": 8}, "stream": False}
    assert server.post("/api/create", body).json == {"status": "success"}
    assert "audio" in server.post("/api/show", {"model": "hears"}).json["capabilities"]


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as sdk:
        yield sdk


def form(*parts: tuple[str, str | bytes, str] | tuple[str, str | bytes]) -> bytes:
    """A multipart body of (name, value) fields; a third item is put into the part's own header."""
    lines = []
    for name, value, *more in parts:
        disposition = "; ".join([f'Content-Disposition: form-data; name="{name}"', *more])
        data = value if isinstance(value, bytes) else value.encode()
        lines += [f"--{BOUNDARY}".encode(), disposition.encode(), b"", data]
    return b"\r\n".join([*lines, f"--{BOUNDARY}--".encode(), b""])


def send(server: Server, body: bytes, content_type: str = f"multipart/form-data; boundary={BOUNDARY}") -> Answer:
    return server.request("POST", "/v1/audio/transcriptions", body, headers={"Content-Type": content_type})


def refusal(answer: Answer) -> tuple[str, Any]:
    assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error"), answer.body
    return answer.json["error"]["message"], answer.json["error"]["param"]


def test_the_sdk_gets_a_text(client: OpenAI) -> None:
    heard = client.audio.transcriptions.create(model="hears", file=("a.wav", tone()))
    assert heard.text
    again = client.audio.transcriptions.create(model="hears", file=("a.wav", tone()), language="en", temperature=0.0)
    told = client.audio.transcriptions.create(model="hears", file=("a.wav", tone()), prompt="Puno, Cusco")
    assert again.text
    assert told.text


def test_the_same_recording_gives_the_same_text(server: Server) -> None:
    """Temperature is 0 where nothing else is asked for."""
    answers = [send(server, form(("model", "hears"), WAV)) for _ in range(2)]
    assert answers[0].headers["content-type"] == "application/json"
    assert list(answers[0].json) == ["text"]
    assert answers[0].json == answers[1].json


def test_plain_text(client: OpenAI, server: Server) -> None:
    text = client.audio.transcriptions.create(model="hears", file=("a.wav", tone()), response_format="text")
    assert isinstance(text, str)
    answer = send(server, form(("model", "hears"), ("response_format", "text"), WAV))
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.body.decode() == text
    other = send(server, form(("model", "hears"), ("response_format", "verbose_json"), WAV))
    assert other.json == {"text": text}


def test_a_model_that_cannot_hear_is_refused_by_name(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="M:latest does not support audio") as at:
        client.audio.transcriptions.create(model="M", file=("a.wav", tone()))
    assert at.value.param == "model"
    with pytest.raises(openai.NotFoundError, match="model 'nope' not found"):
        client.audio.transcriptions.create(model="nope", file=("a.wav", tone()))


@pytest.mark.parametrize(
    ("parts", "message", "param"),
    [([WAV], "model is required", "model"),
     ([("model", ""), WAV], "model is required", "model"),
     ([("model", "hears")], NO_FILE, "file"),
     ([("model", "hears"), ("file", "text")], NO_FILE, "file"),
     ([("model", "hears"), ("file", b"", 'filename="a.wav"')], "audio file is empty", "file"),
     ([("model", "hears"), ("file", b"\x89PNG\r\n\x1a\n", 'filename="a.wav"')],
      "file must be a WAV or MP3 recording", "file"),
     ([("model", "hears"), ("file", b"\xff\xd8\xff\xe0", 'filename="a.mp3"')],
      "file must be a WAV or MP3 recording", "file"),
     ([("model", "hears"), ("temperature", "hot"), WAV], "temperature must be between 0 and 1", "temperature"),
     ([("model", "hears"), ("temperature", "nan"), WAV], "temperature must be between 0 and 1", "temperature"),
     ([("model", "hears"), ("response_format", "srt"), WAV],
      "response_format srt needs time stamps, use json or text", "response_format"),
     ([("model", "hears"), ("stream", "true"), WAV], "stream is not supported for transcriptions", "stream"),
     ([("model", "hears"), ("include[]", "logprobs"), WAV], "include is not supported", "include"),
     ([("model", "hears"), ("timestamp_granularities[]", "word"), WAV],
      "timestamp_granularities is not supported", "timestamp_granularities")],
)  # fmt: skip
def test_fields_that_are_missing_or_cannot_be_honoured(
    server: Server, parts: list[Any], message: str, param: str
) -> None:
    assert refusal(send(server, form(*parts))) == (message, param)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b'{"model": "hears"}', "application/json"), (b"", ""), (b"", "multipart/form-data"),
     (b"nonsense", f"multipart/form-data; boundary={BOUNDARY}"),
     (form(("model", "hears"), WAV), "multipart/form-data; boundary=other"),
     (b"--puna-test\r\nContent-Disposition: form-data\r\n\r\nx\r\n--puna-test--\r\n",
      f"multipart/form-data; boundary={BOUNDARY}")],
)  # fmt: skip
def test_what_is_no_form_is_a_400(server: Server, body: bytes, content_type: str) -> None:
    message, _ = refusal(send(server, body, content_type))
    assert message.startswith(("failed to parse multipart form: ", "model is required"))


def test_T14_a_form_has_limits(server: Server) -> None:
    for parts in (
        [(f"field{number}", "x") for number in range(MAX_FIELDS + 1)],
        [("prompt", "x" * (MAX_FIELD + 1))],
        [WAV, WAV],
    ):
        message, _ = refusal(send(server, form(("model", "hears"), *parts)))
        assert message.startswith("failed to parse multipart form: ")
    answer = send(server, form(("model", "hears"), ("file", bytes(MAX_BODY), 'filename="a.wav"')))
    assert (answer.status, "larger than" in answer.json["error"]["message"]) == (413, True)


def test_a_recording_that_cannot_be_decoded_leaves_the_model_at_work(server: Server) -> None:
    answer = send(server, form(("model", "hears"), ("file", b"RIFF\0\0\0\0WAVEnonsense", 'filename="a.wav"')))
    assert refusal(answer) == ("file: the recording cannot be decoded, send a WAV or an MP3", "file")
    assert send(server, form(("model", "hears"), WAV)).status == 200
