"""The process environment: the one module that touches it itself. What engines inherit, and single settings.

Building `Settings` costs about 190 ms of pydantic, and `puna list` needs one host name. The rules are the same:
`PUNA_X` wins over `OLLAMA_X` and both over the settings file; surrounding blanks and quotes are dropped (contract
ollama-http §9).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from puna.configfile import as_text, read_bounded, read_config, with_faces
from puna.errors import BadRequest

CONFIG = "~/.puna/config.toml"
KEYS = "~/.puna"


def knob(name: str, *, ollama: bool = True) -> str:
    """The text of one setting, empty when it is not set. Raises `BadRequest` for a settings file that is damaged."""
    variable = first_set(f"PUNA_{name}", *([f"OLLAMA_{name}"] if ollama else []))
    if variable:
        return _bare(os.environ[variable])
    key = name.lower()
    values = config()
    return _bare(as_text(key, values[key])) if key in values else ""


def first_set(*variables: str) -> str | None:
    """The first of `variables` that is set, be it to nothing."""
    return next((variable for variable in variables if variable in os.environ), None)


def layers(files: Iterable[Path]) -> list[dict[str, str]]:
    """The environment, and then what each of some `.env` files sets; who looks a name up takes the first that has it.

    Nothing is expanded, so that a file from somewhere cannot put a secret of the environment into an address.
    """
    return [dict(os.environ), *map(_variables, files)]


def _variables(file: Path) -> dict[str, str]:
    """What a `.env` file sets; one that is not there or cannot be read sets nothing."""
    try:
        data = read_bounded(at_home(file), str(file))
    except BadRequest:
        return {}
    if not data:
        return {}
    from io import StringIO

    from dotenv import dotenv_values

    found = dotenv_values(stream=StringIO(data.decode(errors="replace")), interpolate=False)
    return {name: value for name, value in found.items() if value is not None}


def config() -> dict[str, object]:
    """What the settings file says, by the settings' names in lower case; empty without one. Raises `BadRequest`.

    A face's tables of its own (`[code.models."NAME"]`) are under the face's name.
    """
    named = _bare(os.environ.get("PUNA_CONFIG", ""))
    values = read_config(at_home(Path(named or CONFIG)))
    if values is None and named:
        raise BadRequest("the settings file that PUNA_CONFIG names is not there")
    return with_faces(values or {})


def at_home(path: Path) -> Path:
    """`path` with the home folder for `~`; a process that has none gets it back as it is."""
    with suppress(RuntimeError):
        return path.expanduser()
    return path


def _bare(text: str) -> str:
    return text.strip().strip("\"'").strip()


def flag(name: str) -> bool:
    """A boolean setting: any text but the ones that say no (contract ollama-http §9)."""
    return knob(name) not in {"", "0", "f", "F", "false", "FALSE", "False"}


def editor() -> str:
    """The command line of the person's editor (contract ollama-store §6.6, Ctrl-G)."""
    return knob("EDITOR") or os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"


def inherited(**changes: str) -> dict[str, str]:
    """The whole environment with some variables replaced: for children that are Puna itself, never for an engine."""
    return {**os.environ, **changes}


def child_environment() -> dict[str, str]:
    """The allow-listed environment of an engine process: no keys, no tokens (threats T26).

    Its threads soon sleep while they wait for each other, unless the person says otherwise (docs/decisions/0013).
    """
    given = {name: os.environ[name] for name in _CHILD_VARIABLES if name in os.environ}
    return given if "OMP_WAIT_POLICY" in given else {"GOMP_SPINCOUNT": _SPINS, **given}


_SPINS = "300"


_CHILD_VARIABLES = (
    "PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "LANG", "LC_ALL", "TZ",
    "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES",
    "GGML_VK_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "HSA_OVERRIDE_GFX_VERSION",
    "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "SYSTEMROOT",
)  # fmt: skip
