"""The families of fill-in-the-middle models and how each wants to be asked (contract code-completion §2.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from puna.prompts.fim import layouts
from puna.prompts.fim.layouts import Layout
from puna.prompts.fim.markers import CG, CL, DS, GL, MS, QW, S1, SA, SC, SD, MarkerSet, Order
from puna.prompts.fim.prompt import FimParts, FimPrompt, Segment, merged
from puna.prompts.fim.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Family:
    """One row of the table."""

    name: str
    markers: MarkerSet
    order: Order
    layout: Layout
    ends: tuple[str, ...]  # end tokens and stops besides the markers
    pattern: str = ""  # a regular expression for lower-case base names; empty = found by vocabulary only
    architectures: tuple[str, ...] = ()  # `general.architecture`: tells families of one marker set apart
    controls: tuple[str, ...] = ()  # other tokens that user text must not become
    needs_bos: bool = False

    @property
    def stops(self) -> tuple[str, ...]:
        """Texts that end a completion: every marker of the set and the family's own ends."""
        return tuple(dict.fromkeys((*(marker.strip() for marker in self.markers.controls), *self.ends)))

    @property
    def guarded(self) -> tuple[str, ...]:
        """Texts that are control tokens of the family: none may come out of user text (V2)."""
        tokens = (text for text in (*self.stops, *self.controls) if not text.startswith("\n"))
        return tuple(dict.fromkeys(tokens))

    def in_order(self, order: Order) -> Family:
        """The family asked in the other order, where a model's own template says so (§2.4 D4)."""
        if order == self.order:
            return self
        forms: dict[Order, Layout] = {"psm": layouts.psm, "spm": layouts.spm}
        if self.markers is CL:
            forms = {"psm": layouts.cl_psm, "spm": layouts.cl_spm}
        return replace(self, order=order, layout=forms[order])


def render(family: Family, parts: FimParts, vocabulary: Vocabulary | None = None) -> FimPrompt:
    """The prompt of `family` for `parts`.

    With the model's vocabulary all of its control tokens are kept out of user text, and BOS is written where the family
    needs it and the tokenizer does not add it itself (V4).
    """
    head: tuple[Segment, ...] = ()
    if family.needs_bos and vocabulary is not None and not vocabulary.adds_bos:
        head = (Segment(vocabulary.bos, control=True),)
    return FimPrompt(merged((*head, *family.layout(family.markers, parts))), guarded_texts(family, vocabulary))


def guarded_texts(family: Family | None, vocabulary: Vocabulary | None) -> tuple[str, ...]:
    """What must not come out of user text: the family's control tokens and, where it is known, the vocabulary's."""
    known = (*(family.guarded if family else ()), *(vocabulary.controls if vocabulary else ()))
    return tuple(dict.fromkeys(known))


def family_named(name: str) -> Family | None:
    """The family that the operator calls `name`, upper and lower case alike."""
    return _BY_NAME.get(name.strip().lower())


def custom_family(markers: MarkerSet, order: Order) -> Family:
    """A family that is in no table, made of markers that a model's own files name."""
    layout = layouts.psm if order == "psm" else layouts.spm
    return Family("custom", markers, order, layout, ends=())


def family_by_name(base_name: str) -> Family | None:
    """The family whose pattern is found in a lower-case base name; the first of the table wins (§2.4 D5)."""
    return next((family for family in FAMILIES if family.pattern and re.search(family.pattern, base_name)), None)


_ENDOFTEXT: Final = "<|endoftext|>"
_DS_BEGIN: Final = "<\uff5cbegin\u2581of\u2581sentence\uff5c>"
_DS_END: Final = "<\uff5cend\u2581of\u2581sentence\uff5c>"

FAMILIES: Final = (  # of several families with one marker set the first is the most likely
    Family(  # Qwen2.5-Coder, Qwen3-Coder: base models do best
        "qwen-coder",
        QW,
        "psm",
        layouts.qw_repo,
        (_ENDOFTEXT, "<|fim_pad|>", "<|im_start|>", "<|im_end|>"),
        pattern=r"qwen[\d.]*-?coder",
        architectures=("qwen2", "qwen3", "qwen2moe", "qwen3moe", "qwen3next"),
    ),
    Family(  # CodeLlama: 7B and 13B base only for certain; 34B and the Python variants have no FIM
        "codellama",
        CL,
        "psm",
        layouts.cl_psm,
        ("<EOT>", "</s>"),
        pattern=r"code-?llama",
        controls=("<s>",),
    ),
    Family(  # StarCoder2
        "starcoder2",
        SC,
        "psm",
        layouts.sc2_repo,
        (_ENDOFTEXT, "<file_sep>"),  # it rambles without the second
        pattern=r"starcoder-?2",
        architectures=("starcoder2",),
    ),
    Family(  # Mellum
        "mellum",
        S1,
        "spm",
        layouts.mellum,
        (_ENDOFTEXT, "<filename>"),
        pattern=r"mellum",
    ),
    Family(  # StarCoder, StarCoderBase
        "starcoder",
        S1,
        "psm",
        layouts.psm,
        (_ENDOFTEXT, "<filename>"),
        pattern=r"starcoder",
        architectures=("starcoder",),
    ),
    Family("santacoder", SA, "psm", layouts.psm, (_ENDOFTEXT,), pattern=r"santacoder"),
    Family(  # DeepSeek-Coder V1, V2-Lite: V2 of 236B is not trained for it
        "deepseek-coder",
        DS,
        "psm",
        layouts.ds_multi,
        (_DS_END, "<|EOT|>"),
        pattern=r"deepseek-?coder",
        controls=(_DS_BEGIN,),
    ),
    Family(  # CodeGemma
        "codegemma",
        CG,
        "psm",
        layouts.cg_multi,
        ("<|file_separator|>", "<eos>", "<end_of_turn>"),
        pattern=r"codegemma",
        architectures=("gemma", "gemma2", "gemma3"),
        controls=("<bos>", "<start_of_turn>"),
    ),
    Family(  # Codestral, Devstral: Codestral Mamba has no FIM
        "codestral",
        MS,
        "spm",
        layouts.ms,
        ("</s>", "\n+++++ "),
        pattern=r"(codes|devs)tral",
        controls=("<s>",),
        needs_bos=True,
    ),
    Family(  # Granite 4
        "granite4",
        QW,
        "psm",
        layouts.psm,
        ("<|end_of_text|>", "<|fim_pad|>"),
        pattern=r"granite-?4",
        architectures=("granite", "granitemoe", "granitehybrid", "granitemoehybrid"),
    ),
    Family(  # Granite Code, Granite 3: echoes the start of the current line
        "granite-code",
        SC,
        "psm",
        layouts.psm,
        (_ENDOFTEXT, "<|end_of_text|>"),
        pattern=r"granite.*code",
        architectures=("granite", "granitemoe"),
    ),
    Family(  # Stable Code 3B
        "stable-code",
        SC,
        "psm",
        layouts.psm,
        (_ENDOFTEXT, "<file_sep>"),
        pattern=r"stable-?code",
        architectures=("stablelm",),
    ),
    Family(  # CodeQwen1.5
        "codeqwen",
        SC,
        "psm",
        layouts.psm,
        (_ENDOFTEXT,),
        pattern=r"code-?qwen",
        architectures=("qwen2",),
    ),
    Family(  # Seed-Coder 8B
        "seed-coder",
        SD,
        "spm",
        layouts.spm,
        ("<[end\u2581of\u2581sentence]>",),
        pattern=r"seed-?coder",
        controls=("<[begin\u2581of\u2581sentence]>",),
    ),
    Family(  # GLM-4.5
        "glm",
        GL,
        "psm",
        layouts.psm,
        (_ENDOFTEXT, "<|user|>"),
        pattern=r"glm-?4\.[5-9]",
        architectures=("glm4moe", "glm4"),
        controls=("<|assistant|>", "<|system|>"),
    ),
    Family(  # CodeGeeX4
        "codegeex4",
        GL,
        "spm",
        layouts.geex4,
        ("<|user|>", _ENDOFTEXT),
        pattern=r"codegeex-?4",
        architectures=("chatglm",),
        controls=("<|assistant|>", "<|system|>"),
    ),
    Family("mercury", QW, "psm", layouts.file_psm, (), pattern=r"mercury"),
)
_BY_NAME: Final = {family.name: family for family in FAMILIES}

NO_FIM: Final = re.compile(
    # no documented training for it
    r"yi-?coder|opencoder|replit-?code|opencodeinterpreter|codegeex-?2"
    # variants without it of families that have it
    r"|code-?llama.*(34b|python)|deepseek-?coder.*236b|codestral.*mamba|mamba.*codestral"
    # next-edit models: the markers mean something else to them
    r"|\bzeta\b|\bsweep\b"
)
"""Lower-case names, tag included, that turn on only by vocabulary and a passed probe (§2.4 D1)."""
