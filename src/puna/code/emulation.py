"""Completions from a model that can only chat: contract code-completion §2.4 D7. Pure.

The model is shown the text around the cursor between tags, and its answer is begun for it with the cursor's line. An
upstream that does not go on with a begun answer gives a new one, as a rule with a sentence and a fence in front.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from puna.code.analysis import Parts
from puna.prompts.fim import guard

FENCE = "```"
_TAGS = ("<prefix>", "</prefix>", "<suffix>", "</suffix>", "<file ", "</file>")
_TASK = (
    "You complete code. The user shows a file with a gap between <prefix> and <suffix>. Answer with the code that "
    "belongs there and nothing else, in one code block. Do not repeat the suffix. Do not explain."
)
_PROSE = re.compile(
    r"\s*(?:certainly|here(?:'s| is| are)|of course|okay|sure|the (?:code|completion|missing)|to complete)\b",
    re.IGNORECASE,
)
_ENOUGH = 24  # characters that tell prose and fences from code


def messages(parts: Parts, typed: str, system: str, controls: Sequence[str]) -> list[dict[str, str]]:
    """The conversation; its last message is the begun answer.

    `typed` is the cursor's line so far. `controls` are the texts that must not come out of the user's (V2).
    """
    forbidden = (*_TAGS, *controls)

    def said(text: str) -> str:
        return guard(text, forbidden)

    files = "".join(f"<file {said(file.filename)}>\n{said(file.text)}\n</file>\n" for file in parts.extra)
    about = " ".join(said(text) for text in (parts.language, parts.path) if text)
    above = parts.prefix.removesuffix(typed)  # typing on the line then leaves the question as it was (§4.2)
    code = f"<prefix>{said(above)}</prefix><suffix>{said(parts.suffix)}</suffix>"
    return [
        {"role": "system", "content": system or _TASK},
        {"role": "user", "content": "\n".join(text for text in (f"{files}{about}", code) if text)},
        {"role": "assistant", "content": f"{FENCE}{said(parts.language_id)}\n{said(typed)}"},
    ]


class Answer:
    """A two-method stream that leaves the code: no prose in front, no fence, no second copy of the cursor's line."""

    def __init__(self, typed: str) -> None:
        self._typed = typed
        self._held = ""
        self._inside = False

    def feed(self, text: str) -> str:
        if self._inside:
            return text
        self._held += text
        start = self._held.lstrip()
        if len(start) < _ENOUGH and "\n" not in start:
            return ""
        return self._enter()

    def finish(self) -> str:
        """The rest; prose that no code followed is none of it."""
        return "" if self._inside else self._enter(last=True)

    def _enter(self, *, last: bool = False) -> str:
        """The code at the start of what is held, once it is there."""
        fence = self._held.find(FENCE)
        if fence < 0 and not _PROSE.match(self._held):
            return self._code(self._held)  # the begun answer goes on
        _, newline, code = self._held[max(fence, 0) :].partition("\n")
        if fence < 0 or not newline or (len(code) < len(self._typed) and not last):
            return ""
        if self._held[:fence].strip() and not _PROSE.match(self._held):
            return self._code(self._held)  # the fence that closes the begun block
        return self._code(code.removeprefix(self._typed))

    def _code(self, text: str) -> str:
        self._inside, self._held = True, ""
        return text
