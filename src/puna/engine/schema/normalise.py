"""A caller's schema built anew: known keywords with checked values, in one dialect, with definitions of its own.

What fits the result fits what the caller meant; nothing else is promised. A keyword that constrains and that the engine
cannot hold is refused by name: an answer that ignores it would look right and be wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from urllib.parse import unquote

from puna.engine.schema import numbers
from puna.engine.schema.answers import check_answers
from puna.engine.schema.choices import exclude_each_other
from puna.engine.schema.patterns import normalise_pattern
from puna.engine.schema.refused import Refused, refusing
from puna.engine.schema.size import check_size

MAX_PROPERTIES = 1_000  # of one object: 4,900 take the engine's compiler four seconds

Schema = dict[str, Any] | bool

TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})

FORMATS = frozenset({
    "date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid",
})  # fmt: skip
"""Those that the compiler knows; others are remarks, as in JSON Schema itself."""

# What constrains and cannot be held, and when it says nothing.
_UNHELD: Mapping[str, Callable[[Any], bool]] = {
    "not": lambda value: value is False,
    "if": lambda value: False,
    "dependencies": lambda value: value == {},
    "dependentRequired": lambda value: value == {},
    "dependentSchemas": lambda value: value == {},
    "contains": lambda value: False,
    "propertyNames": lambda value: value in (True, {}, {"type": "string"}),
    "uniqueItems": lambda value: value is False,
    "unevaluatedProperties": lambda value: value in (True, {}),
    "unevaluatedItems": lambda value: value in (True, {}),
    "$dynamicRef": lambda value: False,
    "$recursiveRef": lambda value: False,
    "extends": lambda value: False,  # this and the next two: draft 3
    "disallow": lambda value: False,
    "divisibleBy": lambda value: False,
}


@dataclass(frozen=True, slots=True)
class Constraint:
    """A schema that the engine's compiler may see. Only `constrain` makes one."""

    schema: Mapping[str, Any]


def constrain(schema: Mapping[str, Any], field: str = "format", *, strict: bool = True) -> Constraint:
    """The constraint that holds an answer to `schema`.

    Without `strict`, what constrains and cannot be held is left out instead. Raises `BadRequest` that says what is
    wrong with `field`, where the caller put the schema.
    """
    check_size(schema, field)
    with refusing(field):
        made = _Normaliser(schema, strict=strict).whole()
        check_answers(made)
    return Constraint(made)


class _Normaliser:
    """One schema. Recursive: its depth is known to be small."""

    def __init__(self, root: Mapping[str, Any], *, strict: bool) -> None:
        self._root = root
        self._strict = strict
        self._names: dict[str, str] = {}  # references as the caller wrote them → names of definitions
        self._multiples: set[Fraction] = set()
        self._exclusive: list[list[Any]] = []  # choices that must exclude each other
        self._repeats = 1
        self._foreign = False  # inside a part that is a document of its own

    def whole(self) -> dict[str, Any]:
        made = self._schema(self._root)
        if isinstance(made, bool):
            raise Refused("the schema must be an object")
        definitions: dict[str, Any] = {}
        while len(definitions) < len(self._names):  # what is referred to may refer to more
            reference = list(self._names)[len(definitions)]
            definitions[self._names[reference]] = self._schema(self._target(reference))
        numbers.check_multiples(self._multiples)
        if self._strict and not all(exclude_each_other(choices, definitions) for choices in self._exclusive):
            raise Refused("the choices of oneOf may overlap, which the engine cannot prevent; use anyOf")
        return {**made, "$defs": definitions} if definitions else made

    def _schema(self, schema: Any) -> Schema:
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, Mapping):
            raise Refused("a part of the schema is neither an object nor true or false")
        foreign, repeats = self._foreign, self._repeats
        self._foreign = foreign or (schema is not self._root and _is_document(schema))
        self._check_unheld(schema)
        made = self._any_value(schema) | _string(schema) | self._number(schema) | self._array(schema)
        made |= self._object(schema)
        self._foreign, self._repeats = foreign, repeats
        return made

    def _schemas(self, name: str, value: Any) -> list[Schema]:
        if not isinstance(value, list) or not value:
            raise Refused(f"{name} must be a list of schemas that is not empty")
        return [self._schema(part) for part in value]

    def _check_unheld(self, schema: Mapping[str, Any]) -> None:
        if not self._strict:
            return
        for name, says_nothing in _UNHELD.items():
            if name in schema and not says_nothing(schema[name]):
                raise Refused(f"{name} cannot be forced on an answer; leave it out")

    def _any_value(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if "type" in schema:
            made["type"] = _types(schema["type"])
        if "const" in schema:
            made["enum"] = [_literal(schema["const"])]
        if "enum" in schema:
            said = schema["enum"]
            if not isinstance(said, list) or not said:
                raise Refused("enum must be a list of values that is not empty")
            also = {"enum": [_literal(value) for value in said]}
            made |= {"allOf": [also]} if "enum" in made else also
        if "$ref" in schema:
            made["$ref"] = f"#/$defs/{self._name(schema['$ref'])}"
        if "allOf" in schema:
            made["allOf"] = [*made.get("allOf", ()), *self._schemas("allOf", schema["allOf"])]
        if "anyOf" in schema:
            made["anyOf"] = self._schemas("anyOf", schema["anyOf"])
        if "oneOf" in schema:
            choices = self._schemas("oneOf", schema["oneOf"])
            self._exclusive.append(choices)
            made |= {"allOf": [*made.get("allOf", ()), {"anyOf": choices}]} if "anyOf" in made else {"anyOf": choices}
        return made

    def _number(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        bounds, steps = numbers.bounds(schema), []
        made: dict[str, Any] = dict(bounds)
        if "multipleOf" in schema:
            steps.append(numbers.multiple(schema["multipleOf"]))
            self._multiples.update(steps)
            made["multipleOf"] = schema["multipleOf"]
        kinds = _types(schema.get("type", "null"))
        if set(kinds) <= {"integer", "number"}:
            whole = [Fraction(1)] if "number" not in kinds else []
            if not numbers.leave_room(bounds, [*steps, *whole]):
                raise Refused("no number fits between the bounds of the schema")
        return made

    def _array(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        made = self._counts(schema, "minItems", "maxItems")
        items, prefix = schema.get("items"), schema.get("prefixItems")
        if isinstance(items, list):  # before draft 2020-12
            prefix, items = items, schema.get("additionalItems")
        if prefix is not None and prefix != []:
            made["prefixItems"] = self._schemas("prefixItems", prefix)
        if items is not None:
            made["items"] = self._schema(items)
        return made

    def _object(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        made = self._counts(schema, "minProperties", "maxProperties")
        if "properties" in schema:
            made["properties"] = {name: self._schema(part) for name, part in _members("properties", schema)}
        if "required" in schema:
            made["required"] = _names(schema["required"])
        if patterns := _members("patternProperties", schema) if "patternProperties" in schema else []:
            # The compiler holds a name to what is listed for it or to one of the patterns, never to both.
            if self._strict and (len(patterns) > 1 or made.get("properties")):
                raise Refused("patternProperties can be held only alone: one pattern, and no properties beside it")
            made["patternProperties"] = {normalise_pattern(name): self._schema(part) for name, part in patterns}
        if "additionalProperties" in schema:
            made["additionalProperties"] = self._schema(schema["additionalProperties"])
        if len(made.get("properties", ())) + len(made.get("required", ())) > 2 * MAX_PROPERTIES:
            raise Refused(f"an object has more than {MAX_PROPERTIES} properties")
        return made

    def _counts(self, schema: Mapping[str, Any], low: str, high: str) -> dict[str, Any]:
        """They multiply on the way down: a list of 1,000 lists of 1,000 is a million."""
        made = _counts(schema, low, high)
        self._repeats *= max(1, *made.values()) if made else 1
        if self._repeats > numbers.MAX_REPEATS:
            raise Refused(f"the schema asks for more than {numbers.MAX_REPEATS} repeats")
        return made

    def _name(self, reference: Any) -> str:
        """Every place that is referred to becomes a definition: what refers in a circle is then a rule that does."""
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            raise Refused("a $ref must begin with #/, or be #: nothing is fetched")
        if self._foreign:
            raise Refused("a $ref stands in a part with an $id of its own, which the engine cannot follow")
        return self._names.setdefault(reference, f"d{len(self._names)}")

    def _target(self, reference: str) -> Any:
        place: Any = self._root
        for step in unquote(reference).split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(place, Mapping) and key in place:
                place = place[key]
            elif isinstance(place, list) and key.isascii() and key.isdecimal() and int(key) < len(place):
                place = place[int(key)]
            else:
                raise Refused("a $ref leads nowhere")
            if isinstance(place, Mapping) and _is_document(place):
                raise Refused("a $ref leads into a part with an $id of its own, which the engine cannot follow")
        return place


def _is_document(schema: Mapping[str, Any]) -> bool:
    return any(isinstance(schema.get(name), str) for name in ("$id", "id"))


def _types(said: Any) -> list[str]:
    kinds = said if isinstance(said, list) else [said]
    if not kinds or not all(isinstance(kind, str) and kind in TYPES for kind in kinds):
        raise Refused(f"type must be one or some of {', '.join(sorted(TYPES))}")
    return list(dict.fromkeys(kinds))


def _literal(value: Any) -> Any:
    """`value`, when all that it contains can be written and compared."""
    match value:
        case str():
            _check_text(value)
        case int() | float() if not isinstance(value, bool):
            numbers.constant(value)
        case list():
            for part in value:
                _literal(part)
        case dict():
            for name, part in value.items():
                _check_text(name)
                _literal(part)
    return value


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused("a text has half a character") from None


def _string(schema: Mapping[str, Any]) -> dict[str, Any]:
    made = _counts(schema, "minLength", "maxLength")
    if "pattern" in schema:
        if not isinstance(schema["pattern"], str):
            raise Refused("pattern must be a string")
        made["pattern"] = normalise_pattern(schema["pattern"])
    form = schema.get("format")
    return made | {"format": form} if isinstance(form, str) and form in FORMATS else made


def _counts(schema: Mapping[str, Any], low: str, high: str) -> dict[str, Any]:
    made = {name: numbers.count(name, schema[name]) for name in (low, high) if name in schema}
    if made.get(low, 0) > made.get(high, math.inf):
        raise Refused(f"{low} and {high} of the schema allow nothing")
    return made


def _members(name: str, schema: Mapping[str, Any]) -> list[tuple[str, Any]]:
    value = schema[name]
    if not isinstance(value, Mapping):
        raise Refused(f"{name} must be an object of schemas")
    for key in value:
        _check_text(key)
    return list(value.items())


def _names(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise Refused("required must be a list of names")
    for name in value:
        _check_text(name)
    return list(dict.fromkeys(value))
