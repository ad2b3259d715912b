"""The functions a template may call: Go's built-ins and the four that the reference adds (contract ollama-store §5.1).

`and` and `or` are the evaluator's, because they do not evaluate all of their operands.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import quote_plus

from puna.prompts.gotemplate.budget import Budget
from puna.prompts.gotemplate.fault import Fault
from puna.prompts.gotemplate.literals import from_bytes, to_bytes
from puna.prompts.gotemplate.printf import sprintf
from puna.prompts.gotemplate.printing import NO_VALUE, json_text, sprint, sprintln
from puna.prompts.gotemplate.values import Value, equal, field, less, plain, truth, type_name

Call = Callable[[Sequence[Value], Budget], Value]
ANY = 1_000  # "as many arguments as you like"


@dataclass(frozen=True, slots=True)
class Builtin:
    least: int
    most: int
    call: Call

    def check(self, name: str, count: int) -> None:
        """Raises `Fault` for a wrong number of arguments."""
        if self.least <= count <= self.most:
            return
        wanted = f"at least {self.least}" if count < self.least < self.most else str(self.most)
        raise Fault(f"wrong number of args for {name}: want {wanted} got {count}")


def _len(args: Sequence[Value], budget: Budget) -> Value:
    value = plain(args[0])
    if isinstance(value, str):
        budget.read(len(value))
        return len(to_bytes(value))
    if isinstance(value, Mapping | list | tuple):
        return len(value)
    raise Fault(f"len of type {type_name(value)}")


def _index(args: Sequence[Value], budget: Budget) -> Value:
    value = args[0]
    for key in map(plain, args[1:]):
        value = plain(value)
        if isinstance(value, Mapping):
            if not isinstance(key, str):
                raise Fault(f"value has type {type_name(key)}; should be string")
            value = value.get(key)
        elif isinstance(value, str):
            budget.read(len(value))
            data = to_bytes(value)
            value = data[_position(key, len(data))]
        elif isinstance(value, list | tuple):
            value = value[_position(key, len(value))]
        else:
            raise Fault(f"can't index item of type {type_name(value)}")
    return value


def _position(key: Value, length: int, *, end: int = 0) -> int:
    """`key` as a valid index, `end` more for a slice's bounds."""
    if not isinstance(key, int) or isinstance(key, bool):
        raise Fault(f"cannot index slice/array with type {type_name(key)}")
    if not 0 <= key < length + end:
        raise Fault(f"index out of range: {key}")
    return key


def _slice(args: Sequence[Value], budget: Budget) -> Value:
    value = plain(args[0])
    if isinstance(value, str):
        if len(args) > 3:
            raise Fault("cannot 3-index slice a string")
        budget.read(len(value))
        data = to_bytes(value)
        low, high = _bounds(args[1:], len(data))
        return budget.make(from_bytes(data[low:high]))
    if isinstance(value, list | tuple):
        low, high = _bounds(args[1:], len(value))
        budget.read((high - low) << 6)
        return value[low:high]
    raise Fault(f"can't slice item of type {type_name(value)}")


def _bounds(keys: Sequence[Value], length: int) -> tuple[int, int]:
    bounds = [_position(plain(key), length, end=1) for key in keys]
    low, high, *cap = [*bounds, *(0, length)[len(bounds) :]]
    if low > high or (cap and high > cap[0]):
        raise Fault("invalid slice index: the bounds must rise")
    return low, high


def _eq(args: Sequence[Value], budget: Budget) -> Value:
    for other in args[1:]:
        budget.step()
        if equal(args[0], other):
            return True
    return False


def _call(args: Sequence[Value], budget: Budget) -> Value:
    raise Fault(f"call of non-function of type {type_name(args[0])}")


def _printf(args: Sequence[Value], budget: Budget) -> Value:
    template = plain(args[0])
    if not isinstance(template, str):
        raise Fault(f"wrong type for value; expected string; got {type_name(template)}")
    return budget.make(sprintf(template, args[1:], budget))


def _text_of(args: Sequence[Value], budget: Budget) -> str:
    """What `html`, `js` and `urlquery` escape."""
    return budget.make(sprint([NO_VALUE if value is None else value for value in args]))


def _html(args: Sequence[Value], budget: Budget) -> Value:
    escaped = html.escape(_text_of(args, budget), quote=False)
    return budget.make(escaped.replace('"', "&#34;").replace("'", "&#39;").replace("\0", "\ufffd"))


_JS_SIMPLE = {"\\": "\\\\", "'": "\\'", '"': '\\"'}
_JS_UNSAFE = re.compile(r"""[\\'"<>&=\x00-\x1f\x7f-\U0010ffff]""")


def _js(args: Sequence[Value], budget: Budget) -> Value:
    def replacement(match: re.Match[str]) -> str:
        character = match[0]
        if character in _JS_SIMPLE:
            return _JS_SIMPLE[character]
        return character if character.isprintable() and character not in "<>&=" else f"\\u{ord(character):04X}"

    return budget.make(_JS_UNSAFE.sub(replacement, _text_of(args, budget)))


def _date(days_ago: int) -> Call:
    def text(args: Sequence[Value], budget: Budget) -> Value:
        return (date.today() - timedelta(days=days_ago)).isoformat()

    return text


_TYPESCRIPT = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "array": "any[]",
    "object": "Record<string, any>",
    "null": "null",
}


def _typescript(args: Sequence[Value], budget: Budget) -> Value:
    return budget.make(_typescript_type(args[0], budget))


def _typescript_type(schema: Value, budget: Budget) -> str:
    budget.step()
    if not isinstance(plain(schema), Mapping):
        return "any"
    choices, types = plain(field(schema, "AnyOf")), plain(field(schema, "Type"))
    if isinstance(choices, list | tuple) and choices:
        return " | ".join(_typescript_type(choice, budget) for choice in choices)
    names = [types] if isinstance(types, str) else types if isinstance(types, list | tuple) else []
    return " | ".join(_TYPESCRIPT.get(str(name), "any") for name in names) or "any"


FUNCTIONS: Mapping[str, Builtin] = {
    "and": Builtin(1, ANY, lambda args, budget: args[-1]),
    "or": Builtin(1, ANY, lambda args, budget: args[-1]),
    "not": Builtin(1, 1, lambda args, budget: not truth(args[0])),
    "eq": Builtin(2, ANY, _eq),
    "ne": Builtin(2, 2, lambda args, budget: not equal(args[0], args[1])),
    "lt": Builtin(2, 2, lambda args, budget: less(args[0], args[1])),
    "le": Builtin(2, 2, lambda args, budget: less(args[0], args[1]) or equal(args[0], args[1])),
    "gt": Builtin(2, 2, lambda args, budget: less(args[1], args[0])),
    "ge": Builtin(2, 2, lambda args, budget: less(args[1], args[0]) or equal(args[0], args[1])),
    "len": Builtin(1, 1, _len),
    "index": Builtin(1, ANY, _index),
    "slice": Builtin(1, 4, _slice),
    "print": Builtin(0, ANY, lambda args, budget: budget.make(sprint(args))),
    "println": Builtin(0, ANY, lambda args, budget: budget.make(sprintln(args))),
    "printf": Builtin(1, ANY, _printf),
    "html": Builtin(0, ANY, _html),
    "js": Builtin(0, ANY, _js),
    "urlquery": Builtin(
        0, ANY, lambda args, budget: budget.make(quote_plus(to_bytes(_text_of(args, budget)), safe=""))
    ),
    "call": Builtin(1, ANY, _call),
    "json": Builtin(1, 1, lambda args, budget: budget.make(json_text(args[0]))),
    "currentDate": Builtin(0, ANY, _date(0)),
    "yesterdayDate": Builtin(0, ANY, _date(1)),
    "toTypeScriptType": Builtin(1, 1, _typescript),
}
SHORT_CIRCUIT: Mapping[str, bool] = {"and": False, "or": True}  # the truth at which evaluation stops
