"""Images and sound inside a request: base64 only, whatever is an address is refused unread (threats T07)."""

from __future__ import annotations

import base64
import binascii

from puna.errors import FieldRefused

_IMAGE_PREFIXES = (
    "data:image/jpeg;base64,",
    "data:image/jpg;base64,",
    "data:image/png;base64,",
    "data:image/webp;base64,",
    "data:;base64,",
)
_FETCHED = ("http://", "https://")


def image_of(url: str, param: str) -> bytes:
    """The bytes of a `data:` URL (contract ollama-http §6.2). Raises `FieldRefused` for every other one."""
    if url.lower().startswith(_FETCHED):
        raise FieldRefused("image URLs are not currently supported, please use base64 encoded data instead", param)
    prefix = next((prefix for prefix in _IMAGE_PREFIXES if url.startswith(prefix)), None)
    if prefix is None:
        raise FieldRefused("invalid image input", param)
    return decoded(url[len(prefix) :], "invalid image input", param)


def decoded(text: str, refusal: str, param: str) -> bytes:
    """Standard base64 with its padding. Raises `FieldRefused` with the words of `refusal`."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise FieldRefused(refusal, param) from None
    if not data:
        raise FieldRefused(refusal, param)
    return data
