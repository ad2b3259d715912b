"""Categories that a prompt and its battle show by themselves (contract arena §2.6 L5). Pure.

They are first guesses: whoever stores them marks them as automatic, and people may change them. The language of a
prompt is not guessed here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

LONG = 500
"""Tokens of an answer from which a battle is long."""

_CODE = re.compile(
    r"```|^[ \t]*(?:def \w+\(|class \w+[:({]|import [\w.]+;?$|from [\w.]+ import |#include\b|select .{1,200}? from |"
    r"(?:const|let|var) \w+ =|(?:function|func|fn) \w+\()|"
    r"\b(?:python|javascript|typescript|golang|c\+\+|c#|sql|regex|bash|html|css|json|stack trace|unit tests?|refactor|"
    r"source code|write (?:a|the) (?:function|program|script|query))(?!\w)",
    re.IGNORECASE | re.MULTILINE,
)
_MATHS = re.compile(
    r"\$[^$\n]{0,200}[\\^_=][^$\n]{0,200}\$|\\(?:frac|sum|int|sqrt)\b|\d ?[+*×÷^=] ?\d|\d [-/] \d|"
    r"\b(?:equations?|integrals?|derivatives?|theorem|prove that|probability|eigenvalues?|geometry|algebra|calculus|"
    r"prime numbers?|modulo|square root|solve for|calculate)\b",
    re.IGNORECASE,
)


def automatic_categories(prompts: Sequence[str], answer_tokens: Sequence[int]) -> frozenset[str]:
    """`prompts`: the user's turns of one battle; `answer_tokens`: of each answer of the last turn."""
    text = "\n".join(prompts)
    found = {
        "code": _CODE.search(text) is not None,
        "maths": _MATHS.search(text) is not None,
        "long": max(answer_tokens, default=0) >= LONG,
        "multi-turn": len(prompts) > 1,
    }
    return frozenset(name for name, holds in found.items() if holds)
