"""Which family a model belongs to, told by its name and the answer of `/api/show` (contract code-completion §2.4).

Pure: the probe (D6) and the fallback (D7) need a model at work and are the caller's. Every step gives at most one
candidate, in the order of the rule; the caller takes the first that passes the probe.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from puna.errors import BadRequest
from puna.prompts.fim.families import FAMILIES, NO_FIM, Family, custom_family, family_by_name, family_named
from puna.prompts.fim.markers import MARKER_SETS, MS, MarkerSet, Order
from puna.prompts.fim.split import split
from puna.prompts.fim.vocabulary import Vocabulary
from puna.prompts.gotemplate import GoTemplate

Source = Literal["D0", "D2", "D3", "D4", "D5", "D7"]
OFF = "off"
_PROMPT, _SUFFIX = "\ue000", "\ue001"  # stand for the texts while a template is read; private use, in no template
_TOKEN = re.compile(r"(?:<\S+>|\[\S+\])?")  # how control tokens are spelled; or nothing
_PLAIN_TEMPLATE = "{{ .Prompt }}"  # what Ollama shows for a model that has none


@dataclass(frozen=True, slots=True)
class Detection:
    """One answer to the question; `family` None is "no FIM here"."""

    family: Family | None
    source: Source
    template: str = ""  # D0: a literal template of the operator's own (§1.6)

    @property
    def probed(self) -> bool:
        """Whether the family counts only after a passed probe (D6)."""
        return self.family is not None and self.source != "D0"


def detect(name: str, show: Mapping[str, Any], setting: str = "") -> Detection:
    """The first candidate, or "no FIM" with source D7."""
    return next(iter(candidates(name, show, setting)), Detection(None, "D7"))


def candidates(
    name: str, show: Mapping[str, Any], setting: str = "", vocabulary: Vocabulary | None = None
) -> tuple[Detection, ...]:
    """Every family that steps D0 to D5 find, in their order and each once.

    `setting` is the operator's word for this model: a family's name, `off`, or a template; it ends the search.
    `vocabulary` is `Vocabulary.from_show(show)` where the caller has it already.
    Raises `BadRequest` for a setting that is none of these.
    """
    if setting:
        return (_from_setting(setting),)
    found: dict[tuple[str, str], Detection] = {}
    for detection in _steps(name, show, vocabulary or Vocabulary.from_show(show)):
        assert detection.family is not None
        found.setdefault((detection.family.name, detection.family.order), detection)
    return tuple(found.values())


def can_insert(show: Mapping[str, Any]) -> bool:
    """Whether the upstream itself fills in the middle when it is given a suffix (§1.13)."""
    capabilities = show.get("capabilities")
    return (isinstance(capabilities, list) and "insert" in capabilities) or ".Suffix" in _template(show)


def can_chat(show: Mapping[str, Any]) -> bool:
    """Whether the model has a template for conversations, so that it can be asked in words (D7)."""
    info = show.get("model_info")
    own = info.get("tokenizer.chat_template") if isinstance(info, Mapping) else None
    return bool(own) or _template(show).strip() not in ("", _PLAIN_TEMPLATE)


def _from_setting(setting: str) -> Detection:
    if setting.strip().lower() == OFF:
        return Detection(None, "D0")
    family = family_named(setting)
    if family is None and "{" not in setting:
        names = ", ".join(known.name for known in FAMILIES)
        raise BadRequest(f'"{setting}" is no FIM family: use off, a template with {{code_prefix}}, or one of {names}')
    return Detection(family, "D0", template="" if family else setting)


def _steps(name: str, show: Mapping[str, Any], vocabulary: Vocabulary | None) -> Iterator[Detection]:
    lowered = name.lower()
    denied = NO_FIM.search(lowered) is not None  # D1: only the vocabulary counts
    named = family_by_name(lowered.rpartition("/")[2].partition(":")[0])
    architecture = _info(show, "general.architecture")
    found: tuple[tuple[Source, Family | None], ...] = (
        ("D2", None if denied else _by_ids(show, vocabulary, named, architecture)),
        ("D3", _by_vocabulary(vocabulary, named, architecture) if vocabulary else None),
        ("D4", None if denied else _by_template(show, vocabulary, named, architecture)),
        ("D5", None if denied else named),
    )
    yield from (Detection(family, source) for source, family in found if family is not None)


def _by_ids(
    show: Mapping[str, Any], vocabulary: Vocabulary | None, named: Family | None, architecture: str
) -> Family | None:
    """D2. The ids say that the model was trained for it; what they are called needs the vocabulary or the name."""
    ids = [_marker_id(show, part) for part in ("prefix", "suffix", "middle")]
    if any(token is None for token in ids):
        return None
    if vocabulary is None:
        return named
    texts = [vocabulary.text_of(token) for token in ids if token is not None]
    prefix, suffix, middle = (_bare(text or "") for text in texts)
    if not (prefix and suffix and middle):
        return None
    same = [markers for markers in MARKER_SETS if markers.fim == (prefix, suffix, middle)]
    if not same:
        return custom_family(MarkerSet("", prefix, suffix, middle), "psm")
    return _nearest(same, vocabulary, named, architecture)


def _marker_id(show: Mapping[str, Any], part: str) -> int | None:
    """The key of today's files, else that of older ones."""
    for key in (f"fim_{part[:3]}_token_id", f"{part}_token_id"):
        token = _value(show, f"tokenizer.ggml.{key}")
        if isinstance(token, int):
            return token
    return None


def _by_vocabulary(vocabulary: Vocabulary, named: Family | None, architecture: str) -> Family | None:
    """D3. All markers of a set are control or user-defined tokens."""
    special = {_bare(token) for token in vocabulary.special}
    complete = [markers for markers in MARKER_SETS if special.issuperset(markers.fim)]
    return _nearest(complete, vocabulary, named, architecture) if complete else None


def _by_template(
    show: Mapping[str, Any], vocabulary: Vocabulary | None, named: Family | None, architecture: str
) -> Family | None:
    """D4. The literal text around the prompt and the suffix: markers of a known set, or markers of its own."""
    text = _rendered(_template(show))
    if text is None:
        return None
    psm = text.index(_PROMPT) < text.index(_SUFFIX)
    parts = split(text, named.markers if named else None)
    if parts is not None and (parts.prefix, parts.suffix) == (_PROMPT, _SUFFIX):
        alike = [markers for markers in MARKER_SETS if markers.fim == parts.markers.fim]
        return _nearest(alike, vocabulary, named, architecture).in_order(parts.order)
    order: Order = "psm" if psm else "spm"
    first, second = (_PROMPT, _SUFFIX) if psm else (_SUFFIX, _PROMPT)
    before, _, rest = text.partition(first)
    between, _, after = rest.partition(second)
    if not (between.strip() and all(_TOKEN.fullmatch(part.strip()) for part in (before, between, after))):
        return None  # ordinary words: only the upstream itself can say them
    return custom_family(MarkerSet("", *((before, between) if psm else (between, before)), after), order)


def _rendered(template: str) -> str | None:
    """The template's text for two stand-ins; None when it uses no suffix, cannot be read, or repeats a text."""
    if ".Suffix" not in template:
        return None
    try:
        text = GoTemplate.parse(template).execute({"Prompt": _PROMPT, "Suffix": _SUFFIX, "System": "", "Response": ""})
    except BadRequest:
        return None
    return text if text.count(_PROMPT) == text.count(_SUFFIX) == 1 else None


def _nearest(sets: list[MarkerSet], vocabulary: Vocabulary | None, named: Family | None, architecture: str) -> Family:
    """The family of `sets` that the name tells, else the architecture, else the repository and file tokens (D3).

    Codestral's two markers are words in brackets: a set of three says more.
    """
    if named is not None and named.markers in sets:
        return named
    special = {_bare(token) for token in vocabulary.special} if vocabulary else None

    def likeness(family: Family) -> tuple[bool, bool, int, int]:
        own = {text for text in (family.markers.repository, family.markers.file) if text} if special else set()
        present = own & special if special else set()
        return family.markers is not MS, architecture in family.architectures, len(present), -len(own - present)

    return max((family for family in FAMILIES if family.markers in sets), key=likeness)


def _bare(token: str) -> str:
    """SentencePiece vocabularies write CodeLlama's markers with a blank in front."""
    return token.removeprefix("\u2581")


def _template(show: Mapping[str, Any]) -> str:
    template = show.get("template")
    return template if isinstance(template, str) else ""


def _info(show: Mapping[str, Any], key: str) -> str:
    value = _value(show, key)
    return value if isinstance(value, str) else ""


def _value(show: Mapping[str, Any], key: str) -> Any:
    info = show.get("model_info")
    return info.get(key) if isinstance(info, Mapping) else None
