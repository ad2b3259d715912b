"""One field of a request body, what becomes of it, and the test that shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

Body = Mapping[str, Any]

COMPARED = "tests/api/test_dialects.py"


class Fate(StrEnum):
    HONOURED = "honoured"
    REFUSED = "refused"
    NO_EFFECT = "no effect"


@dataclass(frozen=True, slots=True)
class Field:
    """`name` is the field's place: `messages[].role` is `role` in each object of the list `messages`.

    Where the two requests of a comparison are all that a test needs, `value` is what the second one adds to the first
    at that place (in the last object of a list), and `beside` is what both hold besides the route's own `base`.
    """

    name: str
    fate: Fate
    shown_by: str  # file::test
    note: str = ""
    value: Any = None
    beside: Body = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """Routes that take one body. `body` is None for a form and for a part of other bodies."""

    dialect: str
    title: str  # method and paths
    path: str  # where a comparison sends its requests
    fields: Sequence[Field]
    body: type[BaseModel] | None = None
    base: Body = field(default_factory=dict)
    note: str = ""

    def compared(self, fate: Fate) -> Iterator[Field]:
        return (each for each in self.fields if each.fate == fate and each.shown_by.startswith(COMPARED))


def honoured(name: str, value: Any, note: str = "", **beside: Any) -> Field:
    """With the field the answer is another one."""
    return Field(name, Fate.HONOURED, f"{COMPARED}::test_an_honoured_field_changes_the_answer", note, value, beside)


def shown(name: str, test: str, note: str = "") -> Field:
    """Honoured, as a test of its own shows; `test` is `file::test` under tests/."""
    return Field(name, Fate.HONOURED, f"tests/{test}", note)


def refused(name: str, value: Any, note: str, **beside: Any) -> Field:
    """A 400 that names the field."""
    return Field(name, Fate.REFUSED, f"{COMPARED}::test_a_refused_field_is_named", note, value, beside)


def no_effect(name: str, value: Any, note: str = "", **beside: Any) -> Field:
    """The answer is the same with and without."""
    return Field(name, Fate.NO_EFFECT, f"{COMPARED}::test_a_field_without_effect_changes_nothing", note, value, beside)


ADAPTERS = (
    shown("adapters[].model", "api/test_adapters.py::test_every_route_that_answers_takes_adapters", "Puna's own: LoRA"),
    shown("adapters[].scale", "api/test_adapters.py::test_the_scale_says_how_strongly_an_adapter_works", "Puna's own"),
)


def with_field(body: Body, name: str, value: Any) -> dict[str, Any]:
    """`body` with `value` at the place `name`; the objects on the way there are made where they are missing."""
    result = deepcopy(dict(body))
    *parents, last = name.split(".")
    place: Any = result
    for parent in parents:
        if parent.endswith("[]"):
            place = place.setdefault(parent.removesuffix("[]"), [{}])[-1]
        else:
            place = place.setdefault(parent, {})
    place[last] = value
    return result


def places(body: type[BaseModel]) -> set[str]:
    """The places of all fields that `body` knows. An object of known fields stands for itself only through them."""
    schema = body.model_json_schema()
    return set(_places(schema, schema.get("$defs", {}), ""))


def _places(schema: Body, definitions: Body, prefix: str) -> Iterator[str]:
    for name, value in schema["properties"].items():
        found, listed = _object(value, definitions)
        place = f"{prefix}{name}{'[]' if listed else ''}"
        if found is None:
            yield f"{prefix}{name}"
        else:
            yield from _places(found, definitions, f"{place}.")


def _object(schema: Body, definitions: Body, listed: bool = False) -> tuple[Body | None, bool]:
    """The object of known fields that a value may be, or be a list of."""
    if "$ref" in schema:
        return definitions[schema["$ref"].rpartition("/")[2]], listed
    if "items" in schema:
        return _object(schema["items"], definitions, True)
    for choice in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
        found, inside = _object(choice, definitions, listed)
        if found is not None:
            return found, inside
    return None, False
