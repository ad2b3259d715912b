"""What a template computes with: Go's values, told apart and compared by Go's rules.

None, bool, int, float, str, sequences and mappings with text keys; nothing else is ever looked into, so no attribute
of a Python object can be reached (threats T16).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from puna.prompts.gotemplate.fault import Fault

MAX_NESTING = 128  # lists and objects inside each other


@dataclass(frozen=True, slots=True)
class Typed:
    """A value with a text of its own, as Go types with a `String` method have: `value` for fields, tests and loops,
    `json` for the function `json`, and `text` for printing (None = printed as its JSON).
    """

    value: Mapping[str, Value] | tuple[Value, ...]
    json: object
    text: str | None = None


Value: TypeAlias = "bool | int | float | str | list[Value] | tuple[Value, ...] | Mapping[str, Value] | Typed | None"

_BASIC = {bool: "bool", int: "int", float: "float64", str: "string"}


def plain(value: Value) -> bool | int | float | str | list[Value] | tuple[Value, ...] | Mapping[str, Value] | None:
    return value.value if isinstance(value, Typed) else value


def type_name(value: Value) -> str:
    """The Go type, for messages and for printf's complaints."""
    value = plain(value)
    if value is None:
        return "<nil>"
    if isinstance(value, Mapping):
        return "map[string]interface {}"
    return _BASIC.get(type(value), "[]interface {}")


def truth(value: Value) -> bool:
    return bool(plain(value))


def equal(left: Value, right: Value) -> bool:
    """Go's `eq` of two values. Raises `Fault` for values that cannot be compared."""
    left, right = plain(left), plain(right)
    if left is None or right is None:
        return left is right
    if type(left) is not type(right) and not (_is_composite(left) and _is_composite(right)):
        raise Fault("incompatible types for comparison")
    if _is_composite(left):
        raise Fault(f"non-comparable types {type_name(left)}, {type_name(right)}")
    return left == right


def less(left: Value, right: Value) -> bool:
    """Go's `lt`. Raises `Fault` for values without an order."""
    left, right = plain(left), plain(right)
    if left is None or right is None or _is_composite(left) or _is_composite(right):
        raise Fault("invalid type for comparison")
    if type(left) is not type(right):
        raise Fault("incompatible types for comparison")
    if isinstance(left, bool):
        raise Fault("invalid type for comparison")
    return left < right  # type: ignore[operator]


def field(value: Value, name: str) -> Value:
    """`value.name`; None for what is missing. Raises `Fault` for a value that has no fields."""
    value = plain(value)
    if isinstance(value, Mapping):
        return value.get(name)
    if value is None:
        return None
    raise Fault(f"can't evaluate field {name} in type {type_name(value)}")


def _is_composite(value: Value) -> bool:
    return isinstance(value, Mapping | list | tuple)
