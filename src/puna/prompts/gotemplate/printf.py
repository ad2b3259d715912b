"""Go's `printf`: verbs, flags, width and precision."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite

from puna.prompts.gotemplate.budget import Budget
from puna.prompts.gotemplate.fault import Fault
from puna.prompts.gotemplate.literals import to_bytes
from puna.prompts.gotemplate.printing import default_text, shortest
from puna.prompts.gotemplate.values import MAX_NESTING, Typed, Value, type_name

MAX_WIDTH = 10_000  # of one verb

_VERB = re.compile(r"%(?P<flags>[+\-# 0]*)(?P<width>\*|\d+)?(?:\.(?P<precision>\*|\d*))?(?P<verb>.)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Spec:
    flags: str
    width: int
    precision: int | None
    verb: str

    def pad(self, text: str, *, zeros: bool = False) -> str:
        if "-" in self.flags:
            return text.ljust(self.width)
        if zeros and "0" in self.flags:
            sign = text[:1] if text[:1] in ("+", "-", " ") else ""
            return sign + text[len(sign) :].rjust(self.width - len(sign), "0")
        return text.rjust(self.width)


def sprintf(template: str, values: Sequence[Value], budget: Budget) -> str:
    """Go's `Sprintf` without explicit argument indexes and `%#v`. Wrong verbs print Go's complaint, `%!d(string=x)`."""
    parts: list[str] = []
    rest = list(reversed(values))
    position = 0
    for match in _VERB.finditer(template):
        parts.append(template[position : match.start()])
        position = match.end()
        budget.step()
        parts.append(budget.make(_one(match, rest)))
    parts.append(template[position:])
    if rest:
        extra = (f"{type_name(value)}={default_text(value)}" if value is not None else "<nil>" for value in rest[::-1])
        parts.append(f"%!(EXTRA {', '.join(extra)})")
    return "".join(parts)


def _one(match: re.Match[str], rest: list[Value]) -> str:
    """The text of one verb; takes its arguments off the end of `rest`."""
    width, precision = _number(match["width"], rest), _number(match["precision"], rest)
    flags, verb = match["flags"], match["verb"]
    if width is not None and width < 0:
        flags, width = flags + "-", -width
    spec = _Spec(flags, width or 0, precision, verb or "")
    if verb is None:
        return "%!(NOVERB)"
    if verb == "%":
        return "%"
    if verb == "[" or (verb == "v" and "#" in flags):
        raise Fault(f"printf: {match[0]} is not supported")
    if not rest:
        return f"%!{verb}(MISSING)"
    return _formatted(spec, rest.pop(), 0)


def _number(text: str | None, rest: list[Value]) -> int | None:
    if text is None:
        return None
    if text == "*":
        value = rest.pop() if rest else None
        if not isinstance(value, int) or isinstance(value, bool):
            raise Fault("printf: the width or precision given for * must be an int")
    else:
        value = int(text[:9] or "0")
    if abs(value) > MAX_WIDTH:
        raise Fault(f"printf: width or precision over {MAX_WIDTH}")
    return value


def _formatted(spec: _Spec, value: Value, depth: int) -> str:
    if depth > MAX_NESTING:
        raise Fault("value is nested too deeply")
    match value:
        case Typed() if spec.verb in _STRING_VERBS:
            return _string(spec, default_text(value))
        case Typed():
            return _formatted(spec, value.value, depth)
        case None:
            return spec.pad("<nil>") if spec.verb == "v" or depth else f"%!{spec.verb}(<nil>)"
        case bool():
            return spec.pad(default_text(value)) if spec.verb in "vt" else _wrong(spec, value)
        case int():
            return _integer(spec, value)
        case float():
            return _float(spec, value)
        case str():
            return _string(spec, value)
        case Mapping():
            items = (f"{_string(spec, key)}:{_formatted(spec, value[key], depth + 1)}" for key in sorted(value))
            return f"map[{' '.join(items)}]"
        case list() | tuple():
            return f"[{' '.join(_formatted(spec, item, depth + 1) for item in value)}]"
    raise Fault(f"a value of type {type(value).__name__} cannot be printed")


def _wrong(spec: _Spec, value: Value) -> str:
    return f"%!{spec.verb}({type_name(value)}={_formatted(replace(spec, verb='v'), value, 0)})"


_STRING_VERBS = {"v", "s", "q", "x", "X"}
_INTEGERS: Mapping[str, Callable[[int], str]] = {
    "v": str,
    "d": str,
    "b": "{:b}".format,
    "o": "{:o}".format,
    "x": "{:x}".format,
    "X": "{:X}".format,
}


def _integer(spec: _Spec, value: int) -> str:
    if spec.verb in "cqU":
        return _character(spec, value)
    render = _INTEGERS.get(spec.verb)
    if render is None:
        return _wrong(spec, value)
    digits = render(abs(value))
    if spec.precision is not None:
        digits = "" if spec.precision == 0 == value else digits.rjust(spec.precision, "0")
    prefix = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}.get(spec.verb, "") if "#" in spec.flags else ""
    padded = replace(spec, flags=spec.flags.replace("0", "")) if spec.precision is not None else spec
    return padded.pad(_sign(spec, value < 0) + prefix + digits, zeros=True)


def _character(spec: _Spec, value: int) -> str:
    if spec.verb == "U":
        return spec.pad(f"U+{value:04X}")
    character = chr(value) if 0 <= value <= 0x10FFFF and not 0xD800 <= value < 0xE000 else "\ufffd"
    return spec.pad(character if spec.verb == "c" else quoted(character, "'"))


def _float(spec: _Spec, value: float) -> str:
    verb = "g" if spec.verb == "v" else spec.verb
    if verb not in "eEfFgG":
        return _wrong(spec, value)
    if not isfinite(value):
        text = "NaN" if value != value else "Inf"
    elif verb in "gG" and spec.precision is None:
        text = shortest(abs(value))
        text = text.upper() if verb == "G" else text
    else:
        text = f"{abs(value):.{6 if spec.precision is None else spec.precision}{verb}}"
    return spec.pad(_sign(spec, value < 0) + text, zeros=True)


def _sign(spec: _Spec, negative: bool) -> str:
    if negative:
        return "-"
    return "+" if "+" in spec.flags and spec.verb != "v" else " " if " " in spec.flags else ""


def _string(spec: _Spec, value: str) -> str:
    if spec.verb not in _STRING_VERBS:
        return _wrong(spec, value)
    if spec.precision is not None and spec.verb not in "xX":
        value = value[: spec.precision]
    match spec.verb:
        case "q":
            value = (
                f"`{value}`"
                if "#" in spec.flags and "`" not in value
                else quoted(value, '"', ascii_only="+" in spec.flags)
            )
        case "x" | "X":
            value = to_bytes(value)[: spec.precision].hex()
            value = value if " " not in spec.flags else " ".join(re.findall("..", value))
            value = ("0x" if "#" in spec.flags and value else "") + value
            value = value.upper() if spec.verb == "X" else value
    return spec.pad(value, zeros=True)


_ESCAPES = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\"}


def quoted(text: str, quote: str, *, ascii_only: bool = False) -> str:
    """Go's `strconv.Quote`: escapes for what cannot be seen or, with `ascii_only`, is not ASCII."""
    return quote + "".join(_escaped(character, quote, ascii_only) for character in text) + quote


def _escaped(character: str, quote: str, ascii_only: bool) -> str:
    code = ord(character)
    if character == quote:
        return "\\" + quote
    if character in _ESCAPES:
        return _ESCAPES[character]
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if character.isprintable() and not (ascii_only and code >= 0x80):
        return character
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
