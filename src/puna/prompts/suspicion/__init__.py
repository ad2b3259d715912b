"""What a person should know about a model's template before trusting it (threats T09).

A template that answers differently to certain words is found by reading it, never by running it: a hint, not a proof,
for it sees only comparisons and searches between what was said and plain words.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from puna.errors import BadRequest
from puna.prompts.choice import TemplateChoice
from puna.prompts.gotemplate import GoTemplate
from puna.prompts.suspicion import go, jinja
from puna.prompts.suspicion.trace import TooComplex
from puna.store import Model

MAX_LENGTH = 128 * 1024  # characters; the longest template in use has some thirty thousand
_SHOWN = 3  # words
_SHOWN_LENGTH = 40  # characters of each

_UNCHECKED = "the template is too large or too deeply nested to be checked for hidden conditions"


def template_warnings(choice: TemplateChoice) -> tuple[str, ...]:
    """One line where the template in force waits for certain words or cannot be checked; most often none."""
    if choice.kind == "none":
        return ()
    if len(choice.text) > MAX_LENGTH:
        return (_UNCHECKED,)
    return _warnings(choice.kind, choice.text)


def twin_warnings(model: Model, others: Iterable[Model]) -> tuple[str, ...]:
    """One line where another model has the same weights and another template: one of the two may be a bad copy."""
    if model.weights_digest is None:
        return ()
    same = [other for other in others if other.weights_digest == model.weights_digest]
    twins = sorted(other.name.shortest for other in same if _template(other) != _template(model))
    return tuple(f"the template differs from that of model '{name}', which has the same weights" for name in twins[:1])


@lru_cache(maxsize=64)
def _warnings(kind: Literal["go", "jinja"], text: str) -> tuple[str, ...]:
    try:
        words = go.words_sought(GoTemplate.parse(text)) if kind == "go" else jinja.words_sought(text)
    except BadRequest:  # it cannot run either
        return ()
    except (TooComplex, RecursionError):
        return (_UNCHECKED,)
    if not words:
        return ()
    named = [f'"{_printable(word)}"' for word in sorted(words)[:_SHOWN]]
    return (f"the template changes the prompt when a message says {' or '.join(named)}",)


def _template(model: Model) -> str | None:
    return model.jinja_template if model.template is None else model.template


def _printable(word: str) -> str:
    shown = "".join(char if char.isprintable() else " " for char in word).strip()
    return shown if len(shown) <= _SHOWN_LENGTH else shown[: _SHOWN_LENGTH - 1] + "…"


__all__ = ["template_warnings", "twin_warnings"]
