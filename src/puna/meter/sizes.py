"""How large a model is, as its lists tell it, or as its name lets one guess (contract meter §8, C13)."""

from __future__ import annotations

import re

_UNITS = ((10**12, "T"), (10**9, "B"), (10**6, "M"))
_FACTORS = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12}
_WRITTEN = re.compile(r"(\d+(?:\.\d+)?) ?([BKMGT])(?![A-Za-z0-9])", re.ASCII | re.IGNORECASE)
_IN_NAME = re.compile(r"(?<![A-Za-z0-9.])(?:\d+x)?(\d+(?:\.\d+)?) ?([BKMGT])(?![A-Za-z0-9])", re.ASCII | re.IGNORECASE)
_SHOWN = re.compile(r"(\d+(?:\.\d+)?)([KMBGT]?)", re.ASCII)

UNKNOWN = "0B"


def format_size(parameters: object, name: str = "") -> str:
    """The size from a count of parameters or a text such as `8.03B`, else from the model's name, else `0B`."""
    return _told(parameters) or _guess(name) or UNKNOWN


def is_guessed(parameters: object, name: str) -> bool:
    """Whether the size comes from the name alone: it is shown with a `~`."""
    return not _told(parameters) and bool(_guess(name))


def _told(parameters: object) -> str:
    if isinstance(parameters, int) and not isinstance(parameters, bool):
        return _counted(parameters)
    if isinstance(parameters, str) and (written := _WRITTEN.match(parameters)):
        return written[1] + written[2].upper()
    return ""


def _guess(name: str) -> str:
    found = _IN_NAME.search(name)
    return found[1] + found[2].upper() if found else ""


def size_number(shown: str) -> float:
    """Parameters of a formatted size; 0 for one that cannot be read. For sorting and plots."""
    found = _SHOWN.fullmatch(shown)
    return float(found[1]) * _FACTORS[found[2]] if found else 0.0


def _counted(parameters: int) -> str:
    for factor, unit in _UNITS:
        if parameters >= factor:
            return f"{parameters / factor:.{0 if parameters % factor == 0 else 1}f}{unit}"
    return str(parameters)
