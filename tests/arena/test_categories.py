"""What a prompt shows of its kind by itself (contract arena §2.6 L5)."""

from __future__ import annotations

import pytest

from puna.arena.categories import automatic_categories


@pytest.mark.parametrize(
    ("prompts", "tokens", "found"),
    [
        (["Write a function that sorts."], [10], {"code"}),
        (["```\nx = 1\n```"], [10], {"code"}),
        (["Why does my C++ not link?"], [10], {"code"}),
        (["What is 17 * 23?"], [10], {"maths"}),
        (["Prove that there are infinitely many."], [10], {"maths"}),
        (["Tell me a story.", "Go on."], [10, 20], {"multi-turn"}),
        (["Tell me a story."], [499, 500], {"long"}),
        (["Tell me of the import of tea in 1850-1900, from India."], [10], set()),
        (["From 1850 on, import duties in this class of goods rose. Let me know why."], [10], set()),
        (["It cost $5, then $10."], [10], set()),
        (["Explain $e^{i\\pi} = -1$."], [10], {"maths"}),
        (["from os import path\nwhat is that?"], [10], {"code"}),
        (["select name from people;"], [10], {"code"}),
        (["Hello"], [], set()),
    ],
)
def test_L5_categories_by_rule(prompts: list[str], tokens: list[int], found: set[str]) -> None:
    assert automatic_categories(prompts, tokens) == found


@pytest.mark.timeout(10)
@pytest.mark.parametrize("prompt", ["\n" * 200_000, "$" + "=" * 200_000, "select " * 30_000, " " * 200_000])
def test_T23_a_long_hostile_prompt_is_read_at_once(prompt: str) -> None:
    assert automatic_categories([prompt], [1]) == frozenset()
