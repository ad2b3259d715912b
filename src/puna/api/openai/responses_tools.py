"""The tools of a `/v1/responses` request: functions, name spaces of functions, and which of them must be called. Pure.

Coding agents always send tools that only a hosted service could run beside their functions. Such tools are left out,
and the answer names them: refusing the request would lock these clients out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from puna.errors import FieldRefused

_KIND = re.compile(r"[a-z0-9_]{1,40}", re.ASCII)  # fit for a header


def qualified(namespace: str, name: str) -> str:
    """The one name under which the model knows a function."""
    return f"{namespace}.{name}" if namespace and name else name


@dataclass(frozen=True, slots=True)
class Function:
    namespace: str
    name: str
    definition: Mapping[str, Any]

    @property
    def qualified(self) -> str:
        return qualified(self.namespace, self.name)

    def answers_to(self, name: object, namespace: object = None) -> bool:
        if namespace:
            return (self.namespace, self.name) == (namespace, name)
        return name in (self.name, self.qualified)

    def tool(self) -> dict[str, Any]:
        """As the engine takes it; the types of its fields are checked there."""
        described = {key: self.definition.get(key) for key in ("description", "parameters")}
        return {"type": "function", "function": {"name": self.qualified, **described}}


@dataclass(frozen=True, slots=True)
class Toolbox:
    """What the model may call, what of that it must, and the types of tools that are not to be had here."""

    functions: tuple[Function, ...]
    must_call: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def parted(self, name: str) -> tuple[str, str]:
        """Name space and name of the function that the model called by its qualified name."""
        return next(((item.namespace, item.name) for item in self.functions if item.qualified == name), ("", name))


def toolbox(tools: Sequence[Mapping[str, Any]], choice: str | Mapping[str, Any]) -> Toolbox:
    """Raises `FieldRefused` for tools without a name and for a choice that cannot be honoured."""
    functions: list[Function] = []
    left_out: list[str] = []
    for number, tool in enumerate(tools):
        where = f"tools[{number}]"
        match tool.get("type"):
            case "function":
                functions.append(_function(tool, where))
            case "namespace":
                functions += _members(tool, where)
            case str(kind) if _KIND.fullmatch(kind):
                left_out.append(kind)
            case _:
                raise FieldRefused(f"{where}.type must name a type of tools, such as function", f"{where}.type")
    chosen, must_call = _choose(functions, choice)
    return Toolbox(tuple(chosen), must_call, tuple(dict.fromkeys(left_out)))


def _function(tool: Mapping[str, Any], where: str, namespace: str = "") -> Function:
    name = tool.get("name")
    if not isinstance(name, str) or not name:
        raise FieldRefused(f"{where}.name is required", f"{where}.name")
    return Function(namespace, name, tool)


def _members(tool: Mapping[str, Any], where: str) -> Iterator[Function]:
    namespace = _function(tool, where).name
    members = tool.get("tools")
    if not isinstance(members, list):
        raise FieldRefused(f"{where}.tools must be a list", f"{where}.tools")
    for number, member in enumerate(members):
        place = f"{where}.tools[{number}]"
        if not isinstance(member, Mapping) or member.get("type") != "function":
            raise FieldRefused(f"{place}.type must be function", f"{place}.type")
        yield _function(member, place, namespace)


def _choose(
    functions: Sequence[Function], choice: str | Mapping[str, Any]
) -> tuple[Sequence[Function], tuple[str, ...]]:
    """The functions that the model is shown, and the names of which it must call one."""
    match choice:
        case "none":
            return (), ()
        case "auto":
            return functions, ()
        case "required":
            return functions, _names(functions)
        case {"type": "function", **named}:
            return functions, _names(_named(functions, named))
        case {"type": "allowed_tools", "tools": list(allowed), "mode": "auto" | "required" as mode}:
            listed = [
                function
                for item in allowed
                if isinstance(item, Mapping) and item.get("type") == "function"
                for function in _named(functions, item)
            ]
            return listed, _names(listed) if mode == "required" else ()
    raise FieldRefused("tool_choice must be none, auto, required, a function, or allowed_tools", "tool_choice")


def _named(functions: Sequence[Function], named: Mapping[Any, Any]) -> Sequence[Function]:
    found = [item for item in functions if item.answers_to(named.get("name"), named.get("namespace"))]
    if not found:
        raise FieldRefused("tool_choice names a function that is not among the tools", "tool_choice")
    return found


def _names(functions: Sequence[Function]) -> tuple[str, ...]:
    if not functions:
        raise FieldRefused("tool_choice asks for a call, but there is no function to call", "tool_choice")
    return tuple(function.qualified for function in functions)
