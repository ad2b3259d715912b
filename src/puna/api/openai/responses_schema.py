"""The request body of `/v1/responses` (contract ollama-http §6.6), read as leniently as §1.2 says.

What can have no effect here and loses nothing (`store`, `metadata`, `service_tier`, `prompt_cache_key`, …) is accepted.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from puna.api.openai.schemas import MaxTokens, Penalty, Temperature, TopP
from puna.api.schemas import TopLogprobs, Wire


def _as_parts(value: object) -> object:
    return [{"type": "input_text", "text": value}] if isinstance(value, str) else value


def _as_items(value: object) -> object:
    return [{"role": "user", "content": value}] if isinstance(value, str) else value


class ResponsesPart(Wire):
    """A part of a message's content or of a function's output; which fields count depends on `type`."""

    type: str = ""
    text: str = ""
    image_url: str = ""
    file_id: str = ""


Parts = Annotated[list[ResponsesPart], BeforeValidator(_as_parts, json_schema_input_type=str | list[ResponsesPart])]


class ResponsesItem(Wire):
    """An input item of any type; a bare `{role, content}` is a message."""

    type: str = ""
    role: str = ""
    content: Parts = Field(default_factory=list)
    call_id: str = ""
    namespace: str = ""
    name: str = ""
    arguments: str = ""
    output: Parts = Field(default_factory=list)
    summary: list[ResponsesPart] = Field(default_factory=list)
    encrypted_content: str = ""


Items = Annotated[list[ResponsesItem], BeforeValidator(_as_items, json_schema_input_type=str | list[ResponsesItem])]


class ResponsesReasoning(Wire):
    effort: str = ""
    summary: str | None = None  # a summary here is the whole reasoning


class ResponsesText(Wire):
    format: dict[str, Any] = Field(default_factory=lambda: {"type": "text"})
    verbosity: str = "medium"


class ResponsesBody(Wire):
    model: str = ""
    input: Items = Field(default_factory=list)
    instructions: str = ""
    tools: list[dict[str, Any]] = Field(default_factory=list)
    tool_choice: str | dict[str, Any] = "auto"
    parallel_tool_calls: bool = True
    max_output_tokens: MaxTokens | None = None
    temperature: Temperature = 1.0
    top_p: TopP | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    top_logprobs: TopLogprobs = 0
    include: list[str] = Field(default_factory=list)
    reasoning: ResponsesReasoning = Field(default_factory=ResponsesReasoning)
    text: ResponsesText = Field(default_factory=ResponsesText)
    truncation: Literal["auto", "disabled"] = "auto"
    stream: bool = False
    metadata: dict[str, Any] = Field(default_factory=dict)
    background: bool = False
    previous_response_id: str = ""
    conversation: Any = None
    prompt: Any = None
