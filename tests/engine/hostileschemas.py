"""Schemas and patterns by the thousand, right, wrong and absurd ones; always the same for a seed."""

from __future__ import annotations

from random import Random
from typing import Any

TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
WRONG: tuple[Any, ...] = (None, True, False, -1, 0, 1.5, 2**31, 2**63, 10**30, 1e308, float("nan"), float("inf"), "", "x", [], [1], [[]], {}, {"a": 1}, [{}], "\ud83d")  # fmt: skip
KEYWORDS = (
    "type", "enum", "const", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "$ref", "$id", "id", "$schema",
    "$defs", "definitions", "$anchor", "$dynamicRef", "properties", "required", "additionalProperties",
    "patternProperties", "propertyNames", "minProperties", "maxProperties", "dependencies", "dependentRequired",
    "dependentSchemas", "unevaluatedProperties", "items", "prefixItems", "additionalItems", "contains", "minItems",
    "maxItems", "uniqueItems", "unevaluatedItems", "minLength", "maxLength", "pattern", "format", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "x-guidance", "title", "default",
)  # fmt: skip
REFERENCES = (
    "#",
    "#/$defs/a",
    "#/$defs/b",
    "#/$defs/c",
    "#/properties/a",
    "#/items",
    "#/anyOf/0",
    "#/nowhere",
    "a.json",
)


def schema(random: Random) -> dict[str, Any]:
    """One of five kinds, by turns: sensible, sensible with a wrong value, deep, wide, circular."""
    match random.randrange(8):
        case 0:
            return _deep(random)
        case 1:
            return _wide(random)
        case 2 | 3:
            made = _part(random, 3)
            made["$defs"] = {name: _part(random, 2) for name in "abc"}
            made["$ref"] = random.choice(REFERENCES)
            return made
        case 4 | 5:
            made = _part(random, 3)
            _spoil(random, made)
            return made
    return _part(random, 4)


def _part(random: Random, depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    kind = random.choice(TYPES) if depth else random.choice(TYPES[:5])
    if random.random() < 0.9:
        made["type"] = kind if random.random() < 0.8 else [kind, random.choice(TYPES)]
    match kind:
        case "string":
            _maybe(random, made, "minLength", random.randrange(6))
            _maybe(random, made, "maxLength", random.randrange(12))
            _maybe(random, made, "pattern", pattern(random))
            _maybe(random, made, "format", random.choice(("date", "uuid", "ipv4", "nonsense")))
        case "integer" | "number":
            _maybe(random, made, "minimum", random.choice((-5, 0, 1.5, 10, 10**6, -(10**15))))
            _maybe(random, made, "exclusiveMaximum", random.choice((-4, 1, 2, 11, 100.5, 10**15)))
            _maybe(random, made, "multipleOf", random.choice((1, 2, 0.5, 0.01, 7, 1000, 99_989, 1e9)))
        case "array":
            made["items"] = _part(random, depth - 1)
            _maybe(random, made, "minItems", random.choice((0, 1, 2, 3, 40, 2000)))
            _maybe(random, made, "maxItems", random.randrange(5))
            _maybe(random, made, "prefixItems", [_part(random, depth - 1) for _ in range(random.randrange(3))])
        case "object":
            names = random.sample("abcdefg", random.randrange(5))
            made["properties"] = {name: _part(random, depth - 1) for name in names}
            made["required"] = random.sample("abcdefgh", random.randrange(3))
            _maybe(random, made, "additionalProperties", random.choice((True, False, _part(random, depth - 1))))
            _maybe(random, made, "patternProperties", {pattern(random): _part(random, depth - 1)})
            _maybe(random, made, "minProperties", random.randrange(4))
            _maybe(random, made, "maxProperties", random.randrange(4))
    if depth and random.random() < 0.25:
        made[random.choice(("anyOf", "oneOf", "allOf"))] = [
            _part(random, depth - 1) for _ in range(random.randrange(4))
        ]
    if random.random() < 0.1:
        made["enum"] = random.sample([None, True, 1, 1.5, "x", "yy", [1], {"a": 1}], random.randrange(1, 5))
    if random.random() < 0.1:
        made["$ref"] = random.choice(REFERENCES)
    return made


def _maybe(random: Random, made: dict[str, Any], name: str, value: Any) -> None:
    if random.random() < 0.4:
        made[name] = value


def _spoil(random: Random, made: dict[str, Any]) -> None:
    """One keyword with a value that it cannot have, somewhere."""
    while isinstance(inner := made.get("items") or next(iter(made.get("properties", {}).values()), None), dict):
        if random.random() < 0.5:
            break
        made = inner
    made[random.choice(KEYWORDS)] = random.choice(WRONG)


def _deep(random: Random) -> dict[str, Any]:
    wrap = random.choice(("items", "additionalProperties", "allOf", "anyOf", "not", "properties"))
    return nest(wrap, random.choice((5, 14, 29, 33, 500)), _part(random, 1))


def nest(wrap: str, depth: int, inner: dict[str, Any] | None = None) -> dict[str, Any]:
    made = inner or {}
    for _ in range(depth):
        made = {wrap: [made] if wrap.endswith("Of") else {"a": made} if wrap == "properties" else made}
    return made


def _wide(random: Random) -> dict[str, Any]:
    count = random.choice((20, 20, 50, 50, 200, 200, 999, 1001, 5000))
    parts = [_part(random, 0) for _ in range(20)]
    names = [f"p{number}" for number in range(count)]
    match random.randrange(4):
        case 0:
            return {"type": "object", "properties": {name: random.choice(parts) for name in names}}
        case 1:
            return {random.choice(("anyOf", "oneOf", "allOf")): [random.choice(parts) for _ in names]}
        case 2:
            return {"enum": names}
    return {"type": "array", "prefixItems": [random.choice(parts) for _ in names], "minItems": 2}


ATOMS = (
    "a", "b", "ab", "é", "🦙", "7", " ", "-", ".", r"\d", r"\w", r"\s", r"\D", r"\W", r"\S", r"\.", r"\-", r"\/", r"\"", r"\\",
    r"\x41", r"\u00e9", "[abc]", "[^abc]", "[a-f0-9]", r"[\d.]", r"[^\s]", "[]a]", "[^]", "[]", "[z-a]", r"\t", r"\n",
)  # fmt: skip
ODD = (
    r"\b", r"\1", r"\k<n>", "(?=a)", "(?!a)", "(?<=a)", "(?<n>a)", "(?i)", r"\p{L}", "^", "$", "(", ")", "[", "]", "{", "}",
    "a**", "a{2", "{3}", "a{5,1}", "a{1,129}", "a{9999999999}", "(a{100}){100}", "\ud83d", r"\u{1F999}", r"\cA", "(" * 40, "\\",
)  # fmt: skip
COUNTS = ("", "", "", "*", "+", "?", "{2}", "{1,3}", "{0,}", "*?", "{1,129}")


def pattern(random: Random) -> str:
    made = _pattern(random, 3)
    if random.random() < 0.15:
        made += random.choice(ODD)
    return random.choice(("", "^")) + made + random.choice(("", "$"))


def _pattern(random: Random, depth: int) -> str:
    parts: list[str] = []
    for _ in range(random.randrange(1, 4)):
        atom = random.choice(ATOMS)
        if depth and random.random() < 0.3:
            atom = f"({random.choice(('', '?:'))}{_pattern(random, depth - 1)})"
        parts.append(atom + random.choice(COUNTS))
    return random.choice(("", "", "|")).join(parts)
