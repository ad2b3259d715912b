"""The process environment: the one module that touches it itself. What engines inherit, and single settings.

Building `Settings` costs about 190 ms of pydantic, and `puna list` needs one host name. The rules are the same:
`PUNA_X` wins over `OLLAMA_X`, surrounding blanks and quotes are dropped (contract ollama-http §9).
"""

from __future__ import annotations

import os


def knob(name: str, *, ollama: bool = True) -> str:
    """The text of one setting, empty when it is not set."""
    value = os.environ.get(f"PUNA_{name}")
    if value is None and ollama:
        value = os.environ.get(f"OLLAMA_{name}")
    return (value or "").strip().strip("\"'").strip()


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
    """The allow-listed environment of an engine process: no keys, no tokens (threats T26)."""
    return {name: os.environ[name] for name in _CHILD_VARIABLES if name in os.environ}


_CHILD_VARIABLES = (
    "PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "LANG", "LC_ALL", "TZ",
    "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES",
    "GGML_VK_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "HSA_OVERRIDE_GFX_VERSION",
    "OMP_NUM_THREADS", "SYSTEMROOT",
)  # fmt: skip
