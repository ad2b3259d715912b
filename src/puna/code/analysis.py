"""What an editor's prompt says: where the cursor is, in which file (contract code-completion §1.4).

Markers are split off first, whichever family they belong to; the header is looked for at the top of the prefix.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from puna.code.failures import EmptyRequest
from puna.code.header import Header, plain_path, read_header
from puna.code.languages import comment_style, language_of
from puna.code.types import CompletionRequest, ContextFile
from puna.prompts.fim import CommentStyle, Family, FimParts, Split, split

Row = Literal["P1", "P2", "P3", "P4", "P5", "P6"]


@dataclass(frozen=True, slots=True)
class Parts:
    """The answer of the analysis; an empty text means that nobody said."""

    row: Row  # of the contract's table
    prefix: str
    suffix: str = ""
    language: str = ""  # as people write it: "Python"
    language_id: str = ""  # as editors write it: "python"
    path: str = ""
    repo: str = ""
    extra: tuple[ContextFile, ...] = ()
    verbatim: str | None = None  # what goes to the model byte for byte, instead of a rendered prompt (P2, P3, P5)

    def fim(self) -> FimParts:
        """What a layout needs."""
        language = language_of(self.path).id or self.language_id or self.language
        style = comment_style(language) if self.extra else CommentStyle()
        return FimParts(
            self.prefix,
            self.suffix,
            path=self.path,
            language=self.language,
            repo=self.repo,
            extra=self.extra,
            comment=style,
        )


def analyse(request: CompletionRequest, served: Family | None, has_operator_template: bool = False) -> Parts:
    """Take `request` apart for a model of the family `served`, None where it has none.

    A verbatim prompt is told beside its parts, so that one that is too long can be rendered anew from what is cut. What
    the request says beside the prompt (language, path, repository) wins over what is found in it.
    Raises `EmptyRequest` (A8).
    """
    parts = _completed(_analysed(request, served, has_operator_template), request)
    if not (parts.prefix or parts.suffix):
        raise EmptyRequest
    return parts


def _analysed(request: CompletionRequest, served: Family | None, has_operator_template: bool) -> Parts:
    """The first row that fits."""
    prompt, suffix = request.prompt, request.suffix
    if request.exact:
        return Parts("P1" if suffix else "P6", prompt, suffix)
    if suffix:
        return _without_header(Parts("P1", prompt, suffix))
    found = split(prompt, served.markers if served else None)
    if found is not None:
        return _from_markers(request, found, served, has_operator_template)
    parts = _without_header(Parts("P4", prompt))
    if parts.prefix != prompt:
        return parts
    return Parts("P5", prompt, verbatim=prompt) if request.raw else Parts("P6", prompt)


def _without_header(parts: Parts) -> Parts:
    header = read_header(parts.prefix)
    return _told(replace(parts, prefix=parts.prefix[header.length :]), header)


def _told(parts: Parts, header: Header) -> Parts:
    """`parts` with what `header` says of the file, which wins over blocks."""
    return replace(
        parts,
        language=header.language or parts.language,
        language_id=header.language_id or parts.language_id,
        path=header.path or parts.path,
    )


def _from_markers(
    request: CompletionRequest, found: Split, served: Family | None, has_operator_template: bool
) -> Parts:
    """P2 and P3: a whole prompt in the served family's own markers may go to the model as it is.

    With `raw` the client vouches for it. Without, only what we would have written as well: no header, the same order.
    """
    above, within = read_header(found.head), read_header(found.prefix)
    own = served is not None and found.whole and found.markers == served.markers and not has_operator_template
    alike = served is not None and found.order == served.order and not (above.length or within.length)
    rest = found.head[above.length :]  # A7: what is neither block nor header is context without a name
    parts = Parts(
        "P2" if own and request.raw else "P3",
        found.prefix[within.length :],
        found.suffix,
        language=found.language,
        path=plain_path(found.path),
        repo=found.repo,
        extra=(*found.extra, *((ContextFile("", rest.strip("\r\n")),) if rest.strip() else ())),
        verbatim=request.prompt if own and (request.raw or alike) else None,
    )
    return _told(_told(parts, above), within)


def _completed(parts: Parts, request: CompletionRequest) -> Parts:
    """What the client said beside the prompt wins; a language that nobody named follows from the path (A4)."""
    path = request.path or parts.path
    language, language_id = request.language or parts.language, "" if request.language else parts.language_id
    if not language and path:
        known = language_of(path)
        language, language_id = known.name, language_id or known.id
    return replace(
        parts,
        language=language,
        language_id=language_id,
        path=path,
        repo=request.repo or parts.repo,
        extra=(*parts.extra, *request.extra),
    )
