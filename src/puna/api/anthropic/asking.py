"""A body of this dialect as the engine's request: tools, thinking, sampling (contract ollama-http §7). Pure."""

from __future__ import annotations

from typing import Any

from puna.api.anthropic.conversation import conversation
from puna.api.anthropic.schemas import AnthropicCountBody, AnthropicMessagesBody, AnthropicTool
from puna.engine.requests import ChatRequest
from puna.errors import BadRequest, FieldRefused
from puna.prompts import normalise_tools

_EFFORTS = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "max"}


def prompt_request(body: AnthropicCountBody) -> ChatRequest:
    """What makes up the prompt. Raises `BadRequest` for what cannot be honoured, by its name."""
    _check(body)
    tools = [_tool(tool, f"tools.{number}") for number, tool in enumerate(body.tools)]
    choice = body.tool_choice
    return ChatRequest(
        messages=conversation(body.system, body.messages),
        tools=() if choice.type == "none" else tools,
        must_call=_must_call(body),
        parallel_tool_calls=not choice.disable_parallel_tool_use,
        think=_think(body),
        format=_format(body),
        options=_options(body) if isinstance(body, AnthropicMessagesBody) else {},
    )


def _check(body: AnthropicCountBody) -> None:
    if not body.model.strip():
        raise FieldRefused("model is required", "model")
    if isinstance(body, AnthropicMessagesBody) and body.max_tokens <= 0:
        raise FieldRefused("max_tokens is required and must be positive", "max_tokens")
    if not body.messages:
        raise FieldRefused("messages is required", "messages")
    if body.container is not None:
        raise FieldRefused("container is not supported: there are no hosted tools here", "container")
    if body.mcp_servers:
        raise FieldRefused(
            "mcp_servers is not supported: call the servers yourself and offer their tools", "mcp_servers"
        )


def _tool(tool: AnthropicTool, where: str) -> dict[str, Any]:
    if tool.type != "custom":
        raise FieldRefused(
            f'{where}: tools of type "{tool.type[:64]}" are not supported; offer one with an input_schema', where
        )
    if not tool.name:
        raise FieldRefused(f"{where}.name is required", f"{where}.name")
    function = {"name": tool.name, "description": tool.description, "parameters": tool.input_schema}
    shaped = {"type": "function", "function": function}
    try:
        if not isinstance(tool.input_schema, dict):
            raise BadRequest("it must be an object")
        normalise_tools([shaped])
    except BadRequest as error:
        raise FieldRefused(f'invalid input_schema for tool "{tool.name[:64]}": {error.message}', where) from None
    return shaped


def _must_call(body: AnthropicCountBody) -> tuple[str, ...]:
    choice = body.tool_choice
    names = tuple(tool.name for tool in body.tools)
    if choice.type not in ("any", "tool"):
        return ()
    if not names:
        raise FieldRefused(f'tool_choice of type "{choice.type}" needs tools', "tool_choice")
    if choice.type == "any":
        return names
    if choice.name not in names:
        raise FieldRefused(
            f'tool_choice names the tool "{choice.name[:64]}", which is not among the tools', "tool_choice.name"
        )
    return (choice.name,)


def _format(body: AnthropicCountBody) -> dict[str, Any] | None:
    wanted = body.output_config.format
    if wanted is not None and wanted.json_schema is None:
        raise FieldRefused("output_config.format.schema is required", "output_config.format.schema")
    return None if wanted is None else wanted.json_schema


def _think(body: AnthropicCountBody) -> bool | str | None:
    match body.thinking.type:
        case "enabled":
            return True
        case "disabled":
            return False
        case "" | "adaptive":
            return _EFFORTS.get(body.output_config.effort.lower())
        case other:
            raise FieldRefused(f'thinking.type "{other[:64]}" is not supported', "thinking.type")


def _options(body: AnthropicMessagesBody) -> dict[str, Any]:
    """Only what was given: the model's own parameters hold otherwise."""
    given = {
        "num_predict": body.max_tokens,
        "temperature": body.temperature,
        "top_p": body.top_p,
        "top_k": body.top_k,
        "stop": body.stop_sequences or None,
    }
    return {name: value for name, value in given.items() if value is not None}
