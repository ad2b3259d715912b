"""What of a file and its context the model gets to see: contract code-completion §1.5 (`code.window`), §4.2. Pure.

Sizes are bytes of UTF-8: a token is worth about as many bytes in any script, which is not so of characters. The
prefix loses its beginning in steps of a quarter window, counted from the start of the file, so that the prompt begins
with the same line for many keystrokes and the upstream's prompt cache holds.
"""

from __future__ import annotations

from dataclasses import replace

from puna.code.analysis import Parts
from puna.prompts.fim import ContextFile

_QUARTERS = 4  # of the window: one is the suffix's share, one step of the prefix, one kept free for context files


def fit(parts: Parts, window: int) -> tuple[Parts, bool]:
    """`parts` cut to `window` bytes, and whether anything was cut.

    Prefix and suffix share it 3 : 1, and one that needs less leaves the rest to the other. Context files get what is
    left, and a quarter at least; the oldest, which come first, go first.
    """
    quarter = max(window // _QUARTERS, 1)
    prefix, suffix = parts.prefix.encode(), parts.suffix.encode()
    sizes = [_size(file) for file in parts.extra]
    room = max(window - len(prefix) - len(suffix), quarter)  # for context: it comes first and must not flicker
    file = window - min(sum(sizes), room)
    for_suffix = max(file // _QUARTERS, file - len(prefix))
    for_prefix = max(file - file // _QUARTERS, file - len(suffix))
    shown_prefix = _without_start(prefix, for_prefix, quarter)
    shown_suffix = _without_end(suffix, for_suffix)
    extra = _newest(parts.extra, sizes, room)
    cut = (len(shown_prefix), len(shown_suffix), len(extra)) != (len(prefix), len(suffix), len(parts.extra))
    if not cut:
        return parts, False
    texts = (part.decode(errors="ignore") for part in (shown_prefix, shown_suffix))
    return replace(parts, prefix=next(texts), suffix=next(texts), extra=extra), True


def _without_start(text: bytes, room: int, step: int) -> bytes:
    """The end of `text`, from a line's start. Within a line that is longer than `room` the cut goes through it."""
    over = len(text) - room
    if over <= 0:
        return text
    start = -(-over // step) * step if step < room else over
    line = text.find(b"\n", start - 1) + 1
    return text[line or start :]


def _without_end(text: bytes, room: int) -> bytes:
    """The beginning of `text`, up to a line's end."""
    if len(text) <= room:
        return text
    return text[: text.rfind(b"\n", 0, room) + 1 or room]


def _newest(files: tuple[ContextFile, ...], sizes: list[int], room: int) -> tuple[ContextFile, ...]:
    kept = len(files)
    while kept and sizes[kept - 1] <= room:
        kept -= 1
        room -= sizes[kept]
    return files[kept:]


def _size(file: ContextFile) -> int:
    return len(file.filename.encode()) + len(file.text.encode())
