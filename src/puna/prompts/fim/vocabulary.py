"""What `/api/show` tells about a model's tokens (contract code-completion §1.6, §2.4 D2, D3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_CONTROL = 3  # llama.cpp's token types
_USER_DEFINED = 4
_MAX_CONTROLS = 2048  # more than any real vocabulary has; a pattern is made of them


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokens of a model by id, and those that are more than text."""

    tokens: tuple[str, ...]
    known: frozenset[str]  # the same texts, to look one up
    special: frozenset[str]  # control and user-defined tokens: found in a text as a whole
    controls: tuple[str, ...] = ()  # control tokens: what user text must not become
    bos: str = ""  # empty = the model has none
    eos: str = ""
    adds_bos: bool = False  # the tokenizer puts BOS in front by itself

    def text_of(self, token: int) -> str | None:
        """The text of a token id, None for an id that is not in the vocabulary."""
        return self.tokens[token] if 0 <= token < len(self.tokens) else None

    @staticmethod
    def from_show(show: Mapping[str, Any]) -> Vocabulary | None:
        """The vocabulary in a verbose answer; None when the endpoint left the tokens out or sent something else."""
        info = show.get("model_info")
        if not isinstance(info, Mapping):
            return None
        tokens, types = info.get("tokenizer.ggml.tokens"), info.get("tokenizer.ggml.token_type")
        if not isinstance(tokens, list) or not tokens or not all(isinstance(token, str) for token in tokens):
            return None
        if not isinstance(types, list) or len(types) != len(tokens):
            return None
        typed = tuple(zip(tokens, types, strict=True))
        return Vocabulary(
            tokens=tuple(tokens),
            known=frozenset(tokens),
            special=frozenset(token for token, kind in typed if kind in (_CONTROL, _USER_DEFINED)),
            controls=tuple(token for token, kind in typed if kind == _CONTROL and _is_guardable(token))[:_MAX_CONTROLS],
            bos=_named(info, tokens, "bos"),
            eos=_named(info, tokens, "eos"),
            adds_bos=_adds_bos(info),
        )


def _is_guardable(token: str) -> bool:
    """Single characters and blanks are in every text; to break them would spoil it."""
    return len(token) > 1 and not any(character.isspace() for character in token)


def _named(info: Mapping[str, Any], tokens: list[str], which: str) -> str:
    token = info.get(f"tokenizer.ggml.{which}_token_id")
    return tokens[token] if isinstance(token, int) and 0 <= token < len(tokens) else ""


def _adds_bos(info: Mapping[str, Any]) -> bool:
    """What the file says; where it says nothing, llama.cpp adds BOS to SentencePiece vocabularies."""
    told = info.get("tokenizer.ggml.add_bos_token")
    return told if isinstance(told, bool) else info.get("tokenizer.ggml.model") == "llama"
