"""Our evaluator against Go's own text/template: `go_text_template.json` holds what Go 1.26 said to each template.

null = Go refused to read or to run it.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puna.errors import BadRequest
from puna.prompts import GoTemplate

TABLE: dict[str, Any] = json.loads((Path(__file__).parent / "go_text_template.json").read_text())


def run(template: str, data: dict[str, Any]) -> str:
    """The bare evaluator's result: a template that names no response has an empty one appended, which prints nothing."""
    return GoTemplate.parse(template).execute({**data, "Response": ""})


@pytest.mark.parametrize(("template", "expected"), TABLE["cases"])
def test_same_text_or_refusal_as_go(template: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(BadRequest, match=r"^template error: .*"):
            run(template, TABLE["data"])
    else:
        assert run(template, TABLE["data"]) == expected


def test_error_names_the_line() -> None:
    with pytest.raises(BadRequest, match=r"^template error: line 3: function \"nope\" not defined$"):
        GoTemplate.parse("a\n{{/* b\n*/}}{{ nope }}")
    with pytest.raises(BadRequest, match=r"^template error: line 2: can't evaluate field Role in type string$"):
        run("a\n{{ .S.Role }}", {"S": "x"})


def test_template_without_argument_is_refused() -> None:
    with pytest.raises(BadRequest, match="undefined template specified"):
        GoTemplate.parse('{{ define "x" }}a{{ end }}{{ template "x" }}')


def test_dates_ignore_their_arguments() -> None:
    assert run('{{ currentDate "x" 1 }}', {}) == date.today().isoformat()
    assert run("{{ yesterdayDate }}", {}) == (date.today() - timedelta(days=1)).isoformat()


def test_variables_are_all_names_in_lower_case() -> None:
    template = GoTemplate.parse(
        '{{ define "x" }}{{ .InDefine }}{{ end }}{{ range $i, $m := $.Messages }}{{ if (and .A (eq $m.B.C "x")) }}'
        '{{ template "x" .Passed }}{{ else if .D }}{{ print .E | printf "%s" }}{{ end }}{{ end }}{{ (print .F).Unseen }}'
    )
    assert template.variables == {"indefine", "messages", "a", "b", "c", "passed", "d", "e", "f"}
    assert template.mentions("Messages")
    assert not template.mentions("unseen")


def test_same_text_is_read_once() -> None:
    assert GoTemplate.parse("{{ .Prompt }} cached") is GoTemplate.parse("{{ .Prompt }} cached")


FRAGMENTS = st.sampled_from(
    ["{{", "}}", "{{-", "-}}", " ", "\n", "if", "else", "end", "range", "with", "define", "template", "block", "break",
     "continue", "$x", "$", ":=", "=", ",", "|", "(", ")", ".", ".A", ".L", ".M.b", '"s"', "`r`", "'c'", "1", "-2.5", "nil",
     "true", "print", "printf", '"%d%s%v"', "len", "index", "slice", "eq", "and", "/*", "*/", "json", "text"]
)  # fmt: skip
ACTIONS = st.lists(st.sampled_from(
    ["{{ .A }}", "{{ range .L }}", "{{ range $k, $v := .M }}", "{{ if .B }}", "{{ else if .A }}", "{{ else }}", "{{ end }}",
     "{{ with .A }}", "{{ $x := .A }}", "{{ $x = 1 }}", "{{ $x }}", "{{ break }}", "{{ continue }}", '{{ define "t" }}',
     '{{ template "t" . }}', "{{ print . $ }}", "{{ len . }}", "{{ index . 0 }}", "{{ .b }}", " text ", "{{- /* c */ -}}"]
)).map("".join)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        ACTIONS,
        st.lists(FRAGMENTS).map(" ".join),
        st.lists(FRAGMENTS).map("".join),
        st.text(),
        st.text().map("{{{{{}}}}}".format),
    )
)
def test_any_text_is_a_template_or_a_bad_request(text: str) -> None:
    data: dict[str, Any] = {"A": "x", "B": True, "L": [1, "b", None], "M": {"b": {"c": 2.5}}}
    try:
        template = GoTemplate.parse(text)
        template.execute(data)
        template.execute_until_response(data)
    except BadRequest as error:
        refusal = str(error)
    else:
        return
    assert refusal.startswith("template error: ")
    assert "\n" not in refusal
