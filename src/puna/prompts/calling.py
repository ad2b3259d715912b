"""Telling a model about tools whose template knows none, for an answer that must be a call (`tool_choice`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from puna.prompts.messages import Message, Tool

_INTRODUCTION = (
    "Answer with one call of a function: a JSON object with its name and its arguments, "
    '{{"name": …, "arguments": {{…}}}}, and nothing else. {which}\n{functions}'
)
_ONE, _SEVERAL = "The function is:", "Choose the function that fits best. The functions are:"


def told_of_tools(messages: Sequence[Message], tools: Sequence[Tool], *, system: bool = True) -> tuple[Message, ...]:
    """`messages` for a template without tools: what may be called in front, calls and their results as plain text.

    The descriptions go to the end of a leading system message, where there is one, as many templates show only that.
    `system` is False for templates that show none: then they stand in front of the last message.
    """
    spelt = [_spelt_out(message) for message in messages]
    text = introduction(tools)
    if not system and spelt:
        return (*spelt[:-1], replace(spelt[-1], content=f"{text}\n\n{spelt[-1].content}"))
    if spelt and spelt[0].role == "system":
        return (replace(spelt[0], content=f"{spelt[0].content}\n\n{text}"), *spelt[1:])
    return (Message("system", text), *spelt)


def introduction(tools: Sequence[Tool]) -> str:
    """What a model has to know to call one of `tools`: one line of JSON for each."""
    functions = "\n".join(json.dumps(tool["function"], ensure_ascii=False) for tool in tools)
    return _INTRODUCTION.format(which=_ONE if len(tools) == 1 else _SEVERAL, functions=functions)


def _spelt_out(message: Message) -> Message:
    if message.role == "tool":
        of = f" of {message.tool_name}" if message.tool_name else ""
        return replace(message, role="user", content=f"Result{of}:\n{message.content}")
    if not message.tool_calls:
        return message
    calls = [
        json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False) for call in message.tool_calls
    ]
    return replace(message, content="\n".join(filter(None, [message.content, *calls])), tool_calls=())
