"""JSON Schemas of callers, made safe and simple before the engine compiles them (threats T17, ollama-http §4.7).

The engine's compiler takes what it reads by its word: `minItems` of a billion or `multipleOf` of 99,999,989 kept it
busy for good and took gigabytes, and with it everybody's requests. What it does not know, it ignores in silence. So it
never sees a caller's schema, only one that was built here out of known keywords with checked values.

size.py       depth and number of parts, before anything walks down into the schema
normalise.py  the schema built anew: its own definitions, one dialect, nothing that cannot be followed
numbers.py    counts, bounds and multiples
patterns.py   regular expressions, parsed and written anew
choices.py    whether the choices of `oneOf` exclude each other
answers.py    how short an answer can be, and whether there is one
refused.py    why a schema is refused
"""

from puna.engine.schema.normalise import Constraint, constrain
from puna.engine.schema.size import check_size

__all__ = ["Constraint", "check_size", "constrain"]
