"""Pictures and sounds named in a prompt: the files behind their paths are attached, the paths leave the text.

Contract ollama-store §6.5. Only for models that can see or hear; the caller asks those capabilities.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import Path

from puna.errors import BadRequest

MAX_BYTES = 100 << 20  # of one file
CAPABILITIES = frozenset({"vision", "audio"})

_PATH = re.compile(r"(?:[A-Za-z]:)?(?:\./|/|\\)(?:\\.|\S)*?\.(?:jpe?g|png|webp|wav)\b", re.IGNORECASE)
_ESCAPED = re.compile(r"\\([ ()\[\]{}$&;'\"\\*?~`!#<>|])")


@dataclass(frozen=True, slots=True)
class Attached:
    """A prompt without its paths, the files as base64, and what to tell the person about each."""

    text: str
    files: tuple[str, ...]
    notes: tuple[str, ...]


def is_media_path(text: str) -> bool:
    """Whether `text` begins with the path of a picture or a sound."""
    return _PATH.match(text) is not None


def attach(text: str) -> Attached:
    """Read the files that `text` names; a file that does not exist is left in the text. Raises `BadRequest`."""
    files, notes = [], []
    for raw in dict.fromkeys(_PATH.findall(text)):
        path = Path(_ESCAPED.sub(r"\1", raw))
        if not path.exists():
            continue
        data, kind = _read(path)
        files.append(base64.b64encode(data).decode("ascii"))
        notes.append(f"Added {kind} '{path}'")
        text = text.replace(f"'{raw}'", "").replace(raw, "")
    return Attached(text.strip(), tuple(files), tuple(notes))


def _read(path: Path) -> tuple[bytes, str]:
    try:
        if not path.is_file():
            raise BadRequest(f'Couldn\'t process file: "{path.name} is not a file"')
        if path.stat().st_size > MAX_BYTES:
            raise BadRequest('Couldn\'t process file: "file size exceeds maximum limit (100MB)"')
        data = path.read_bytes()
    except OSError as error:
        raise BadRequest(f'Couldn\'t process file: "{error.strerror}"') from None
    return data, _kind(data)


def _kind(data: bytes) -> str:
    """What the bytes are, whatever the name says. Raises `BadRequest`."""
    riff = data[8:12] if data.startswith(b"RIFF") else b""
    if data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")) or riff == b"WEBP":
        return "image"
    if riff == b"WAVE":
        return "audio"
    raise BadRequest('Couldn\'t process file: "invalid file type: application/octet-stream"')
