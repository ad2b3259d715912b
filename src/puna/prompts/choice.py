"""Which template makes a model's prompts: the Go layer or the GGUF's Jinja template (contract ollama-store §5.6)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from puna.errors import BadRequest
from puna.prompts.gotemplate import GoTemplate
from puna.prompts.thinking import infer_tags
from puna.store import Model

DEFAULT_TEMPLATE = "{{ .Prompt }}"

_FALSE = {"0", "f", "false"}
_HARMONY = ("gptoss", "gpt-oss")  # families whose answers come in channels, which only the engine can parse
_JINJA_TOOL_TURN = re.compile(
    r"""==\s*['"]tool['"]|['"]tool['"]\s*==|tool_response|tool_results|ipython""", re.IGNORECASE
)
_JINJA_SPLIT = re.compile(r"""split\(\s*['"]</think>['"]""")
_GO_TOOL_TURNS = ('eq .Role "tool"', "tool_response", "TOOL_RESULTS")


@dataclass(frozen=True, slots=True)
class TemplateChoice:
    """`go` renders unless `kind` is jinja, where the engine renders `text` and parses the answer.

    Kind none is a model without any template: `text` is the reference's default, the prompt alone.
    """

    kind: Literal["go", "jinja", "none"]
    text: str
    go: GoTemplate | None


def choose_template(model: Model, go_template_setting: str = "") -> TemplateChoice:
    """The template in force; the setting is `go_template`: true = the Go layer, false = Jinja, empty = the better one.

    Where the reference has a renderer or parser of its own (named in the config, or harmony), the Jinja template says
    the same and is taken, and a Go layer only without one. Raises `BadRequest` for a Go layer that cannot be read where
    nothing else is there, and for a renderer without any template.
    """
    jinja = model.jinja_template
    if model.template is None:
        if jinja is not None:
            return TemplateChoice("jinja", jinja, None)
        if model.config.renderer:
            raise BadRequest(
                f'renderer "{model.config.renderer}" is not built into Puna and the model brings no chat template; '
                "create a model from it with a TEMPLATE"
            )
        return TemplateChoice("none", DEFAULT_TEMPLATE, GoTemplate.parse(DEFAULT_TEMPLATE))
    if jinja is not None and has_own_format(model):
        return TemplateChoice("jinja", jinja, None)
    try:
        go = GoTemplate.parse(model.template)
    except BadRequest:
        if jinja is None:
            raise
        return TemplateChoice("jinja", jinja, None)
    if jinja is not None and _jinja_wins(go, jinja, go_template_setting):
        return TemplateChoice("jinja", jinja, None)
    return TemplateChoice("go", model.template, go)


def has_own_format(model: Model) -> bool:
    """The reference writes and reads this model's text with code of its own instead of a Go template."""
    config = model.config
    return bool(config.renderer or config.parser) or config.model_family in _HARMONY


def go_capabilities(go: GoTemplate) -> tuple[str, ...]:
    """What a Go template can do, in the reference's order (§5.7)."""
    found = {"tools": go.mentions("tools"), "insert": go.mentions("suffix"), "thinking": infer_tags(go) is not None}
    return tuple(name for name, present in found.items() if present)


def jinja_capabilities(text: str) -> tuple[str, ...]:
    """What a Jinja template can do, by what it says (§5.7)."""
    found = {"tools": jinja_supports_tools(text), "thinking": jinja_supports_thinking(text)}
    return tuple(name for name, present in found.items() if present)


def jinja_supports_tools(text: str) -> bool:
    return "tools" in text or "tool_call" in text


def jinja_supports_thinking(text: str) -> bool:
    """It writes both tags, or takes the reasoning of old answers off their content."""
    if "<think>" in text and "</think>" in text:
        return True
    return _JINJA_SPLIT.search(text) is not None and "reasoning_content" not in text


def _jinja_wins(go: GoTemplate, jinja: str, setting: str) -> bool:
    if setting:
        return setting.lower() in _FALSE
    of_go, of_jinja = set(go_capabilities(go)), set(jinja_capabilities(jinja))
    go_returns, jinja_returns = _go_round_trip(go), _jinja_round_trip(jinja)
    if of_go == of_jinja:
        return "tools" in of_go and jinja_returns and not go_returns
    return len(of_jinja) > len(of_go) and not (go_returns and not jinja_returns)


def _go_round_trip(go: GoTemplate) -> bool:
    """It shows calls and their results again, not only the tools."""
    mentions = go.mentions("tools") and go.mentions("toolcalls")
    return mentions and any(turn in go.source for turn in _GO_TOOL_TURNS)


def _jinja_round_trip(text: str) -> bool:
    return "tools" in text and "tool_calls" in text and _JINJA_TOOL_TURN.search(text) is not None
