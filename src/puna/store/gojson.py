"""JSON with the very bytes that Go's `encoding/json` writes, because blobs and manifests are named by their hash.

Compact, `<`, `>`, `&`, U+2028 and U+2029 escaped, one trailing newline (contract ollama-store §2.3). Object keys keep
the order given; sort them first where the contract says so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

from puna.errors import BadRequest

_HTML = str.maketrans({mark: f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"})


def go_json(value: object) -> bytes:
    """`value` made of dicts with text keys, sequences, text, numbers, booleans and None. Raises `BadRequest`."""
    try:
        text = _encode(value)
    except RecursionError:
        raise BadRequest("JSON value is nested too deeply") from None
    return text.encode("utf-8", errors="replace") + b"\n"


def _encode(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _encode_float(value)
        case str():
            return json.dumps(value, ensure_ascii=False).translate(_HTML)
        case Mapping():
            return "{" + ",".join(f"{_encode(str(key))}:{_encode(item)}" for key, item in value.items()) + "}"
        case Sequence():
            return "[" + ",".join(map(_encode, value)) + "]"
    raise BadRequest(f"a value of type {type(value).__name__} cannot be stored as JSON")


def _encode_float(value: float) -> str:
    """Go's choice: the shortest digits, plain from 1e-6 up to 1e21, otherwise with an unpadded exponent."""
    if not math.isfinite(value):
        raise BadRequest("numbers must be finite")
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        return f"{Decimal(repr(value)):f}".removesuffix(".0")
    mantissa, _, exponent = repr(value).partition("e")
    return f"{mantissa}e{exponent[0]}{exponent[1:].lstrip('0')}"
