"""Tool calls come out of a model's text complete, however it arrives (contract ollama-http §4.9, ollama-store §5.7)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puna.prompts import GoTemplate, ToolCall, ToolCallParser, infer_tag
from tests.prompts.splits import cut_texts

Said = tuple[str, list[tuple[int, str, Any]]]
LIMA = {"city": "Lima"}


def parsed(pieces: list[str], tag: str, names: tuple[str, ...] = ("weather", "sum")) -> Said:
    """All content joined, and index, name and arguments of each call."""
    parser = ToolCallParser(tag, names)
    said = [item for piece in pieces for item in parser.feed(piece)] + parser.finish()
    calls = [(item.index, item.name, item.arguments) for item in said if isinstance(item, ToolCall)]
    return "".join(item for item in said if isinstance(item, str)), calls


CASES: list[tuple[str, str, Said]] = [
    ("<tool_call>", "Hello <b>", ("Hello <b>", [])),
    (
        "<tool_call>",
        'Let me see.\n<tool_call>\n{"name": "weather", "arguments": {"city": "Lima"}}\n</tool_call>',
        ("Let me see.\n", [(0, "weather", LIMA)]),
    ),
    (
        "<tool_call>",
        '<tool_call>{"name":"weather","arguments":{"city":"Lima"}}</tool_call>\n<tool_call>'
        '{"arguments":{"a":[1,{"b":"}\\"{"}]},"name":"sum"}</tool_call>',
        ("", [(0, "weather", LIMA), (1, "sum", {"a": [1, {"b": '}"{'}]})]),
    ),
    ("[TOOL_CALLS] [", '[TOOL_CALLS] [{"name":"sum","arguments":{}},{"name":"sum","arguments":{"a":1}}]</s>',
     ("", [(0, "sum", {}), (1, "sum", {"a": 1})])),
    ("[TOOL_CALLS]", '[TOOL_CALLS]weather[ARGS]{"city":"Lima"}', ("", [(0, "weather", LIMA)])),
    ("<call>", '<call>weather\n```json\n{"city": "Lima"}\n```', ("", [(0, "weather", LIMA)])),
    ("<call>", '<call>{"function": {"name": "weather", "arguments": "{\\"city\\": \\"Lima\\"}"}}', ("", [(0, "weather", LIMA)])),
    ("<call>", '<call>{"tool_name": "weather", "parameters": {"city": "Lima"}}', ("", [(0, "weather", LIMA)])),
    ("<call>", '<call>{"name": "sum"}', ("", [(0, "sum", {})])),
    ("<call>", 'x<call>{"name": "unknown", "arguments": {}} y', ('x<call>{"name": "unknown", "arguments": {}} y', [])),
    ("<call>", 'x<call>{"name": "sum", "arguments": 5} y', ('x<call>{"name": "sum", "arguments": 5} y', [])),
    ("<call>", '<call>{"name": "sum", arguments} y', ('<call>{"name": "sum", arguments} y', [])),
    ("<call>", '<call>{"name": "sum", "argu', ('<call>{"name": "sum", "argu', [])),
    ("<call>", "<call> I would call nothing", ("<call> I would call nothing", [])),
    ("<call>", "a <cal", ("a <cal", [])),
    ("<call>", '<call>{"name":"sum","arguments":{}}<call>{"nam', ("<call>{\"nam", [(0, "sum", {})])),
    ("<call>", '<call>{"name":"sum","arguments":{}}<call>{"x":1}', ('<call>{"x":1}', [(0, "sum", {})])),
    ("{", '{"name": "weather", "parameters": {"city": "Lima"}}', ("", [(0, "weather", LIMA)])),
    ("{", ' \n{"name": "sum", "parameters": {}}; {"name": "sum", "parameters": {"a": 1}} ',
     ("", [(0, "sum", {}), (1, "sum", {"a": 1})])),
    ("{", '{"name": "sum", "parameters": {}}\n\nDone.', ("Done.", [(0, "sum", {})])),
    ("{", 'See {"name": "sum", "parameters": {}}', ('See {"name": "sum", "parameters": {}}', [])),
    ("{", ' {"colour": "red"} is JSON', (' {"colour": "red"} is JSON', [])),
    ("{", '{"colour": "re', ('{"colour": "re', [])),
    ("[", '[{"name": "sum", "arguments": {}}, {"name": "sum", "arguments": {}}]', ("", [(0, "sum", {}), (1, "sum", {})])),
    ("[", "[1] is a footnote", ("[1] is a footnote", [])),
    ("[", "{}", ("{}", [])),
    ("{", "", ("", [])),
    ("{", "  ", ("  ", [])),
]  # fmt: skip


@pytest.mark.parametrize(("tag", "text", "expected"), CASES)
def test_calls_are_found_and_the_rest_is_content(tag: str, text: str, expected: Said) -> None:
    assert parsed([text], tag) == expected
    assert parsed(list(text), tag) == expected


def test_without_names_any_object_with_name_and_arguments_is_a_call() -> None:
    assert parsed(['<t>{"name":"x","arguments":{}}'], "<t>", ()) == ("", [(0, "x", {})])
    assert parsed(['{"name":"Ada","age":36}'], "{", ()) == ('{"name":"Ada","age":36}', [])


def test_content_before_the_tag_is_given_out_at_once() -> None:
    parser = ToolCallParser("<tool>", ("f",))
    assert parser.feed("ab<to") == ["ab"]
    assert parser.feed("p<tool>{") == ["<top"]
    assert parser.feed('"name":"f","arguments":{}') == []
    assert [call.name for call in parser.feed("}") if isinstance(call, ToolCall)] == ["f"]


def test_ids_have_the_references_form_and_differ() -> None:
    parser = ToolCallParser("{", ("f",))
    calls = parser.feed('{"name":"f","arguments":{}}' * 20)
    ids = {call.id for call in calls if isinstance(call, ToolCall)}
    assert len(ids) == 20
    assert all(re.fullmatch(r"call_[a-z0-9]{8}", id_) for id_ in ids)


def test_order_of_arguments_is_kept() -> None:
    (call,) = ToolCallParser("{").feed('{"name":"f","arguments":{"z":1,"a":2}}')
    assert isinstance(call, ToolCall)
    assert list(call.arguments) == ["z", "a"]


@pytest.mark.parametrize("between", ["<tool>", "and ", "[x"])
def test_without_a_tag_anything_but_an_object_ends_the_calls(between: str) -> None:
    call = '{"name":"sum","arguments":{}}'
    expected = (between.removeprefix("[") + call, [(0, "sum", {})])
    assert parsed([call + between + call], "{") == expected
    assert parsed([call, between[:2], between[2:] + call], "{") == expected


def test_T16_arguments_nested_too_deep_are_text() -> None:
    text = '{"name":"f","arguments":' + '{"a":' * 100_000 + "1" + "}" * 100_001
    assert parsed([text], "{") == (text, [])
    assert parsed([text[:-1]], "{") == (text[:-1], [])


NAMES = st.sampled_from(["sum", "weather", "other"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text('ab{}"\\[]<é', max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab{", max_size=2), inner, max_size=2),
    max_leaves=4,
)
CALLS = st.builds(
    lambda name, arguments: json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False), NAMES, VALUES
)
PARTS = CALLS | st.sampled_from(
    ["<tool>", "</tool>", "<to", "ol>", "[", "]", ",", " ", "\n", "{", "}", '"', "text", "sum"]
)


@settings(max_examples=300, deadline=None)
@given(cut_texts(st.lists(PARTS, max_size=8).map("".join)), st.sampled_from(["<tool>", "{", "["]))
def test_every_split_gives_the_same(pieces: list[str], tag: str) -> None:
    assert parsed(pieces, tag) == parsed(["".join(pieces)], tag)


@pytest.mark.parametrize(
    ("template", "tag"),
    [
        (
            "{{ range .Messages }}{{ if .ToolCalls }}<tool>\n{{ range .ToolCalls }}{{ . }}{{ end }}{{ end }}{{ end }}",
            "<tool>",
        ),
        ('{{ range .Messages }}{{ if .ToolCalls }}{{ range .ToolCalls }}{"name": 1}{{ end }}{{ end }}{{ end }}', "{"),
        ('{{ range .Messages }}{{ if .ToolCalls }}\n[{"name": 1}]{{ end }}{{ end }}', "["),
        ("{{ range .Messages }}{{ if .Content }}c{{ else if .ToolCalls }}[CALL] {{ end }}{{ end }}", "[CALL]"),
        ("{{ range .Messages }}{{ if .ToolCalls }}{{ .ToolCalls }}{{ end }}{{ end }}", "{"),
        ("{{ range .Messages }}{{ if .Content }}{{ if $.X.ToolCalls }}deep{{ end }}{{ end }}{{ end }}", "deep"),
        (
            '{{ define "c" }}{{ if .ToolCalls }}<c>{{ end }}{{ end }}{{ range .Messages }}{{ template "c" . }}{{ end }}',
            "<c>",
        ),
        ("{{ .Prompt }}", "{"),
    ],
)
def test_tag_is_the_first_text_where_the_template_shows_old_calls(template: str, tag: str) -> None:
    assert infer_tag(GoTemplate.parse(template)) == tag
