"""Presets, system texts and old reasoning: which messages are rendered at all (contract ollama-http §4.3)."""

from __future__ import annotations

import pytest

from puna.prompts import Message, ToolCall, assemble_chat, assemble_generate
from puna.prompts.assemble import without_old_thinking
from tests.prompts.models import model

PRESETS = ({"role": "user", "content": "Who are you?"}, {"role": "Assistant", "content": "Puna."})
PIRATE = model(system="Talk like a pirate.", messages=PRESETS)
SYSTEM = Message("system", "Talk like a pirate.")
PRESET = (Message("user", "Who are you?"), Message("assistant", "Puna."))
HI = Message("user", "Hi")


def test_chat_begins_with_the_models_system_text_and_presets() -> None:
    assert assemble_chat(PIRATE, [HI]) == (SYSTEM, *PRESET, HI)
    assert assemble_chat(model(), [HI]) == (HI,)


def test_a_system_message_of_the_request_replaces_the_models() -> None:
    own = Message("system", "Be kind.")
    assert assemble_chat(PIRATE, [own, HI]) == (*PRESET, own, HI)
    assert assemble_chat(PIRATE, [HI, own]) == (SYSTEM, *PRESET, HI, own)


def test_generate_is_one_user_turn() -> None:
    assert assemble_generate(PIRATE, prompt="Hi") == (SYSTEM, *PRESET, HI)
    assert assemble_generate(PIRATE, system="Be kind.", prompt="Hi") == (Message("system", "Be kind."), *PRESET, HI)
    assert assemble_generate(PIRATE, prompt="Hi", with_presets=False) == (SYSTEM, HI)
    assert assemble_generate(model(), prompt="Hi", images=(b"x",)) == (Message("user", "Hi", images=(b"x",)),)


def test_presets_carry_tool_calls_and_survive_wrong_types() -> None:
    call = {"function": {"name": "f", "arguments": {"a": 1}}}
    odd = {"role": "assistant", "content": None, "thinking": "t", "tool_calls": [call, 1, {}, {"function": {}}]}
    given = model(messages=(odd, {"role": 1, "tool_calls": 2}))
    expected = Message("assistant", thinking="t", tool_calls=(ToolCall("", "f", {"a": 1}, 0), ToolCall("", "", {}, 1)))
    assert assemble_chat(given, []) == (expected, Message(""))


@pytest.mark.parametrize(
    ("name", "family", "content"),
    [("x", "qwen3", "4"), ("deepseek-r1:7b", "qwen2", "4"), ("x", "llama", "<think>Add.</think>\n\n4")],
)
def test_old_reasoning_in_the_content_is_taken_off_for_the_families_that_need_it(
    name: str, family: str, content: str
) -> None:
    answer = Message("assistant", "<think>Add.</think>\n\n4")
    messages = [Message("user", "2+2"), answer, Message("user", "3+3"), answer]
    assert assemble_chat(model(name, model_family=family), messages) == (
        messages[0], Message("assistant", content), messages[2], answer,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "expected"),
    [("plain", "plain"), ("a <think>b</think>", "a <think>b</think>"), ("<think>open", ""), ("<th", "<th"), ("", "")],
)
def test_only_reasoning_at_the_beginning_is_taken_off(content: str, expected: str) -> None:
    messages = without_old_thinking([Message("assistant", content), HI])
    assert messages == (Message("assistant", expected), HI)
