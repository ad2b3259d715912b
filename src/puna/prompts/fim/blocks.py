"""Repository and file blocks in front of the FIM markers (contract code-completion §2.2, §1.4 A7)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from puna.prompts.fim.markers import DS, GL, MS, SC, MarkerSet
from puna.prompts.fim.prompt import ContextFile


@dataclass(frozen=True, slots=True)
class Blocks:
    """What the head of a prompt tells."""

    rest: str  # what is no block
    path: str = ""  # of the current file
    language: str = ""
    repo: str = ""
    extra: tuple[ContextFile, ...] = ()


_PATH: Final = r"""(?=[^\s<>"'();=]*[./])[^\s<>"'();=]++"""  # what no line of code looks like; never backtracks

_HEADS: Final = {
    DS.id: rf"^#({_PATH})$",  # `#path`; neither a comment nor an #include
    MS.id: r"^\+{5} (.*)$",
    GL.id: r"^###PATH:(.*)$",
}
"""How a file's first line looks in sets that have no token for it; the group is the path."""

_TAILS: Final = {SC.id: "", MS.id: "\n\n"}
"""What the format puts behind a file's text; one newline elsewhere."""

_TURN: Final = re.compile(
    r"^(?:<\|user\|>|###REFERENCE:|###MODE:.*|###LANGUAGE:(?P<language>.*))(?:\n|\Z)", re.MULTILINE
)
"""Lines of CodeGeeX4's format that carry no file."""


def read_blocks(head: str, markers: MarkerSet) -> Blocks:
    """The blocks of `head`, a last block without text being the current file."""
    language = ""
    if markers is GL:
        language = next((found["language"] for found in _TURN.finditer(head) if found["language"]), "")
        head = _TURN.sub("", head)
    rest, *pieces = re.split(_block_start(markers), head, flags=re.MULTILINE) if head else [""]
    repo, files = "", []
    for start, value, text in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True):
        if start == markers.repository and start:
            repo = text.strip()
        else:
            files.append(_file(value, text, markers))
    here = files.pop() if files and not files[-1].text else ContextFile("", "")
    return Blocks(rest, here.filename, language, repo, tuple(files))


def _block_start(markers: MarkerSet) -> str:
    """A pattern of two groups: the whole start of a block, and the path where it is part of the start."""
    if markers.id in _HEADS:
        return f"({_HEADS[markers.id]})"
    tokens = [re.escape(text) for text in (markers.repository, markers.file) if text]
    return f"({'|'.join(tokens) or '(?!)'})()"


def _file(value: str | None, text: str, markers: MarkerSet) -> ContextFile:
    if markers.id in _HEADS:
        name, body = value or "", text.removeprefix("\n")
    else:
        name, _, body = text.partition("\n")
    tail = _TAILS.get(markers.id, "\n")
    return ContextFile(name.strip(), body.removesuffix(tail))


def path_in_prefix(head: str, prefix: str, markers: MarkerSet) -> tuple[str, str]:
    """StarCoder2 writes the path behind the prefix marker: (path, prefix without it) where the head says so."""
    if not (markers is SC and head.endswith(markers.file)):
        return "", prefix
    path, newline, code = prefix.partition("\n")
    return (path, code) if newline and re.fullmatch(_PATH, path) else ("", prefix)
