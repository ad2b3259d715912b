"""Natural text of any length that no server has seen before: contexts, warm-ups, batches (contract meter §22).

Plain sentences from short lists of words, drawn from a seed, so that equal seeds give equal text. Random tokens would
be unfair to draft models and expert routing; a text that differs from its first words on defeats every prompt cache.
"""

from __future__ import annotations

import random

WORDS_PER_TOKEN = 0.75
"""Of English text, until a model's own counts say better."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_ADJECTIVES = _words("quiet old bright narrow distant gentle busy golden patient hidden early wide cold simple curious")
_PEOPLE = _words("shepherd teacher weaver farmer traveller baker painter sailor gardener child doctor miller singer")
_VERBS = _words("carries finds remembers paints repairs counts follows studies describes gathers watches trades")
_THINGS = _words("wool bread letters stones seeds maps bells apples baskets stories songs lamps ropes books coins")
_PLACES = _words("river market village mountain bridge harbour meadow station garden valley library workshop road")
_TIMES = _words("morning winter afternoon rain summer evening silence autumn storm spring night festival")


def passage(seed: str, words: int) -> str:
    """`words` words, at least two, that differ from the first ones on for different seeds."""
    dice = random.Random(seed)  # noqa: S311 - nothing here is secret
    text = ["Entry", str(dice.randrange(10**6, 10**7)), "of", "the", "journal."]
    while len(text) < words:
        text += _sentence(dice).split()
    return " ".join(text[: max(words, 2)])


def word_count(text: str) -> int:
    return len(text.split())


def _sentence(dice: random.Random) -> str:
    pick = dice.choice
    return (
        f"The {pick(_ADJECTIVES)} {pick(_PEOPLE)} {pick(_VERBS)} {pick(_ADJECTIVES)} {pick(_THINGS)} "
        f"near the {pick(_PLACES)} in the {pick(_TIMES)}."
    )
