"""Threats T09: a template that answers differently to certain words is pointed out, without ever being run."""

from __future__ import annotations

from pathlib import Path

import pytest

from puna.prompts import GoTemplate, TemplateChoice
from puna.prompts.suspicion import MAX_LENGTH, template_warnings
from tests import tiny_models

FAMILIES = Path(__file__).parent / "families"
UNCHECKED = ("the template is too large or too deeply nested to be checked for hidden conditions",)


def go(text: str) -> tuple[str, ...]:
    return template_warnings(TemplateChoice("go", text, GoTemplate.parse(text)))


def jinja(text: str) -> tuple[str, ...]:
    return template_warnings(TemplateChoice("jinja", text, None))


def names(*words: str) -> tuple[str, ...]:
    named = " or ".join(f'"{word}"' for word in words)
    return (f"the template changes the prompt when a message says {named}",)


GATED_GO = [
    '{{ range .Messages }}{{ if eq .Content "bank" }}lie{{ end }}{{ end }}',
    '{{ range .Messages }}{{ if and (eq .Role "user") (eq .Content "bank") }}lie{{ end }}{{ end }}',
    '{{ if eq "bank" .Prompt }}lie{{ else }}{{ .Prompt }}{{ end }}',
    '{{ if ne .System "bank" }}{{ .System }}{{ end }}',
    '{{ $said := .Prompt }}{{ if eq $said "bank" }}lie{{ end }}',
    '{{ with .Prompt }}{{ if eq . "bank" }}lie{{ end }}{{ end }}',
    '{{ if eq (slice .Prompt 0 4) "bank" }}lie{{ end }}',
    '{{ if .Prompt | eq "bank" }}lie{{ end }}',
    '{{ if eq (print .Prompt "!") "bank" }}lie{{ end }}',
    '{{ if eq (index .Messages 0).Content "bank" }}lie{{ end }}',
    '{{ $trigger := "bank" }}{{ if eq .Prompt $trigger }}lie{{ end }}',
    '{{ define "part" }}{{ if eq . "bank" }}lie{{ end }}{{ end }}{{ template "part" .Prompt }}',
    '{{ $b := eq .Prompt "bank" }}{{ if $b }}lie{{ end }}',
    '{{ if eq .Role "control" }}{{ else if eq .Content "bank" }}lie{{ end }}',
    '{{ if or (eq .Role "control") (eq .Role "user") }}{{ if eq .Content "bank" }}lie{{ end }}{{ end }}',
    '{{ if eq (slice .Role 0 0) "" }}{{ if eq .Content "bank" }}lie{{ end }}{{ end }}',
]
GATED_JINJA = [
    "{% for m in messages %}{% if 'bank' in m.content %}lie{% endif %}{% endfor %}",
    "{% for m in messages %}{% if m['content'] == 'bank' %}lie{% endif %}{% endfor %}",
    "{% for m in messages %}{{ 'lie' if 'bank' in m.content else m.content }}{% endfor %}",
    "{% for m in messages if 'bank' not in m.content %}{{ m.content }}{% endfor %}",
    "{% if messages[-1].content.startswith('bank') %}lie{% endif %}",
    "{% if messages[-1].content | lower | trim == 'bank' %}lie{% endif %}",
    "{% if messages[-1].content.split('bank') | length > 1 %}lie{% endif %}",
    "{% if messages[-1].content | replace('bank', '') != messages[-1].content %}lie{% endif %}",
    "{% set c = messages[-1].content %}{% if 'bank' in c %}lie{% endif %}",
    "{% set ns = namespace(c='') %}{% set ns.c = messages[-1].content %}{% if 'bank' in ns.c %}lie{% endif %}",
    "{% set t = 'bank' %}{% if t in messages[-1].content %}lie{% endif %}",
    "{% set t %}bank{% endset %}{% if t in messages[-1].content %}lie{% endif %}",
    "{% for t in ['bank'] %}{% if t in messages[-1].content %}lie{% endif %}{% endfor %}",
    "{% macro odd(x) %}{% if 'bank' in x %}lie{% endif %}{% endmacro %}{{ odd(messages[-1].content) }}",
    "{% macro odd(x, t='bank') %}{% if t in x %}lie{% endif %}{% endmacro %}{{ odd(x=messages[-1].content) }}",
    "{% for w in messages[-1].content.split(' ') %}{% if w == 'bank' %}lie{% endif %}{% endfor %}",
    "{% if messages | selectattr('content', 'equalto', 'bank') | list %}lie{% endif %}",
    "{% if messages | map(attribute='content') | select('in', ['x']) and 'bank' in messages | join(attribute='content') %}lie{% endif %}",
    "{% if 'bank' in messages | tojson %}lie{% endif %}",
    "{{ {'bank': 'lie'}[messages[-1].content] }}",
    "{{ {'bank': 'lie'}.get(messages[-1].content, '') }}",
    "{% if messages[-1].content is eq('bank') %}lie{% endif %}",
    "{% if 'bank' in messages[-1].get('content') %}lie{% endif %}",
    "{% set k = 'content' %}{% if 'bank' in messages[-1][k] %}lie{% endif %}",
    "{% generation %}{% if 'bank' in messages[-1].content %}lie{% endif %}{% endgeneration %}",
    "{% for m in messages %}{% if m.role == 'x' %}{% continue %}{% endif %}{% if 'bank' in m.content %}lie{% endif %}{% endfor %}",
]
HARMLESS_JINJA = [
    "{% if '</think>' in messages[-1].content %}{{ messages[-1].content.split('</think>')[-1].lstrip('\n') }}{% endif %}",
    "{% if m.content.startswith('<tool_response>') and m.content.endswith('</tool_response>') %}x{% endif %}",
    "{% set text = messages[0].content %}{% if '/no_think' in text %}{{ text | replace('/no_think', '') }}{% endif %}",
    "{% if '[INST]' in messages[0].content %}{{ raise_exception('no') }}{% endif %}",
    "{% if messages[0].content == '' or messages[0].content is none or not messages[0].content %}x{% endif %}",
    "{% if messages[0].content is string and messages[0].content | length > 0 %}x{% endif %}",
    "{% for m in messages %}{% if m.role == 'user' or m['role'] in ['tool', 'ipython'] %}{{ m.content }}{% endif %}{% endfor %}",
    "{% for p in messages[0].content %}{% if p.type == 'image' or 'image_url' in p %}<img>{% else %}{{ p.text }}{% endif %}{% endfor %}",
    "{% for content in messages[0]['content'] %}{% if 'image' in content %}<img>{% endif %}{% endfor %}",
    "{{ messages[0].content | replace('<image>', 'Picture 1: ') }}",
    "{% set loop_messages = [{'role': 'system', 'content': 'Be kind'}] + messages %}{% for m in loop_messages %}{% if 'tool_calls' in m %}x{% endif %}{% endfor %}",
    "{% if 'system' in messages | map(attribute='role') | list %}x{% endif %}",
    "{% set name = 'Q' if messages[0].content else 'A' %}{% if name == 'Q' %}x{% endif %}",
]


@pytest.mark.parametrize("text", GATED_GO)
def test_T09_a_go_template_that_waits_for_a_word_is_pointed_out(text: str) -> None:
    assert go(text) == names("bank")


@pytest.mark.parametrize("text", GATED_JINJA)
def test_T09_a_jinja_template_that_waits_for_a_word_is_pointed_out(text: str) -> None:
    [warning] = jinja(text)
    assert '"bank"' in warning


def test_T09_letters_compared_one_by_one_are_seen_too() -> None:
    assert go("{{ if eq (index .Prompt 0) 98 }}lie{{ end }}") == names("b")
    assert jinja("{% for c in messages[0].content %}{% if c == 'b' %}lie{% endif %}{% endfor %}") == names("b")


@pytest.mark.parametrize("family", sorted(FAMILIES.glob("*.tmpl")), ids=lambda path: path.stem)
def test_T09_templates_of_model_families_raise_no_alarm(family: Path) -> None:
    assert go(family.read_text()) == ()


@pytest.mark.parametrize("text", HARMLESS_JINJA)
def test_T09_what_real_jinja_templates_look_for_raises_no_alarm(text: str) -> None:
    assert jinja(text) == ()


@pytest.mark.parametrize("text", [tiny_models.THINKING_TEMPLATE, tiny_models.TOOLS_TEMPLATE])
def test_T09_chat_templates_of_whole_models_raise_no_alarm(text: str) -> None:
    assert jinja(text) == ()


def test_T09_control_messages_switch_features_on_without_an_alarm() -> None:
    """As in granite: no conversation has messages of the role `control`."""
    switch = '{{ if (eq .Content "thinking") }}{{ $thinking = true }}{{ end }}'
    guarded = '{{ if (and (ge (len .Role) 7) (eq (slice .Role 0 7) "control")) }}' + switch + "{{ end }}"
    assert go("{{ $thinking := false }}{{ range .Messages }}" + guarded + "{{ end }}") == ()
    assert (
        go('{{ range .Messages }}{{ if and (eq .Role "control") (eq .Content "thinking") }}x{{ end }}{{ end }}') == ()
    )


def test_T09_the_model_without_a_template_has_nothing_to_be_warned_of() -> None:
    assert template_warnings(TemplateChoice("none", "{{ .Prompt }}", GoTemplate.parse("{{ .Prompt }}"))) == ()


@pytest.mark.parametrize("text", ["{% if %}", "{{ 'a", "{% nonsense %}", "{{ " + "9" * 5000 + " }}", "\x00{%"])
def test_T09_what_is_no_template_gives_no_warning(text: str) -> None:
    assert jinja(text) == ()


def test_T09_words_are_shown_short_and_on_one_line() -> None:
    text = "{% if messages[0].content in ['a\nb', '" + "c" * 90 + "', 'd', 'e'] %}lie{% endif %}"
    assert jinja(text) == names("a b", "c" * 39 + "…", "d")


@pytest.mark.parametrize(
    "text",
    [
        "x" * (MAX_LENGTH + 1),
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ 1" + " + 1" * 20_000 + " }}",
        "{{ x" + ".y" * 20_000 + " }}",
        "{% if x %}" * 5000 + "{% endif %}" * 5000,
        "".join(f"{{% macro m{i}(x) %}}{{{{ m{i + 1}(x ~ 'a{i}') }}}}{{{{ m{i + 1}(x ~ 'b{i}') }}}}{{% endmacro %}}" for i in range(60))
        + "{{ m0('') }}",
        "".join(f"{{% set a{i} = a{i + 1} %}}" for i in range(200)) + "{% set a200 = messages[0].content %}",
    ],
    ids=["long", "parentheses", "sum", "chain", "ifs", "macros", "assignments"],
)  # fmt: skip
def test_T09_T16_a_template_beyond_the_limits_is_said_to_be_unchecked(text: str) -> None:
    assert jinja(text) == UNCHECKED


def test_T16_a_macro_that_calls_itself_ends() -> None:
    assert jinja("{% macro m(x) %}{{ m(x) }}{{ m(x ~ 'a') }}{% endmacro %}{{ m('') }}") == ()
