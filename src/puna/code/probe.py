"""Three gaps with one right answer each: does the model fill them? (contract code-completion §2.4 D6)

A model without fill-in-the-middle runs on past the gap or writes something else, so the whole answer has to be right.
"""

from __future__ import annotations

from dataclasses import dataclass

NEEDED = 2  # of the three gaps
MAX_TOKENS = 12


@dataclass(frozen=True, slots=True)
class Gap:
    prefix: str
    middle: str
    suffix: str

    def filled_by(self, text: str) -> bool:
        return text.strip() == self.middle


GAPS = (
    Gap("# Python\ndef add(first, second):\n    return first + ", "second", "\n\nprint(add(1, 2))\n"),
    Gap("numbers = [\n    1, 2, 3,\n    4, ", "5", ", 6,\n    7, 8, 9,\n]\n"),
    Gap("words = ['a', 'b']\nfor word ", "in", " words:\n    print(word)\n"),
)
