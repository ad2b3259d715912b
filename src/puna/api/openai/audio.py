"""`POST /v1/audio/transcriptions`: a recording in a form, its words out (contract ollama-http §6.7).

A chat with the recording attached. A model that cannot hear is refused by its name.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import APIRouter
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from puna.api.inference import concatenated, subject_of
from puna.api.state import runtime
from puna.api.timing import timed
from puna.engine.bodies import sound_format
from puna.engine.requests import ChatRequest
from puna.errors import BadRequest, FieldRefused, PunaError
from puna.prompts.messages import Attached, Message
from puna.serving.streams import answer
from puna.serving.wire import MAX_BODY, body_parts, line

router = APIRouter(tags=["openai"])

MAX_FIELDS = 32
MAX_FIELD = 64 << 10  # bytes of one field that is not the file

_FORM = {
    "type": "object",
    "required": ["model", "file"],
    "properties": {
        "model": {"type": "string"},
        "file": {"type": "string", "format": "binary"},
        "language": {"type": "string"},
        "prompt": {"type": "string"},
        "response_format": {"type": "string", "enum": ["json", "text"]},
        "temperature": {"type": "number"},
    },
}
_PAGE = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}}
_NEEDS_TIMES = ("srt", "vtt")


@router.post("/v1/audio/transcriptions", openapi_extra=_PAGE)
async def transcriptions(request: Request) -> Response:
    async with _form(request) as form:
        model = _text(form, "model")
        if not model:
            raise FieldRefused("model is required", "model")
        wanted = _text(form, "response_format")
        ask = await _ask(form)
    subject = subject_of(request, model)
    if "audio" not in subject.capabilities:
        raise FieldRefused(f"{subject.model.name.full} does not support audio", "model")
    subject.check_chat(ask)

    async def words() -> str:
        async with runtime(request).engine.chat(subject, ask) as found:
            batches = timed(request, found)
            return concatenated([chunk async for batch in batches for chunk in batch]).text.strip()

    text = await answer(request, words)
    if wanted == "text":
        return PlainTextResponse(text)
    return Response(line({"text": text}), media_type="application/json")


@asynccontextmanager
async def _form(request: Request) -> AsyncGenerator[FormData]:
    """The form's fields; the file is spooled to disk when it is large and gone when the block is left."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise BadRequest("failed to parse multipart form: the Content-Type is not multipart/form-data")
    parser = MultiPartParser(
        request.headers, _bounded(request), max_files=1, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise BadRequest(f"failed to parse multipart form: {error.message}") from None
    try:
        yield form
    finally:
        await form.close()


async def _bounded(request: Request) -> AsyncGenerator[bytes]:
    size = 0
    async for part in body_parts(request):
        size += len(part)
        if size > MAX_BODY:
            raise PunaError(f"request body larger than {MAX_BODY >> 20} MiB", status=413)
        yield part


async def _ask(form: FormData) -> ChatRequest:
    """Raises `FieldRefused` for a field that is wrong or cannot be honoured."""
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise FieldRefused('file is required: send the recording as a file in the field "file"', "file")
    if not file.size:
        raise FieldRefused("audio file is empty", "file")
    sound = await file.read()
    if sound_format(sound) is None:
        raise FieldRefused("file must be a WAV or MP3 recording", "file")
    if (wanted := _text(form, "response_format")) in _NEEDS_TIMES:
        raise FieldRefused(f"response_format {wanted} needs time stamps, use json or text", "response_format")
    if _text(form, "stream").lower() not in ("", "false"):
        raise FieldRefused("stream is not supported for transcriptions", "stream")
    for field in ("timestamp_granularities[]", "include[]"):
        if field in form:
            raise FieldRefused(f"{field.removesuffix('[]')} is not supported", field.removesuffix("[]"))
    content = ["Write down word for word what is said in this recording, and nothing else."]
    if language := _text(form, "language"):
        content.append(f"The language is {language}.")
    if prompt := _text(form, "prompt"):
        content.append(f"What came before it, or helps to spell names: {prompt}")
    message = Message("user", "\n".join(content), images=(Attached.at("file", sound),))
    return ChatRequest(messages=[message], options={"temperature": _temperature(form)}, think=False)


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def _temperature(form: FormData) -> float:
    try:
        value = float(_text(form, "temperature") or 0)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise FieldRefused("temperature must be between 0 and 1", "temperature")
    return value
