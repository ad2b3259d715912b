"""Images and sound inside a request: base64 only, in every dialect; addresses are refused unread (threats T07)."""

from __future__ import annotations

import base64


def base64_bytes(text: str) -> bytes | None:
    """The bytes of standard base64 with its padding; None for anything else, and for no bytes at all."""
    try:
        return base64.b64decode(text, validate=True) or None
    except ValueError:
        return None
