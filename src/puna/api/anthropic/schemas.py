"""Request bodies of `/v1/messages` and its `count_tokens` (contract ollama-http §7), read as leniently as §1.2 says.

A text stands for a list with one text block. What needs no answer of its own (`metadata`, `service_tier`,
`cache_control`, `thinking.budget_tokens`, …) is an unknown key here: accepted, without effect.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from puna.api.schemas import Wire


def _as_blocks(value: object) -> object:
    if isinstance(value, str):
        return [{"type": "text", "text": value}]
    if isinstance(value, list):
        return value
    raise ValueError("content must be a text or a list of content blocks")


class AnthropicSource(Wire):
    """Where an image comes from. Only the fields of type `base64`: nothing else is ever looked at (threats T07)."""

    type: str = ""
    data: str = ""


class AnthropicBlock(Wire):
    """A content block of any type; which fields count depends on `type`."""

    type: str = ""
    text: str = ""
    thinking: str = ""
    source: AnthropicSource | None = None
    id: str = ""
    name: str = ""
    input: dict[str, Any] = Field(default_factory=dict)
    tool_use_id: str = ""
    content: Any = None  # of a tool result: a text or blocks once more


Blocks = Annotated[list[AnthropicBlock], BeforeValidator(_as_blocks, json_schema_input_type=str | list[AnthropicBlock])]


class AnthropicToolResult(Wire):
    content: Blocks = Field(default_factory=list)


class AnthropicMessage(Wire):
    role: str = ""
    content: Blocks = Field(default_factory=list)


class AnthropicTool(Wire):
    type: str = "custom"
    name: str = ""
    description: str = ""
    input_schema: Any = None


class AnthropicToolChoice(Wire):
    type: Literal["auto", "any", "tool", "none"] = "auto"
    name: str = ""
    disable_parallel_tool_use: bool = False


class AnthropicThinking(Wire):
    type: str = ""
    display: str = ""


class AnthropicFormat(Wire):
    type: Literal["json_schema"] = "json_schema"
    json_schema: dict[str, Any] | None = Field(default=None, alias="schema")


class AnthropicOutput(Wire):
    effort: str = ""
    format: AnthropicFormat | None = None


class AnthropicCountBody(Wire):
    """What makes up a prompt; alone it is the body of `count_tokens`."""

    model: str = ""
    messages: list[AnthropicMessage] = Field(default_factory=list)
    system: Blocks = Field(default_factory=list)
    tools: list[AnthropicTool] = Field(default_factory=list)
    tool_choice: AnthropicToolChoice = Field(default_factory=AnthropicToolChoice)
    thinking: AnthropicThinking = Field(default_factory=AnthropicThinking)
    output_config: AnthropicOutput = Field(default_factory=AnthropicOutput)
    container: Any = None
    mcp_servers: list[Any] = Field(default_factory=list)


class AnthropicMessagesBody(AnthropicCountBody):
    max_tokens: int = 0
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] = Field(default_factory=list)
    stream: bool = False
