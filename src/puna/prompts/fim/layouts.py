"""The prompt layouts of contract code-completion §2.2: from a marker set and the parts to segments.

A block whose value nobody knows is left out: the repository's when there is no name for it, the current file's when
there are neither a path nor context files to tell it apart from. An empty suffix is one newline (§1.6 V4). Formats
without a place for other files get them as comments in front of the prefix (§2.5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from puna.prompts.fim.markers import MarkerSet
from puna.prompts.fim.prompt import FimParts, Segment

Segments = Iterator[Segment]
Layout = Callable[[MarkerSet, FimParts], Segments]


def psm(m: MarkerSet, p: FimParts) -> Segments:
    return _psm(m, commented(p))


def spm(m: MarkerSet, p: FimParts) -> Segments:
    return _spm(m, commented(p))


def qw_repo(m: MarkerSet, p: FimParts) -> Segments:
    if p.extra or p.repo:
        if p.repo:
            yield from _line(m.repository, p.repo)
        yield from _files(m.file, p)
        yield from _line(m.file, p.path)
    yield from _psm(m, p)


def sc2_repo(m: MarkerSet, p: FimParts) -> Segments:
    """StarCoder2's path stands inside the prefix, behind the prefix marker."""
    if not (p.extra or p.repo):
        yield from _psm(m, p)
        return
    if p.repo:
        yield from (_control(m.repository), _user(p.repo))
    for file in p.extra:
        yield from _line(m.file, file.filename)
        yield _user(file.text)
    yield from (_control(m.file), _control(m.prefix))
    if p.path:
        yield from _line("", p.path)
    yield from (_user(p.prefix), _control(m.suffix), _suffix(p), _control(m.middle), _user(p.typed))


def cl_psm(m: MarkerSet, p: FimParts) -> Segments:
    """The blanks belong to the format."""
    p = commented(p)
    yield from (_control(f"{m.prefix} "), _user(p.prefix), _control(f" {m.suffix}"), _suffix(p))
    yield from (_control(f" {m.middle}"), _user(p.typed))


def cl_spm(m: MarkerSet, p: FimParts) -> Segments:
    p = commented(p)
    yield from (_control(f"{m.prefix} {m.suffix}"), _suffix(p), _control(f" {m.middle} "), _user(p.prefix + p.typed))


def cg_multi(m: MarkerSet, p: FimParts) -> Segments:
    if p.extra:
        yield from _files(m.file, p)
        yield from _line(m.file, p.path)
    yield from _psm(m, p)


def file_psm(m: MarkerSet, p: FimParts) -> Segments:
    """Like `cg_multi`, but the current file is named even when it stands alone (Mercury)."""
    yield from _files(m.file, p)
    if p.extra or p.path:
        yield from _line(m.file, p.path)
    yield from _psm(m, p)


def ds_multi(m: MarkerSet, p: FimParts) -> Segments:
    if p.extra:
        yield from _files(m.file_head, p)
        yield from _line(m.file_head, p.path)
    yield from _psm(m, p)


def ms(m: MarkerSet, p: FimParts) -> Segments:
    """There is no middle marker: what follows the prefix is the middle. The current file has no name here."""
    for file in p.extra:
        yield from _line(m.file_head, file.filename)
        yield from (_user(file.text), _control("\n\n"))
    yield from (_control(m.suffix), _suffix(p), _control(m.prefix), _user(p.prefix + p.typed))


def mellum(m: MarkerSet, p: FimParts) -> Segments:
    yield from _files(m.file, p)
    if p.extra or p.path:
        yield from _line(m.file, p.path)
    yield from _spm(m, p)


def geex4(m: MarkerSet, p: FimParts) -> Segments:
    """The format is a chat turn: all its lines are always there."""
    yield _control("<|user|>\n")
    for file in p.extra:
        yield from _line(f"###REFERENCE:\n{m.file_head}", file.filename)
        yield from (_user(file.text), _control("\n"))
    yield from _line(m.file_head, p.path)
    yield from _line("###LANGUAGE:", p.language)
    yield _control("###MODE:BLOCK\n")
    yield from _spm(m, p)
    yield _control("<|assistant|>\n")


def commented(p: FimParts) -> FimParts:
    """The parts with context files as comments in front of the prefix, and the current path after them."""
    if not p.extra:
        return p
    here = p.comment.wrap(f"Path: {p.path}") if p.path else ""
    return replace(p, prefix=f"{context_comments(p)}{here}{p.prefix}", extra=())


def context_comments(p: FimParts) -> str:
    """Every context file as a block of comments that begins with its path."""
    return "".join(p.comment.wrap(f"Path: {file.filename}\n{file.text}") for file in p.extra)


def _psm(m: MarkerSet, p: FimParts) -> Segments:
    yield from (_control(m.prefix), _user(p.prefix), _control(m.suffix), _suffix(p))
    yield from (_control(m.middle), _user(p.typed))


def _spm(m: MarkerSet, p: FimParts) -> Segments:
    yield from (_control(m.suffix), _suffix(p), _control(m.prefix), _user(p.prefix + p.typed), _control(m.middle))


def _files(head: str, p: FimParts) -> Segments:
    for file in p.extra:
        yield from _line(head, file.filename)
        yield from (_user(file.text), _control("\n"))


def _line(head: str, value: str) -> Segments:
    """A line of the format with one value. A value of several lines would forge more of them: its first line counts."""
    yield from (_control(head), _user(value.partition("\n")[0]), _control("\n"))


def _suffix(p: FimParts) -> Segment:
    return _user(p.suffix) if p.suffix else _control("\n")


def _control(text: str) -> Segment:
    return Segment(text, control=True)


def _user(text: str) -> Segment:
    return Segment(text, control=False)
