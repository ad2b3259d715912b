"""Which text a conversation becomes, for templates with and without messages (contract ollama-store §5.2 to §5.5, §7)."""

from __future__ import annotations

import pytest

from puna.errors import BadRequest
from puna.prompts import GoTemplate, Message, ToolCall, normalise_tools, render_messages, render_prompt, render_suffix
from puna.prompts.templatedata import Think

LLAMA2 = GoTemplate.parse("[INST] {{ if .System }}{{ .System }}\n\n{{ end }}{{ .Prompt }}[/INST] {{ .Response }}")
FIM = GoTemplate.parse(
    "{{- if .Suffix }}<PRE> {{ .Prompt }} <SUF>{{ .Suffix }} <MID>{{- else }}{{ .Prompt }}{{- end }}"
)
ROLES = GoTemplate.parse("{{ .System }}|{{ range .Messages }}<{{ .Role }}:{{ .Content }}>{{ end }}")
HI = Message("user", "Hi")


def rendered(template: str, *messages: Message, think: Think = None) -> str:
    return render_messages(GoTemplate.parse(template), messages, (), think)


def test_conformance_legacy_template() -> None:
    messages = [
        Message("user", "Hello friend!"),
        Message("assistant", "Hello human!"),
        Message("user", "What is your name?"),
    ]
    expected = "[INST] Hello friend![/INST] Hello human![INST] What is your name?[/INST] "
    assert render_messages(LLAMA2, messages) == expected


def test_conformance_suffix_template() -> None:
    assert render_suffix(FIM, "def add(", "return x") == "<PRE> def add( <SUF>return x <MID>"


def test_suffix_templates_see_no_system_messages_or_tools() -> None:
    template = GoTemplate.parse(
        "{{ .Prompt }}{{ .Suffix }}{{ if or .System .Messages .Tools }}!{{ end }}{{ .Response }}"
    )
    assert render_suffix(template, "a", "b") == "ab"


def test_template_of_the_request_gets_system_and_prompt() -> None:
    assert render_prompt(LLAMA2, "Be brief.", "Hi") == "[INST] Be brief.\n\nHi[/INST] "
    assert render_prompt(ROLES, "Be brief.", "Hi") == "Be brief.|<system:Be brief.><user:Hi>"
    assert render_prompt(ROLES, "", "Hi") == "|<user:Hi>"


def test_neighbours_of_one_role_are_merged_but_tool_results_are_not() -> None:
    messages = [HI, Message("user", "there"), Message("tool", "1"), Message("tool", "2"), Message("user", "so?")]
    assert render_messages(ROLES, messages) == "|<user:Hi\n\nthere><tool:1><tool:2><user:so?>"


def test_system_is_all_system_texts_and_they_stay_among_the_messages() -> None:
    messages = [Message("system", "A"), HI, Message("system", "B")]
    assert render_messages(ROLES, messages) == "A\n\nB|<system:A><user:Hi><system:B>"


def test_a_turn_is_rendered_when_the_next_one_begins() -> None:
    template = "({{ .System }},{{ .Prompt }},{{ .Response }})"
    messages = [
        Message("system", "s"), HI, Message("assistant", "a"), Message("user", "b"), Message("tool", "x"),
        Message("system", "t"), Message("user", "c"),
    ]  # fmt: skip
    assert rendered(template, *messages) == "(s,Hi,a)(,b,)(t,c,"


def test_a_prefilled_answer_stays_open() -> None:
    assert rendered("{{ .Prompt }}>{{ .Response }}</s>", HI, Message("assistant", "Bl")) == "Hi>Bl"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ .Prompt }}>{{ .Response }}</s>", "Hi>"),
        ("{{ .Prompt }}>{{ if .Response }}{{ .Response }}</s>{{ end }}!", "Hi>"),
        ("{{ if .Prompt }}{{ .Prompt }}{{ .Response }}x{{ else }}y{{ end }}z", "Hi"),
        ("{{ if .System }}{{ .Response }}{{ else }}y{{ end }}z", ""),
        ("{{ if .System }}s{{ else if .Prompt }}p{{ .Response }}q{{ else }}y{{ end }}z", "p"),
        ("{{ if .System }}s{{ else }}{{ .Prompt }}{{ .Response }}q{{ end }}z", "Hi"),
        ("{{ with .Prompt }}{{ . }}{{ $.Response }}x{{ end }}{{ .Response }}y", "Hix"),
        ("{{ range 2 }}{{ $.Prompt }}{{ end }}{{ print .Response }}y", "HiHi"),
        ('{{ if eq .Response "" }}a{{ end }}{{ .Prompt }}{{ (.Response) }}b', "aHi"),
        ("{{ range 2 }}{{ . }}{{ else }}{{ .Response }}{{ end }}b", "01"),
        ("{{ .Prompt }}", "Hi"),
    ],
)
def test_nothing_follows_the_response_of_the_last_turn(template: str, expected: str) -> None:
    assert rendered(template, HI) == expected


def test_a_template_without_messages_and_response_has_the_response_appended() -> None:
    assert rendered("{{ .Prompt }} ", HI, Message("assistant", "a"), Message("user", "b")) == "Hi ab "


@pytest.mark.parametrize(
    ("think", "expected"),
    [(None, "false  false"), (False, "false  true"), (True, "true medium true"), ("high", "true high true")],
)
def test_think_reaches_both_kinds_of_template(think: Think, expected: str) -> None:
    text = "{{ .Think }} {{ .ThinkLevel }} {{ .IsThinkSet }}"
    assert rendered(text + "{{ .Response }}", HI, think=think) == expected
    assert rendered(text + "{{ if .Messages }}{{ end }}", HI, think=think) == expected


def test_images_take_the_place_of_their_marks_or_stand_in_front() -> None:
    messages = [
        Message("user", "see [img] here", images=(b"1", b"2")),
        Message("assistant", "ok"),
        Message("user", "and", images=(b"3",)),
    ]
    expected = "|<user:[img-1]see [img-0] here><assistant:ok><user:[img-2]and>"
    assert render_messages(ROLES, messages) == expected
    assert rendered("{{ .Prompt }}{{ .Response }}", messages[2]) == "[img-0]and"


def test_tools_and_calls_print_as_json_in_the_references_order() -> None:
    tools = normalise_tools(
        [{"function": {"parameters": {"properties": {"z": {"type": "string"}, "a": {}}}, "name": "f<g>"}}]
    )
    call = ToolCall("call_1", "f", {"z": 1, "a": {"y": [1.5, None], "b": "é"}}, 3)
    messages = [Message("assistant", "x", tool_calls=(call,))]
    template = GoTemplate.parse(
        "{{ .Tools }}\n{{ range .Tools }}{{ . }}\n{{ .Function }}\n{{ .Function.Parameters }}\n"
        "{{ json .Function.Parameters.Properties }}\n{{ range $k, $v := .Function.Parameters.Properties }}{{ $k }}={{ $v }};"
        "{{ end }}{{ end }}\n{{ range .Messages }}{{ range .ToolCalls }}{{ .ID }} {{ .Function.Name }} {{ .Function.Index }} "
        "{{ .Function.Arguments }}\n{{ json . }}{{ range $k, $v := .Function.Arguments }} {{ $k }}:{{ $v }}{{ end }}{{ end }}"
        "\n{{ json . }}{{ end }}"
    )
    function = '{"name":"f\\u003cg\\u003e","description":"","parameters":{"type":"object","properties":{"a":{},"z":{"type":"string"}}}}'
    arguments = '{"a":{"b":"é","y":[1.5,null]},"z":1}'
    call_json = f'{{"id":"call_1","function":{{"index":3,"name":"f","arguments":{arguments}}}}}'
    assert render_messages(template, messages, tools).split("\n") == [
        f'[{{"type":"function","function":{function}}}]',
        f'{{"type":"function","function":{function}}}',
        function,
        '{"type":"object","properties":{"a":{},"z":{"type":"string"}}}',
        '{"a":{},"z":{"type":"string"}}',
        'a={};z={"type":"string"};',
        f"call_1 f 3 {arguments}",
        call_json + " a:map[b:é y:[1.5 <nil>]] z:1",
        f'{{"role":"assistant","content":"x","tool_calls":[{call_json}]}}',
    ]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, "string"),
        ({"type": "integer"}, "number"),
        ({"type": "boolean"}, "boolean"),
        ({"type": "array"}, "any[]"),
        ({"type": "object"}, "Record<string, any>"),
        ({"type": "null"}, "null"),
        ({"type": "other"}, "any"),
        ({}, "any"),
        ({"type": ["string", "null"]}, "string | null"),
        ({"anyOf": [{"type": "number"}, {"type": ["array", "null"]}]}, "number | any[] | null"),
    ],
)
def test_typescript_types(schema: dict[str, object], expected: str) -> None:
    tools = normalise_tools([{"function": {"name": "f", "parameters": {"properties": {"p": schema}}}}])
    template = GoTemplate.parse(
        "{{ range .Tools }}{{ range .Function.Parameters.Properties }}{{ toTypeScriptType . }}{{ end }}{{ end }}"
        "{{ if .Messages }}{{ end }}"
    )
    assert render_messages(template, [HI], tools) == expected


def test_a_failing_template_is_a_bad_request() -> None:
    with pytest.raises(BadRequest, match=r"^template error: line 1: error calling index: index out of range: 9$"):
        rendered("{{ (index .Messages 9).Role }}{{ .Messages }}", HI)
