"""Operator templates: text with `{…}` items that says how a model wants to be asked (contract code-completion §1.6).

Read once, checked against the model's vocabulary at start, rendered per request. Inserted text is never scanned again
(V1) and goes through as user text, so that it cannot become a control token (V2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from puna.code.analysis import Parts
from puna.code.languages import file_name
from puna.errors import BadRequest
from puna.prompts import GoTemplate
from puna.prompts.fim import (
    MARKER_SETS,
    Family,
    FimPrompt,
    Segment,
    Vocabulary,
    context_comments,
    guard,
    guarded_texts,
    merged,
)

_VALUES: Final[Mapping[str, Callable[[Parts], str]]] = {
    "code_language": lambda parts: parts.language,
    "code_language_id": lambda parts: parts.language_id,
    "code_file_path": lambda parts: parts.path,
    "code_file_name": lambda parts: file_name(parts.path),
    "code_prefix": lambda parts: parts.prefix,
    "code_suffix": lambda parts: parts.suffix,
    "code_repo": lambda parts: parts.repo,
    "code_extra": lambda parts: context_comments(parts.fim()),
    "query": lambda parts: parts.prefix,
    "question": lambda parts: parts.prefix,
    "_query": lambda parts: f" {parts.prefix}",
}
_ENDINGS: Final = ("res_prefix", "answer")  # here the model goes on: what follows is not sent
_CHARACTERS: Final = {"\\n": "\n", "\n": "\n", " ": " "}
_PIECE: Final = re.compile(r"\{\{|\}\}|\{[^{}]+\}|[{}]|[^{}]+")
_GO_ACTION: Final = "{{"

Kind = Literal["text", "value", "system", "bos", "eos", "token", "id"]


@dataclass(frozen=True, slots=True)
class Item:
    """Literal text, a value's name, a vocabulary text, or a token id in digits."""

    kind: Kind
    text: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """A Puna template."""

    items: tuple[Item, ...]

    def render(
        self,
        parts: Parts,
        *,
        system: str = "",
        family: Family | None = None,
        vocabulary: Vocabulary | None = None,
    ) -> FimPrompt:
        """The prompt for `parts`. `family` is the served one, whose markers are kept out of user text.

        Without a vocabulary its texts are taken on trust, and BOS is left to the tokenizer. Items that `check` refuses
        render as nothing.
        """
        segments = _once(self._segments(parts, system, vocabulary), vocabulary)
        named = tuple(item.text for item in self.items if item.kind == "token" and len(item.text) > 1)
        literal = "".join(item.text for item in self.items if item.kind == "text")
        return FimPrompt(merged(segments), (*guarded_texts(family, vocabulary), *named, *_markers_in(literal)))

    def _segments(self, parts: Parts, system: str, vocabulary: Vocabulary | None) -> Iterator[Segment]:
        for item in self.items:
            match item.kind:
                case "value":
                    yield Segment(_VALUES[item.text](parts), control=False)
                case "system":
                    yield Segment(system, control=False)
                case _:
                    yield Segment(_control_text(item, vocabulary) or "", control=True)


@dataclass(frozen=True, slots=True)
class OllamaTemplate:
    """A request's own template in Go's syntax: `.Prompt`, `.Suffix`, `.System` and `if` (§1.3)."""

    template: GoTemplate

    def render(
        self,
        parts: Parts,
        *,
        system: str = "",
        family: Family | None = None,
        vocabulary: Vocabulary | None = None,
    ) -> FimPrompt:
        """Like `Template.render`. Raises `BadRequest` for what Go refuses."""
        guarded = (*guarded_texts(family, vocabulary), *_markers_in(self.template.source))
        values = {"Prompt": parts.prefix, "Suffix": parts.suffix, "System": system, "Response": ""}
        text = self.template.execute({name: guard(value, guarded) for name, value in values.items()})
        return FimPrompt(merged((Segment(text, control=True),)), guarded)


def parse(text: str) -> Template:
    """Read an operator's template. Raises `BadRequest` for a brace without its partner."""
    items: list[Item] = []
    for piece in _PIECE.findall(text):
        if piece in ("{", "}"):
            raise BadRequest(f'the template has a single "{piece}": write it twice to mean the character')
        if piece[0] not in "{}":
            items.append(Item("text", piece))
        elif piece in ("{{", "}}"):
            items.append(Item("text", piece[0]))
        elif piece[1:-1] in _ENDINGS:
            break
        else:
            items.append(_item(piece[1:-1]))
    return Template(tuple(items))


def parse_requested(text: str) -> Template | OllamaTemplate:
    """Read the template of a request: Ollama's where it contains `{{`, else Puna's (§1.3). Raises `BadRequest`."""
    return OllamaTemplate(GoTemplate.parse(text)) if _GO_ACTION in text else parse(text)


def check(template: Template, vocabulary: Vocabulary | None) -> tuple[str, ...]:
    """What is wrong with `template` for this model, one line each; none when all is well (V3).

    Without a vocabulary nothing can be said but of token ids, which need one.
    """
    return tuple(_complaint(item, vocabulary) for item in template.items if _control_text(item, vocabulary) is None)


def _item(name: str) -> Item:
    if name in _CHARACTERS:
        return Item("text", _CHARACTERS[name])
    if name in _VALUES:
        return Item("value", name)
    if name == "system_prompt":
        return Item("system")
    if name == "bos":
        return Item("bos")
    if name == "eos":
        return Item("eos")
    if re.fullmatch(r"#\d{1,9}", name, re.ASCII):
        return Item("id", name[1:])
    return Item("token", name)


def _control_text(item: Item, vocabulary: Vocabulary | None) -> str | None:
    """What an item of the format says; None when the vocabulary has no such token."""
    match item.kind:
        case "token":
            return item.text if vocabulary is None or item.text in vocabulary.known else None
        case "id":
            token = vocabulary.text_of(int(item.text)) if vocabulary else None
            return token if vocabulary and token in vocabulary.special else None
        case "bos":
            return vocabulary.bos if vocabulary else ""
        case "eos":
            return vocabulary.eos if vocabulary else ""
        case "text":
            return item.text
        case _:
            return ""


def _complaint(item: Item, vocabulary: Vocabulary | None) -> str:
    if item.kind == "token":
        return f'the model\'s vocabulary has no "{item.text}"'
    if vocabulary is None:
        return (
            f"{{#{item.text}}} needs the model's vocabulary, which the endpoint does not tell: write the token's text"
        )
    if vocabulary.text_of(int(item.text)) is None:
        return f"the model's vocabulary has no token {item.text}"
    return f"token {item.text} of the vocabulary is ordinary text: write it as it is"


def _markers_in(text: str) -> tuple[str, ...]:
    """Markers of any family that the author of a template wrote as ordinary text."""
    return tuple(marker for markers in MARKER_SETS for marker in markers.controls if marker in text)


def _once(segments: Iterator[Segment], vocabulary: Vocabulary | None) -> Iterator[Segment]:
    """BOS at most once, and not at all where the tokenizer adds it (V4)."""
    seen = vocabulary is not None and vocabulary.adds_bos
    for segment in segments:
        if segment.control and vocabulary is not None and segment.text == vocabulary.bos:
            if not seen:
                yield segment
            seen = True
        else:
            yield segment
