"""Which tools a request offers and which it demands: `tools` and `tool_choice` of OpenAI. Pure.

The reference ignores `tool_choice`; here every form of it is honoured or refused (field, user-demands §13).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from puna.errors import BadRequest, FieldRefused
from puna.prompts import normalise_tools

Tools = Sequence[Mapping[str, Any]]

_MODES = ("none", "auto", "required")


@dataclass(frozen=True, slots=True)
class Offer:
    tools: Tools = ()
    must_call: tuple[str, ...] = ()  # the answer is one call of one of these


def offer(tools: Tools, choice: object) -> Offer:
    """`tools` in the form of chat completions, `choice` as sent. Raises `FieldRefused`."""
    names = _names(tools)
    if choice is None or choice == "auto":
        return Offer(tools)
    if choice == "none":
        return Offer()
    if choice == "required":
        return Offer(tools, _some(names))
    kind = choice.get("type") if isinstance(choice, Mapping) else None
    if isinstance(choice, Mapping) and kind == "function":
        return Offer(tools, (_known(choice, names),))
    if isinstance(choice, Mapping) and kind == "allowed_tools":
        return _allowed(tools, names, choice.get("allowed_tools"))
    raise FieldRefused(
        'tool_choice must be "none", "auto", "required", a function of tools, or allowed_tools', "tool_choice"
    )


def _allowed(tools: Tools, names: Sequence[str], allowed: object) -> Offer:
    given = allowed if isinstance(allowed, Mapping) else {}
    mode, wanted = given.get("mode", "auto"), given.get("tools")
    if mode not in _MODES[1:] or not isinstance(wanted, list):
        raise FieldRefused('allowed_tools takes a mode ("auto", "required") and a list of tools', "tool_choice")
    kept = [_known(choice, names) for choice in wanted]
    offered = [tool for tool, name in zip(tools, names, strict=True) if name in kept]
    return Offer(offered, _some(kept) if mode == "required" else ())


def _known(choice: object, names: Sequence[str]) -> str:
    function = choice.get("function") if isinstance(choice, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(name, str) or name not in names:
        raise FieldRefused(f"tool_choice: no function named {str(name)[:64]!r} is in tools", "tool_choice")
    return name


def _some(names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        raise FieldRefused("tool_choice demands a call, but there are no tools", "tool_choice")
    return tuple(names)


def _names(tools: Tools) -> list[str]:
    for number, tool in enumerate(tools):
        if tool.get("type") not in (None, "function"):
            raise FieldRefused(f"tools of type {str(tool['type'])[:64]!r} are not supported", f"tools[{number}].type")
    try:
        return [tool["function"]["name"] for tool in normalise_tools(tools)]
    except BadRequest as error:
        raise FieldRefused(error.message, "tools") from None
