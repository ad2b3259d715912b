"""The token sets of fill-in-the-middle models, character for character (contract code-completion §2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Order = Literal["psm", "spm"]
"""Which text the model reads first: prefix, suffix, middle or suffix, prefix, middle."""


@dataclass(frozen=True, slots=True)
class MarkerSet:
    """The control strings that delimit the parts of a prompt. An empty one does not exist in the set."""

    id: str
    prefix: str
    suffix: str
    middle: str = ""
    repository: str = ""
    file: str = ""
    file_head: str = ""  # ordinary text in front of a file's path, where the set has no token for it

    @property
    def fim(self) -> tuple[str, ...]:
        """The two or three markers without which nothing can be filled in."""
        return tuple(text for text in (self.prefix, self.suffix, self.middle) if text)

    @property
    def controls(self) -> tuple[str, ...]:
        """Every marker that is a token, not ordinary text."""
        return (*self.fim, *(text for text in (self.repository, self.file) if text))


_PIPES: Final = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
_PLAIN: Final = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>")

QW: Final = MarkerSet("QW", *_PIPES, "<|repo_name|>", "<|file_sep|>")
CG: Final = MarkerSet("CG", *_PIPES, file="<|file_separator|>")
SC: Final = MarkerSet("SC", *_PLAIN, "<repo_name>", "<file_sep>")
S1: Final = MarkerSet("S1", *_PLAIN, "<reponame>", "<filename>")
SA: Final = MarkerSet("SA", "<fim-prefix>", "<fim-suffix>", "<fim-middle>")
CL: Final = MarkerSet("CL", "<PRE>", "<SUF>", "<MID>")
# U+FF5C and U+2581, not the ASCII bar and blank
DS: Final = MarkerSet(
    "DS", "<\uff5cfim\u2581begin\uff5c>", "<\uff5cfim\u2581hole\uff5c>", "<\uff5cfim\u2581end\uff5c>", file_head="#"
)
MS: Final = MarkerSet("MS", "[PREFIX]", "[SUFFIX]", file_head="+++++ ")
SD: Final = MarkerSet("SD", "<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>", file="<filename>")
GL: Final = MarkerSet("GL", "<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>", file_head="###PATH:")

MARKER_SETS: Final = (QW, CG, SC, S1, SA, CL, DS, MS, SD, GL)
