"""Answers that give away who wrote them (contract arena §2.3 V8). Pure.

Hard: a model says its own name; the battle was not blind and is not rated. Soft: such a word stands somewhere, and not
in the prompt; the vote is kept and can be filtered.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Literal

Leak = Literal["hard", "soft"]

WORDS = frozenset(
    """
    alibaba anthropic baidu bytedance chatglm chatgpt claude codellama codestral cohere command-r copilot dbrx deepmind
    deepseek devstral doubao ernie exaone gemini gemma glm google gpt granite grok hugging-face hunyuan ibm internlm
    kimi llama magistral meta-ai microsoft minicpm minimax ministral mistral mixtral moonshot nemotron nous nvidia olmo
    openai openchat phi pixtral qwen qwq smollm stablelm starcoder tencent tinyllama tongyi vicuna wizardlm xai zephyr
    zhipu
    """.split()  # noqa: SIM905  one name a line would be a page
)
"""Families and makers that models name, whatever the pool holds; no everyday words, such as `solar`."""

_EVERYDAY = frozenset(
    "ai assistant base bot chat code coder instruct library mini model my small test tiny".split()  # noqa: SIM905
)
"""What models are called, too; `I am a tiny bot` gives nobody away."""

_NEAR = 60  # characters between a self-naming phrase and the word
_NAMING = re.compile(
    r"\b(?:i am|i'm|i was|i've been|i have been|my name is|my name's|call me|as an? (?:large|ai|language)|"
    r"ich bin|ich heisse|mein name ist|je suis|je m'appelle|mon nom est|soy|me llamo|mi nombre es|"
    r"sono|mi chiamo|eu sou|meu nome é|ik ben|меня зовут)\b|我是|我叫|私は|我的名字"
)
_MADE = re.compile(r"\bi(?:'m| am| was)\b[^.!?\n]{0,120}?\b(?:built|created|developed|made|trained) (?:by|at)\b")
_BASE = re.compile(r"[^\W\d_]++(?:[- ][^\W\d_]++(?!\d))*")  # letters up to a version: `qwen` of `qwen2.5-coder`
_TOO_SHORT = 2  # letters: a word of one would be found everywhere
_QUOTES = str.maketrans({"’": "'", "‘": "'", "\u200b": None, "\u200c": None, "\u200d": None, "\ufeff": None, "*": None})


def identity_words(names: Iterable[str]) -> frozenset[str]:
    """The built-in list and the pool's own: give families, base names and makers, as the models name them.

    Versions and sizes are left off: of `qwen2.5` the word is `qwen`, which finds `Qwen 3` too.
    """
    bases = (_BASE.match(_plain(name)) for name in names)
    return WORDS | {base.group().replace(" ", "-") for base in bases if base and len(base.group()) >= _TOO_SHORT}


def model_words(model: str, family: str = "") -> frozenset[str]:
    """Of a model as it is installed, `hf.co/Acme/Solar-GGUF:Q4_0`: its base name, its maker and its family."""
    *makers, name = model.split("/")
    named = [name.partition(":")[0], family, *(maker for maker in makers if "." not in maker and ":" not in maker)]
    return identity_words(named) - WORDS - _EVERYDAY


def find_leak(answer: str, prompt: str, words: Iterable[str] = WORDS) -> Leak | None:
    """The worst leak of one answer. A word of the prompt counts only where the answer names itself by it."""
    text = _plain(answer)
    pattern = _any_of(words)
    found = [(match.start(), _joined(match.group())) for match in pattern.finditer(text)]
    if not found:
        return None
    named = sorted(phrase.end() for phrases in (_NAMING, _MADE) for phrase in phrases.finditer(text))
    if any(_follows(named, start) for start, _ in found):
        return "hard"
    asked = {_joined(match.group()) for match in pattern.finditer(_plain(prompt))}
    return "soft" if any(word not in asked for _, word in found) else None


def _follows(named: Sequence[int], start: int) -> bool:
    """The last phrase before `start` is near, of these sorted ends. By bisection: the text is hostile."""
    before = bisect_right(named, start)
    return before > 0 and start - named[before - 1] <= _NEAR


def _joined(word: str) -> str:
    return re.sub(r"[\s\-]", "", word)


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """Whole words; digits may follow (`qwen3`), and a hyphen stands for any gap (`hugging face`)."""
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    alternatives = "|".join(re.escape(word).replace(r"\-", r"[\s\-]?") for word in longest_first)
    return re.compile(rf"(?<![^\W_])(?:{alternatives})(?![^\W\d_])")


def _plain(text: str) -> str:
    """One case, one form of letters and quotes, no emphasis, nothing invisible."""
    return unicodedata.normalize("NFKC", text).translate(_QUOTES).casefold()
