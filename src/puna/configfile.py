"""The settings file: TOML, whose keys are the settings' names in lower case. Read anew each time; nothing is kept.

A value becomes the text that an environment variable would hold, so that one set of rules reads both.
"""

from __future__ import annotations

import os
from pathlib import Path

from puna.errors import BadRequest

MAX_BYTES = 1 << 20  # far above any settings file: what is larger was named by mistake


def read_config(path: Path) -> dict[str, object] | None:
    """What the file says, None where there is none. Raises `BadRequest`. A device or a FIFO never keeps it waiting."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(error) from None
    try:
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(MAX_BYTES + 1) or b""
    except OSError as error:
        raise _unreadable(error) from None
    if len(data) > MAX_BYTES:
        raise BadRequest(f"the settings file is larger than {MAX_BYTES >> 20} MiB")
    return _parse(data)


def as_text(name: str, value: object) -> str:
    """A value of the file as an environment variable would hold it; lists are joined by commas. Raises `BadRequest`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    raise BadRequest(f"setting {name} in the settings file must be a text, a number, true, false, or a list of texts")


def _parse(data: bytes) -> dict[str, object]:
    import tomllib  # 6 ms, only for those who have such a file

    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError:
        raise BadRequest("the settings file is not UTF-8 text") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        reason = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "it is nested too deeply"
        raise BadRequest(f"the settings file is not TOML: {reason}") from None


def _unreadable(error: OSError) -> BadRequest:
    reason = (error.strerror or "input failed").lower()
    return BadRequest(f"the settings file could not be read: {reason}; PUNA_CONFIG names another one")
