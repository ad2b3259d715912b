"""Templates in the styles of well-known model families, and what they make of the same few conversations.

`families/<family>.tmpl` is a template, `families/<family>.<scenario>.txt` the exact prompt for a scenario below.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from puna.prompts import (
    GoTemplate,
    Message,
    ToolCall,
    infer_tag,
    infer_tags,
    normalise_tools,
    render_messages,
    render_suffix,
)

FAMILIES = Path(__file__).parent / "families"

CHAT = (
    Message("system", "Be brief."),
    Message("user", "Hi!"),
    Message("assistant", "Hello."),
    Message("user", "Name a colour & a <fruit>."),
)
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather now",
        "parameters": {
            "type": "object",
            "required": ["city"],
            "properties": {
                "unit": {"type": ["string", "null"], "enum": ["C", "F"], "minLength": 1},
                "city": {"type": "string", "description": "Where"},
                "days": {"anyOf": [{"type": "integer"}, {"type": "array"}]},
            },
        },
    },
}
TOOLS = normalise_tools([WEATHER])
TOOL_TURN = (
    Message("system", "Be brief."),
    Message("user", "Weather in Lima?"),
    Message("assistant", tool_calls=(ToolCall("call_1", "get_weather", {"unit": "C", "city": "Lima"}),)),
    Message("tool", '{"sky": "grey"}', tool_name="get_weather"),
)
THOUGHT = (Message("user", "2+2?"), Message("assistant", "4", thinking="Add them."))

SCENARIOS: dict[str, Callable[[GoTemplate], str]] = {
    "chat": lambda template: render_messages(template, CHAT),
    "user": lambda template: render_messages(template, [Message("user", "Hi!")]),
    "prefill": lambda template: render_messages(template, [*CHAT, Message("assistant", "Blue")]),
    "suffix": lambda template: render_suffix(template, "def add(", "return x"),
    "tools": lambda template: render_messages(template, CHAT, TOOLS),
    "tool-turn": lambda template: render_messages(template, TOOL_TURN, TOOLS),
    "thought": lambda template: render_messages(template, THOUGHT, (), True),
    "think": lambda template: render_messages(template, CHAT, (), "high"),
    "no-think": lambda template: render_messages(template, CHAT, (), False),
    "image": lambda template: render_messages(template, [Message("user", "What is it?", images=(b"a", b"b"))]),
}
CASES = sorted(path.name.removesuffix(".txt") for path in FAMILIES.glob("*.txt"))


def family(name: str) -> GoTemplate:
    return GoTemplate.parse((FAMILIES / f"{name}.tmpl").read_text())


@pytest.mark.parametrize("case", CASES)
def test_family_renders_as_its_model_expects(case: str) -> None:
    name, scenario = case.rsplit(".", 1)
    assert SCENARIOS[scenario](family(name)) == (FAMILIES / f"{case}.txt").read_text()


def test_every_template_has_an_expected_prompt() -> None:
    templates = {path.name.removesuffix(".tmpl") for path in FAMILIES.glob("*.tmpl")}
    assert templates == {case.rsplit(".", 1)[0] for case in CASES}
    assert len(templates) >= 25


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("mistral", "[TOOL_CALLS] ["),
        ("qwen", "<tool_call>"),
        ("llama3-tools", "{"),
        ("command-r", "Action: ```json\n["),
        ("firefunction", "{"),  # `with` is no `if`
        ("llama2", "{"),
    ],
)
def test_tool_call_tag_is_found_in_the_template(name: str, tag: str) -> None:
    assert infer_tag(family(name)) == tag


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("deepseek-thinking", ("<think>", "</think>")),
        ("qwen-thinking", ("<think>", "</think>")),
        ("qwen", None),
        ("llama2", None),
    ],
)
def test_thinking_tags_are_found_in_the_template(name: str, tags: tuple[str, str] | None) -> None:
    assert infer_tags(family(name)) == tags
