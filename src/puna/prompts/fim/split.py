"""A prompt that a client rendered for some family, taken apart again (contract code-completion §1.4 P3, A5 to A7).

Which family it was made for is told by its markers alone. What stands in front of the first marker (`head`) is read by
`blocks`. Linear in the length of the prompt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from puna.prompts.fim.blocks import path_in_prefix, read_blocks
from puna.prompts.fim.markers import CL, GL, MARKER_SETS, MarkerSet, Order
from puna.prompts.fim.prompt import ContextFile


@dataclass(frozen=True, slots=True)
class Split:
    """The parts of a rendered prompt."""

    markers: MarkerSet
    order: Order
    prefix: str
    suffix: str
    whole: bool = True  # False: markers of the set are missing (CodeLlama's `<SUF>` alone)
    head: str = ""  # ordinary text in front of the first marker
    path: str = ""
    language: str = ""
    repo: str = ""
    extra: tuple[ContextFile, ...] = ()


def split(prompt: str, preferred: MarkerSet | None = None) -> Split | None:
    """The parts of `prompt`, or None when no known family's set is complete in it.

    The set with the most markers wins: three tokens beat CodeLlama's `<SUF>` in somebody's code. Among sets of one
    spelling the one whose repository or file marker is there wins, then `preferred`, which is the served model's.
    """
    sets = MARKER_SETS if preferred is None or preferred in MARKER_SETS else (*MARKER_SETS, preferred)
    found = [parts for markers in sets if (parts := _split(prompt, markers)) is not None]
    if not found:
        return None
    best = max(found, key=lambda parts: _weight(prompt, parts, preferred))
    return _with_blocks(best)


def _weight(prompt: str, parts: Split, preferred: MarkerSet | None) -> tuple[int, int, bool, int]:
    markers = parts.markers
    required = len(markers.fim) if parts.whole else 1
    others = sum(text in prompt for text in (markers.repository, markers.file) if text)
    return required, others, markers == preferred, sum(map(len, markers.fim))


def _split(prompt: str, markers: MarkerSet) -> Split | None:
    if markers is CL:
        return _split_codellama(prompt)
    if not (markers.prefix and markers.suffix and all(text in prompt for text in markers.fim)):
        return None
    return _split_tokens(prompt, markers)


def _split_tokens(prompt: str, m: MarkerSet) -> Split | None:
    """Cut at the first prefix and suffix marker in either order, and at the last middle marker behind both.

    Text behind the middle marker is the end of the prefix: the model goes on from there.
    """
    body, typed = prompt, ""
    if m.middle:
        body, _, typed = prompt.rpartition(m.middle)
    first = min((body.find(text), text) for text in (m.prefix, m.suffix))[1]
    second = m.suffix if first == m.prefix else m.prefix
    head, _, rest = body.partition(first)
    one, seam, two = rest.partition(second)
    if not seam:
        return None
    if m is GL:
        typed = typed.removeprefix("<|assistant|>\n")  # the turn of CodeGeeX4's format
    if first == m.suffix:
        return Split(m, "spm", two + typed, one, head=head)
    order: Order = "spm" if typed and not one else "psm"  # `pre suf S mid P` is the other SPM form
    return Split(m, order, one + typed, two, head=head)


def _split_codellama(prompt: str) -> Split | None:
    """`<SUF>` is enough; one blank each side of it belongs to the format (A5), `<MID>` counts only at the end (A6)."""
    if CL.suffix not in prompt:
        return None
    before, _, after = prompt.partition(CL.suffix)
    head, opened, prefix = before.partition(CL.prefix)
    if not opened:
        head, prefix = "", before
    other = _split_codellama_spm(prefix, after, head) if opened or CL.prefix in after else None
    if other is not None:
        return other
    prefix = (prefix.removeprefix(" ") if opened else prefix).removesuffix(" ")
    suffix, middle = after, after.rstrip().endswith(CL.middle)
    if middle:
        suffix = after.rstrip().removesuffix(CL.middle).removesuffix(" ")
    return Split(CL, "psm", prefix, suffix.removeprefix(" "), whole=bool(opened) and middle, head=head)


def _split_codellama_spm(prefix: str, after: str, head: str) -> Split | None:
    """`<PRE> <SUF>S <MID> P`, the layout of CodeLlama itself, and `<SUF> S <PRE> P <MID>`; else None."""
    if prefix.strip(" "):
        return None
    suffix, opened, rest = after.partition(CL.prefix)
    if opened and rest.rstrip().endswith(CL.middle):
        rest = rest.rstrip().removesuffix(CL.middle)
        return Split(CL, "spm", _inner(rest), _inner(suffix), head=head)
    suffix, middle, rest = after.partition(CL.middle)
    if not middle or not rest.strip():
        return None
    return Split(CL, "spm", rest.removeprefix(" "), suffix.removesuffix(" ").removeprefix(" "), head=head)


def _inner(text: str) -> str:
    return text.removeprefix(" ").removesuffix(" ")


def _with_blocks(parts: Split) -> Split:
    """The head read as repository and file blocks."""
    blocks = read_blocks(parts.head, parts.markers)
    path, prefix = path_in_prefix(parts.head, parts.prefix, parts.markers)
    return replace(
        parts,
        prefix=prefix,
        head=blocks.rest,
        path=path or blocks.path,
        language=blocks.language,
        repo=blocks.repo,
        extra=blocks.extra,
    )
