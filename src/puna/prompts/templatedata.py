"""Messages and tools as Go templates see them (contract ollama-store §5.1 and §5.2).

Fields have the reference's Go names; `json` and printing give the wire names, in the reference's order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from puna.prompts.gotemplate import Typed, Value
from puna.prompts.messages import Message, Tool, ToolCall

Think: TypeAlias = "bool | str | None"


def think_data(think: Think) -> dict[str, Value]:
    """`ThinkLevel` is the level asked for, `medium` for a plain true."""
    level = think if isinstance(think, str) else "medium" if think else ""
    return {"Think": bool(think), "ThinkLevel": level, "IsThinkSet": think is not None}


def messages_data(messages: Sequence[Message]) -> Value:
    return tuple(_message(message) for message in messages)


def tools_data(tools: Sequence[Tool]) -> Value:
    typed = tuple(_tool(tool) for tool in tools)
    return Typed(typed, [tool.json for tool in typed]) if typed else ()


def _message(message: Message) -> Typed:
    calls = tuple(_call(call) for call in message.tool_calls)
    fields: dict[str, Value] = {
        "Role": message.role,
        "Content": message.content,
        "Thinking": message.thinking,
        "Images": ("",) * len(message.images),  # templates only ask whether there are any
        "ToolCalls": calls,
        "ToolName": message.tool_name,
        "ToolCallID": message.tool_call_id,
    }
    wire = _filled(
        thinking=message.thinking,
        tool_calls=[call.json for call in calls],
        tool_name=message.tool_name,
        tool_call_id=message.tool_call_id,
    )
    return Typed(fields, {"role": message.role, "content": message.content, **wire})


def _call(call: ToolCall) -> Typed:
    arguments = _sorted(call.arguments)
    function = Typed(
        {"Index": call.index, "Name": call.name, "Arguments": Typed(arguments, arguments)},
        {"index": call.index, "name": call.name, "arguments": arguments},
    )
    return Typed({"ID": call.id, "Function": function}, {**_filled(id=call.id), "function": function.json})


def _tool(tool: Tool) -> Typed:
    function = _function(tool["function"])
    items = _sorted(tool.get("items"))
    return Typed(
        {"Type": tool["type"], "Items": items, "Function": function},
        {"type": tool["type"], **_filled(items=items), "function": function.json},
    )


def _function(raw: Mapping[str, Any]) -> Typed:
    parameters = _parameters(raw["parameters"])
    description = raw.get("description", "")
    return Typed(
        {"Name": raw["name"], "Description": description, "Parameters": parameters},
        {"name": raw["name"], "description": description, "parameters": parameters.json},
    )


def _parameters(raw: Mapping[str, Any]) -> Typed:
    properties = _properties(raw["properties"])
    definitions, items, required = _sorted(raw.get("$defs")), _sorted(raw.get("items")), raw.get("required", [])
    return Typed(
        {"Type": raw["type"], "Defs": definitions, "Items": items, "Required": required, "Properties": properties},
        {
            "type": raw["type"],
            **_filled(**{"$defs": definitions, "items": items, "required": required}),
            "properties": properties.json,
        },
    )


def _properties(raw: Mapping[str, Any]) -> Typed:
    typed = {name: _property(raw[name]) for name in sorted(raw)}
    return Typed(typed, {name: schema.json for name, schema in typed.items()})


def _property(raw: Mapping[str, Any]) -> Typed:
    choices = tuple(_property(choice) for choice in raw.get("anyOf", ()))
    types = _types(raw.get("type", ()))
    nested = _properties(raw.get("properties", {}))
    items, enum = _sorted(raw.get("items")), _sorted(raw.get("enum"))
    description, required = raw.get("description", ""), raw.get("required", [])
    fields: dict[str, Value] = {
        "AnyOf": choices,
        "Type": types,
        "Items": items,
        "Description": description,
        "Enum": enum,
        "Properties": nested,
        "Required": required,
    }
    wire = _filled(
        anyOf=[choice.json for choice in choices],
        type=types.json,
        items=items,
        description=description,
        enum=enum,
        properties=nested.json,
        required=required,
    )
    return Typed(fields, wire)


def _types(raw: str | Sequence[str]) -> Typed:
    """One type prints and encodes as a text, several as a list."""
    names = (raw,) if isinstance(raw, str) else tuple(raw)
    if len(names) == 1:
        return Typed(names, names[0], names[0])
    return Typed(names, list(names), f"[{' '.join(names)}]" if names else "")


def _sorted(value: Any) -> Any:
    """Free-form JSON with its keys in alphabetical order, as Go's maps have them."""
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list | tuple) else value


def _filled(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "", [], (), {})}
