"""Values as text: what an action prints, Go's `print` and `println`, and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import isfinite

from puna.prompts.gotemplate.fault import Fault
from puna.prompts.gotemplate.literals import to_bytes
from puna.prompts.gotemplate.values import MAX_NESTING, Typed, Value
from puna.store.gojson import go_json

NO_VALUE = "<no value>"


def shown(value: Value) -> str:
    """What an action prints: like `%v`, but an absent value says so."""
    return value if isinstance(value, str) else NO_VALUE if value is None else default_text(value)


def default_text(value: Value, depth: int = 0) -> str:
    """Go's `%v`: `[a b]`, `map[k:v]`, `<nil>`, typed values in their own form."""
    if depth > MAX_NESTING:
        raise Fault("value is nested too deeply")
    match value:
        case str():
            return value
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return shortest(value)
        case Typed():
            return json_text(value) if value.text is None else value.text
        case Mapping():
            return f"map[{' '.join(f'{key}:{default_text(value[key], depth + 1)}' for key in sorted(value))}]"
        case list() | tuple():
            return f"[{' '.join(default_text(item, depth + 1) for item in value)}]"
    raise Fault(f"a value of type {type(value).__name__} cannot be printed")


def json_text(value: Value) -> str:
    """Compact JSON, HTML-escaped, keys of plain objects in alphabetical order (contract ollama-store §5.1)."""
    return go_json(_sorted(value, 0))[:-1].decode()


def _sorted(value: object, depth: int) -> object:
    if depth > MAX_NESTING:
        raise Fault("value is nested too deeply")
    match value:
        case Typed():
            return value.json
        case Mapping():
            return {key: _sorted(value[key], depth + 1) for key in sorted(value)}
        case list() | tuple():
            return [_sorted(item, depth + 1) for item in value]
        case float() if not isfinite(value):
            raise Fault(f"json: unsupported value: {value}")
        case str():
            return to_bytes(value).decode("utf-8", "replace")
        case _:
            return value


def sprint(values: Sequence[Value]) -> str:
    """Go's `Sprint`: a blank between two neighbours that are both no strings."""
    parts: list[str] = []
    for number, value in enumerate(values):
        if number and not isinstance(value, str) and not isinstance(values[number - 1], str):
            parts.append(" ")
        parts.append(default_text(value))
    return "".join(parts)


def sprintln(values: Sequence[Value]) -> str:
    return " ".join(map(default_text, values)) + "\n"


def shortest(value: float) -> str:
    """Go's `%v` of a float: the shortest digits, with an exponent below 1e-4 and from 1e6 on."""
    if not isfinite(value):
        return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    power = len(digits) + int(exponent) - 1
    if value == 0 or -4 <= power < 6:
        return f"{Decimal(repr(value)):f}".removesuffix(".0")
    text = "".join(map(str, digits))
    mantissa = text[0] + ("." + text[1:] if len(text) > 1 else "")
    return f"{'-' if sign else ''}{mantissa}e{power:+03d}"
