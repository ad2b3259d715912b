"""The `data:` URLs of OpenAI's bodies (contract ollama-http §6.2)."""

from __future__ import annotations

from puna.api.media import base64_bytes
from puna.errors import FieldRefused
from puna.prompts.messages import Attached

_IMAGE_PREFIXES = (
    "data:image/jpeg;base64,",
    "data:image/jpg;base64,",
    "data:image/png;base64,",
    "data:image/webp;base64,",
    "data:;base64,",
)
_FETCHED = ("http://", "https://")


def image_of(url: str, param: str) -> Attached:
    """The bytes of a `data:` URL (contract ollama-http §6.2). Raises `FieldRefused` for every other one."""
    if url.lower().startswith(_FETCHED):
        raise FieldRefused("image URLs are not currently supported, please use base64 encoded data instead", param)
    prefix = next((prefix for prefix in _IMAGE_PREFIXES if url.startswith(prefix)), None)
    if prefix is None:
        raise FieldRefused("invalid image input", param)
    return decoded(url[len(prefix) :], "invalid image input", param)


def decoded(text: str, refusal: str, param: str) -> Attached:
    """Raises `FieldRefused` with the words of `refusal` for what is no base64."""
    data = base64_bytes(text)
    if data is None:
        raise FieldRefused(refusal, param)
    return Attached.at(param, data)
