"""Anthropic's routes. `count_tokens` takes those fields that make up a prompt."""

from __future__ import annotations

from typing import Any

from puna.api.anthropic.schemas import AnthropicCountBody, AnthropicMessagesBody
from tests.dialects.fields import Field, Route, honoured, no_effect, refused, shown

SKY: Any = [{"role": "user", "content": [{"type": "text", "text": "Why is the sky blue?"}]}]
USE: Any = {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Puno"}}
USED: Any = [*SKY, {"role": "assistant", "content": [USE]}]
RESULT: Any = [*USED, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "sunny"}]}]
THOUGHT: Any = [*SKY, {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "text": "ho"}]}]
TOOL: Any = {"name": "weather", "description": "The weather.", "input_schema": {"type": "object", "properties": {}}}
CITY: Any = {"type": "object", "properties": {"city": {"type": "string"}}}
FORMAT: Any = {"format": {"type": "json_schema", "schema": {"const": "grass"}}}
TOOLS: dict[str, Any] = {"model": "tools", "tools": [TOOL]}

_SEES = "api/test_hostile_media.py::test_T13_a_good_picture_is_answered"
_HOSTED = "there are no hosted tools here"
_ELSEWHERE = "a matter of Anthropic's own service"


def _prompt_fields() -> tuple[Field, ...]:
    shows = {"model": "shows"}
    return (
        honoured("model", "shows"),
        honoured("messages[].role", "assistant", "`user`, `assistant` or `system`", **shows),
        honoured(
            "messages[].content[].type",
            "text",
            "`text`, `image`, `thinking`, `tool_use`, `tool_result`; `redacted_thinking` is left out, others are refused",
            **shows,
            messages=THOUGHT,
        ),
        honoured("messages[].content[].text", "Why is grass green? Say it in a few words."),
        honoured("messages[].content[].thinking", "well, well", "goes back to the model", **shows, messages=THOUGHT),
        shown("messages[].content[].source.type", _SEES, "`base64`; an address is refused unread"),
        shown("messages[].content[].source.data", _SEES),
        honoured("messages[].content[].id", "t2 and more", "ties a result to its call", **shows, messages=USED),
        honoured("messages[].content[].name", "the clock", **shows, messages=USED),
        honoured("messages[].content[].input", {"city": "Puno", "days": 3}, **shows, messages=USED),
        honoured("messages[].content[].tool_use_id", "another", "finds the called tool", **shows, messages=RESULT),
        honoured("messages[].content[].content", "It is sunny.", "a text or blocks", **shows, messages=RESULT),
        refused("system[].type", "image", "anything but `text`"),
        *(
            no_effect(f"system[].{name}", "x", "of blocks that `system` does not take")
            for name in ("thinking", "id", "name", "tool_use_id", "content")
        ),
        no_effect("system[].input", {"a": 1}, "of blocks that `system` does not take"),
        no_effect("system[].source.type", "url", "of blocks that `system` does not take"),
        no_effect("system[].source.data", "x", "of blocks that `system` does not take"),
        honoured("system[].text", "Be short, and do not say much."),
        honoured("tools[].name", "the_clock_on_the_wall", **TOOLS),
        honoured("tools[].description", "What the sky is like in a city.", **TOOLS),
        honoured("tools[].input_schema", CITY, **TOOLS),
        refused("tools[].type", "web_search_20250305", f"anything but `custom`: {_HOSTED}", **TOOLS),
        honoured("tool_choice.type", "none", "a forced call works on every model", **TOOLS),
        honoured("output_config.format.schema", {"const": "sky"}, "always followed", output_config=FORMAT),
        refused("output_config.format.type", "xml", "anything but `json_schema`", output_config=FORMAT),
        honoured("thinking.type", "disabled", "`enabled`, `disabled` or `adaptive`", model="T"),
        refused("container", "c", _HOSTED),
        refused("mcp_servers", [{}], "call the servers yourself and offer their tools"),
        no_effect("cache_control", {"type": "ephemeral"}, "the engine's own cache needs no help"),
        no_effect("speed", "fast", _ELSEWHERE),
        no_effect("user_profile_id", "u", _ELSEWHERE),
        no_effect("workspace_id", "w", _ELSEWHERE),
    )


_BASE: dict[str, Any] = {"model": "M", "messages": SKY, "system": [{"type": "text", "text": "Be nice."}]}

MESSAGES = Route(
    "Anthropic",
    "POST /v1/messages",
    "/v1/messages",
    (
        *_prompt_fields(),
        shown("tool_choice.name", "api/test_anthropic_sdk.py::test_a_named_tool_is_the_one_that_is_called"),
        shown(
            "tool_choice.disable_parallel_tool_use", "api/test_anthropic_sdk.py::test_parallel_calls_unless_disabled"
        ),
        shown("thinking.display", "api/test_anthropic_sdk.py::test_thinking_that_is_omitted_or_disabled", "`omitted`"),
        no_effect("thinking.budget_tokens", 1024, "thinking ends where the model ends it", model="T"),
        shown(
            "output_config.effort",
            "api/test_anthropic_requests.py::test_thinking_and_effort",
            "no effect on a model that does not think; `xhigh` is `high`",
        ),
        honoured("max_tokens", 2),
        honoured("temperature", 2, "the model's own where it is not given", top_p=1),
        honoured("top_p", 1, temperature=2, top_p=0.0001),
        honoured("top_k", 40, temperature=2, top_k=1),
        shown("stop_sequences", "api/test_anthropic_sdk.py::test_a_stop_sequence_is_named"),
        honoured("stream", True),
        no_effect("metadata", {"user_id": "ada"}, "nobody keeps accounts here"),
        no_effect("service_tier", "auto", _ELSEWHERE),
        no_effect("inference_geo", "us", _ELSEWHERE),
        no_effect("diagnostics", {}, _ELSEWHERE),
    ),
    AnthropicMessagesBody,
    _BASE | {"max_tokens": 6, "temperature": 0},
)

_ONLY_AN_ANSWER = "counts nothing: it changes the answer only"

COUNT_TOKENS = Route(
    "Anthropic",
    "POST /v1/messages/count_tokens",
    "/v1/messages/count_tokens",
    (
        *(
            each
            for each in _prompt_fields()
            if each.name not in ("output_config.format.schema", "messages[].content[].id")
        ),
        no_effect("messages[].content[].id", "t2", "unless the model's template shows it", messages=RESULT),
        no_effect("tool_choice.name", "weather", _ONLY_AN_ANSWER, **TOOLS),
        no_effect("tool_choice.disable_parallel_tool_use", True, _ONLY_AN_ANSWER, **TOOLS),
        no_effect("thinking.display", "omitted", _ONLY_AN_ANSWER, model="T"),
        no_effect("output_config.effort", "low", "unless the model's template knows levels"),
        no_effect("output_config.format.schema", {"const": "sky"}, _ONLY_AN_ANSWER, output_config=FORMAT),
        no_effect("output_format", FORMAT["format"], _ONLY_AN_ANSWER),
    ),
    AnthropicCountBody,
    _BASE,
)

ROUTES = (MESSAGES, COUNT_TOKENS)
