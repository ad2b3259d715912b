"""The numbers in a schema: counts, bounds and multiples, as far as the engine's compiler gets them right."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import reduce
from typing import Any

from puna.engine.schema.refused import Refused

MAX_REPEATS = 2_000
MAX_STEPS = 10_000  # the compiler's automaton has as many states; 99,991 of them take it two seconds
LARGEST = 2**63
SMALLEST = 1e-6  # its expressions for ranges round what is nearer to 0
LARGEST_CONSTANT = 2**53

Bounds = dict[str, int | float]


def count(name: str, value: object) -> int:
    """A number of repeats: 3 and 3.0 are the same."""
    number = _number(name, value)
    if not number >= 0 or number % 1:  # NaN as well
        raise Refused(f"{name} must be a whole number that is not negative")
    if number > MAX_REPEATS:
        raise Refused(f"{name} asks for more than {MAX_REPEATS} repeats")
    return int(number)


def bounds(schema: Mapping[str, Any]) -> Bounds:
    """The bounds in their form of today: draft 4 had `exclusiveMinimum: true` beside `minimum`."""
    names = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
    given = {name: schema[name] for name in names if name in schema}
    for exclusive, inclusive in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        said = given.get(exclusive)
        if said is True and inclusive in given:
            given[exclusive] = given.pop(inclusive)
        elif isinstance(said, bool):
            del given[exclusive]
    return {name: _bound(name, value) for name, value in given.items()}


def multiple(value: object) -> Fraction:
    number = _number("multipleOf", value)
    if not 0 < number < math.inf:
        raise Refused("multipleOf must be a number above 0")
    return Fraction(str(number))


def check_multiples(multiples: Iterable[Fraction]) -> None:
    """The compiler may have to keep count of all of them at once."""
    numbers = {Fraction(number) for number in multiples}
    finest = math.lcm(*(number.denominator for number in numbers))
    if math.lcm(*(int(number * finest) for number in numbers)) > MAX_STEPS or finest > MAX_STEPS:
        raise Refused(f"multipleOf asks for more than {MAX_STEPS} steps, all of them together")


def leave_room(bounds: Bounds, steps: Iterable[Fraction]) -> bool:
    """Whether a number fits between `bounds` that is a multiple of each of `steps`."""
    low = max(_edges(bounds, "minimum", "exclusiveMinimum"), default=None)
    high = min(((edge, -out) for edge, out in _edges(bounds, "maximum", "exclusiveMaximum")), default=None)
    if low is None or high is None:
        return True
    (least, above), (most, below) = low, high
    if least > most or (least == most and (above or below)):
        return False
    step = reduce(_common, steps, None)
    if step is None:
        return True
    first, last = math.ceil(least / step), math.floor(most / step)
    first += bool(above) and first * step == least
    last -= bool(below) and last * step == most
    return first <= last


def constant(value: float) -> None:
    if value != 0 and not SMALLEST <= abs(value) <= LARGEST_CONSTANT:
        raise Refused("a constant is a number that the engine cannot hold exactly")


def _number(name: str, value: object) -> int | float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Refused(f"{name} must be a number")
    return value


def _bound(name: str, value: object) -> int | float:
    number = _number(name, value)
    if number == LARGEST - 1 and isinstance(number, int):
        return number  # the largest integer of many languages, and of the compiler
    if not abs(number) <= LARGEST or number != float(number) or 0 < abs(number) < SMALLEST:  # NaN as well
        raise Refused(f"{name} is a number that the engine cannot hold exactly")
    return number


def _edges(bounds: Bounds, inclusive: str, exclusive: str) -> list[tuple[Fraction, int]]:
    """The bounds on one side, and whether they are themselves left out (1) or not (0)."""
    names = ((inclusive, 0), (exclusive, 1))
    return [(Fraction(str(bounds[name])), out) for name, out in names if name in bounds]


def _common(one: Fraction | None, other: Fraction) -> Fraction:
    """The least common multiple."""
    if one is None:
        return other
    return Fraction(math.lcm(one.numerator, other.numerator), math.gcd(one.denominator, other.denominator))
