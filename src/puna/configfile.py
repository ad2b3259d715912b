"""The settings file: TOML, whose keys are the settings' names in lower case. Read anew each time; nothing is kept.

A value becomes the text that an environment variable would hold, so that one set of rules reads both. The settings of a
face may stand in its table: `window` in `[code]` is `code_window`. Tables inside that table are the face's own matter.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from puna.errors import BadRequest

MAX_BYTES = 1 << 20  # far above any settings file: what is larger was named by mistake
FACES = ("arena", "code")  # whose settings may stand in a table


def read_config(path: Path) -> dict[str, object] | None:
    """What the file says, None where there is none. Raises `BadRequest`."""
    data = read_bounded(path, "the settings file", "; PUNA_CONFIG names another one")
    return None if data is None else _parse(data)


def read_bounded(path: Path, called: str, hint: str = "") -> bytes | None:
    """A small file's bytes, None where there is none. A device or a FIFO never keeps it waiting.

    Raises `BadRequest`, in which the file is `called` that, and which ends with the hint.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(called, error, hint) from None
    try:
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(MAX_BYTES + 1) or b""
    except OSError as error:
        raise _unreadable(called, error, hint) from None
    if len(data) > MAX_BYTES:
        raise BadRequest(f"{called} is larger than {MAX_BYTES >> 20} MiB")
    return data


def as_text(name: str, value: object) -> str:
    """A value of the file as an environment variable would hold it; lists are joined by commas. Raises `BadRequest`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    raise BadRequest(f"setting {name} in the settings file must be a text, a number, true, false, or a list of texts")


def with_faces(values: Mapping[str, object]) -> dict[str, object]:
    """`values` with the settings out of the faces' tables; what is left of a table stays under its name."""
    flat = dict(values)
    for face in FACES:
        table = values.get(face)
        if isinstance(table, dict):
            flat |= {f"{face}_{key}": value for key, value in table.items() if not isinstance(value, dict)}
            flat[face] = {key: value for key, value in table.items() if isinstance(value, dict)}
    return flat


def _parse(data: bytes) -> dict[str, object]:
    import tomllib  # 6 ms, only for those who have such a file

    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError:
        raise BadRequest("the settings file is not UTF-8 text") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        reason = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "it is nested too deeply"
        raise BadRequest(f"the settings file is not TOML: {reason}") from None


def _unreadable(called: str, error: OSError, hint: str) -> BadRequest:
    return BadRequest(f"{called} could not be read: {(error.strerror or 'input failed').lower()}{hint}")
