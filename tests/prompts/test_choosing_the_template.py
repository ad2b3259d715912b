"""Go layer or Jinja template (contract ollama-store §5.6)."""

from __future__ import annotations

from typing import Any

import pytest

from puna.errors import BadRequest
from puna.prompts import choose_template, jinja_supports_thinking, jinja_supports_tools
from tests.prompts.models import model

GO_PLAIN = "{{ .Prompt }}"
GO_INSERT = "{{ .Prompt }}{{ .Suffix }}"
GO_TOOLS = "{{ .Tools }}{{ range .Messages }}{{ .Content }}{{ end }}"
GO_ROUND_TRIP = '{{ .Tools }}{{ range .Messages }}{{ if eq .Role "tool" }}{{ .ToolCalls }}{{ end }}{{ end }}'
JINJA_PLAIN = "{{ messages }}"
JINJA_TOOLS = "{{ tools }}"
JINJA_ROUND_TRIP = "{{ tools }}{% if m.tool_calls %}{% elif m.role == 'tool' %}{% endif %}"
JINJA_BOTH = "{{ tools }}<think></think>"


@pytest.mark.parametrize(
    ("go", "jinja", "setting", "kind"),
    [
        (None, None, "", "none"),
        (GO_PLAIN, None, "", "go"),
        (None, JINJA_PLAIN, "", "jinja"),
        (None, JINJA_PLAIN, "1", "jinja"),
        (GO_PLAIN, None, "0", "go"),
        (GO_PLAIN, JINJA_PLAIN, "", "go"),
        (GO_PLAIN, JINJA_TOOLS, "", "jinja"),
        (GO_PLAIN, JINJA_TOOLS, "1", "go"),
        (GO_PLAIN, JINJA_TOOLS, "true", "go"),
        (GO_TOOLS, JINJA_PLAIN, "0", "jinja"),
        (GO_TOOLS, JINJA_PLAIN, "False", "jinja"),
        (GO_TOOLS, JINJA_TOOLS, "", "go"),
        (GO_TOOLS, JINJA_ROUND_TRIP, "", "jinja"),
        (GO_ROUND_TRIP, JINJA_ROUND_TRIP, "", "go"),
        (GO_ROUND_TRIP, JINJA_BOTH, "", "go"),
        (GO_TOOLS, JINJA_BOTH, "", "jinja"),
        (GO_INSERT, JINJA_TOOLS, "", "go"),
        (GO_INSERT, JINJA_BOTH, "", "jinja"),
    ],
)
def test_the_better_template_wins_unless_the_setting_says_which(
    go: str | None, jinja: str | None, setting: str, kind: str
) -> None:
    choice = choose_template(model(template=go, jinja=jinja), setting)
    assert choice.kind == kind
    assert choice.text == {"go": go, "jinja": jinja, "none": "{{ .Prompt }}"}[kind]
    assert (choice.go is None) == (kind == "jinja")


@pytest.mark.parametrize("config", [{"renderer": "qwen3-coder"}, {"parser": "harmony"}, {"model_family": "gptoss"}])
def test_models_with_a_format_of_their_own_use_jinja_when_they_have_it(config: dict[str, Any]) -> None:
    assert choose_template(model(template=GO_ROUND_TRIP, jinja=JINJA_PLAIN, **config)).kind == "jinja"
    assert choose_template(model(template=GO_ROUND_TRIP, **config)).kind == "go"


def test_an_unknown_renderer_without_any_template_is_named() -> None:
    with pytest.raises(BadRequest, match='renderer "glm-ocr" is not built into Puna'):
        choose_template(model(renderer="glm-ocr"))


def test_a_damaged_go_layer_is_passed_over_when_there_is_another_template() -> None:
    assert choose_template(model(template="{{ if", jinja=JINJA_PLAIN)).kind == "jinja"
    with pytest.raises(BadRequest, match="template error: line 1: unclosed action"):
        choose_template(model(template="{{ if"))


@pytest.mark.parametrize(
    ("text", "tools", "thinking"),
    [
        ("{{ messages }}", False, False),
        ("{% if tools %}", True, False),
        ("{{ m['tool_calls'] }}", True, False),
        ("<think>{{ x }}</think>", False, True),
        ("{% set c = content.split('</think>')[-1] %}", False, True),
        ('{{ content.split("</think>")[-1] }}{{ m.reasoning_content }}', False, False),
        ("</think>", False, False),
    ],
)
def test_what_a_jinja_template_can_do(text: str, tools: bool, thinking: bool) -> None:
    assert jinja_supports_tools(text) is tools
    assert jinja_supports_thinking(text) is thinking
