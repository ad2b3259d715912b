"""Answers that give themselves away (contract arena §2.3 V8)."""

from __future__ import annotations

import pytest

from puna.arena.leaks import find_leak, identity_words, model_words

POOL = identity_words(["llama3.2", "Qwen2.5-coder", "SmolLM2-135M-Instruct", "solar", "Acme Labs"])


@pytest.mark.parametrize(
    "answer",
    [
        "I am Llama, how can I help?",
        "Hi! I'm Qwen2.5, a large language model.",
        "I’m **Qwen**.",
        "My name is SmolLM2.",
        "As an AI language model made by OpenAI, I cannot.",
        "I am a large language model, trained on a great many texts, and I was developed by Alibaba Cloud.",
        "i was created by hugging face",
        "Call me Solar!",
        "I was built at Acme Labs.",
        "Ich heiße Gemma.",
        "Je suis Mistral.",
        "我是通义千问 Qwen。",
        "I am\u200b Cl\u200baude.",
        "I am ＣＬＡＵＤＥ.",
    ],
)
def test_V8_naming_oneself_is_a_hard_leak(answer: str) -> None:
    assert find_leak(answer, "Who are you?", POOL) == "hard"


def test_V8_naming_oneself_counts_though_the_prompt_asked() -> None:
    assert find_leak("Yes, I am Llama.", "Are you Llama?", POOL) == "hard"


@pytest.mark.parametrize(
    "answer", ["Try Mistral or Gemma.", "GPT-4 is a model.", "Llama-3 has 8 billion parameters.", "deepseek"]
)
def test_V8_a_word_elsewhere_is_a_soft_leak(answer: str) -> None:
    assert find_leak(answer, "Which models are there?", POOL) == "soft"


def test_V8_sixty_characters_after_the_phrase_is_the_reach() -> None:
    near, far = "I am " + "x" * 58 + " llama", "I am " + "x" * 60 + " llama"
    assert (find_leak(near, "", POOL), find_leak(far, "", POOL)) == ("hard", "soft")


@pytest.mark.parametrize(
    ("answer", "prompt"),
    [
        ("Llamas live in the high grassland.", "Where do they live?"),
        ("The philosophy of the graphite.", "?"),
        ("A llama eats grass.", "What does a llama eat?"),
        ("Meta AI is mentioned.", "Tell me of meta-ai"),
        ("I am happy to help. 7 × 6 = 42.", "7 × 6?"),
        ("", ""),
    ],
)
def test_V8_other_words_and_those_of_the_prompt_are_none(answer: str, prompt: str) -> None:
    assert find_leak(answer, prompt, POOL) is None


def test_V8_everyday_words_count_only_with_such_a_model_in_the_pool() -> None:
    assert find_leak("I am Solar.", "", identity_words([])) is None
    assert find_leak("I am Solar.", "", identity_words(["solar:10.7b"])) == "hard"


def test_V8_versions_and_sizes_are_left_off_the_words() -> None:
    words = identity_words(["llama3.2", "Qwen2.5-coder", "command-r", "phi4-mini", "o1", "7b", ""])
    assert {"llama", "qwen", "command-r", "phi"} <= words
    assert words.isdisjoint({"llama3.2", "o", "o1", "7b", ""})


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("answer", "leak"),
    [("i am " * 20_000, None), ("llama " * 20_000 + "i am " * 20_000, "soft"), ("i was " * 20_000 + "trained", None)],
)
def test_T23_a_long_hostile_answer_is_read_at_once(answer: str, leak: str | None) -> None:
    assert find_leak(answer, "", POOL) == leak


@pytest.mark.parametrize(
    ("model", "family", "words"),
    [
        ("solar:10.7b", "", {"solar"}),
        ("hub.example:5000/acme/Rocket-7B-GGUF:Q4_0", "falcon", {"acme", "rocket", "falcon"}),
        ("library/my-assistant", "qwen2", {"my-assistant"}),
        ("tiny", "llama", set()),
    ],
)
def test_V8_the_words_of_a_model_are_its_base_name_its_maker_and_its_family(
    model: str, family: str, words: set[str]
) -> None:
    """What the built-in list has, and everyday words, are left out."""
    assert model_words(model, family) == words
