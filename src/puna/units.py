"""Numbers as people and Go clients write them: durations, byte sizes, ages, parameter counts. Pure functions.

Durations are integer nanoseconds everywhere, because Ollama's API counts in them; `FOREVER_NS` is Go's largest.
"""

from __future__ import annotations

import re
from datetime import datetime

from puna.errors import BadRequest

NS = 1_000_000_000
FOREVER_NS = 2**63 - 1

_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": NS,
    "m": 60 * NS,
    "h": 3_600 * NS,
}
_TERM = re.compile(r"(\d+\.?\d*|\.\d+)([^\d.]*)", re.ASCII)


def parse_duration_ns(text: str) -> int:
    """A Go duration (`1h30m`, `-1.5s`, `0`) in nanoseconds, clamped to int64. Raises `BadRequest` with Go's texts."""
    sign, rest = 1, text
    if rest[:1] in ("+", "-"):
        sign, rest = (-1 if rest[0] == "-" else 1), rest[1:]
    if rest == "0":
        return 0
    total, position = 0.0, 0
    while position < len(rest):
        term = _TERM.match(rest, position)
        if term is None:
            break
        number, unit = term.groups()
        if not unit:
            raise BadRequest(f'time: missing unit in duration "{text}"')
        if unit not in _UNITS_NS:
            raise BadRequest(f'time: unknown unit "{unit}" in duration "{text}"')
        total += float(number) * _UNITS_NS[unit]
        position = term.end()
    if not rest or position < len(rest):
        raise BadRequest(f'time: invalid duration "{text}"')
    return sign * int(min(total, FOREVER_NS))


def parse_keep_alive_ns(value: object) -> int | None:
    """`keep_alive` of a request (contract ollama-http §1.7): None = not given, `FOREVER_NS` for any negative value.

    Numbers are seconds, strings are Go durations. Raises `BadRequest`.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        names = {bool: "bool", list: "[]interface {}", dict: "map[string]interface {}"}
        raise BadRequest(f"Unsupported type: '{names.get(type(value), type(value).__name__)}'")
    ns = parse_duration_ns(value) if isinstance(value, str) else _seconds_to_ns(value)
    return FOREVER_NS if ns < 0 else ns


def parse_setting_duration_ns(text: str) -> int:
    """A duration from the environment: a Go duration or whole seconds; negative = `FOREVER_NS`. Raises `BadRequest`."""
    text = text.strip()
    ns = int(text) * NS if re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII) else parse_duration_ns(text)
    return FOREVER_NS if ns < 0 else min(ns, FOREVER_NS)


def _seconds_to_ns(seconds: float) -> int:
    if seconds != seconds:
        raise BadRequest("keep_alive must be a number")
    return FOREVER_NS if seconds * NS >= FOREVER_NS else int(seconds * NS) if seconds >= 0 else -1


def format_go_duration(ns: int) -> str:
    """Go's `Duration.String()`: `1.5s`, `2m0s`, `350ms`, `0s`."""
    if ns == 0:
        return "0s"
    sign, rest = ("-", -ns) if ns < 0 else ("", ns)
    if rest < NS:
        for unit, size in (("ms", 1_000_000), ("µs", 1_000), ("ns", 1)):
            if rest >= size:
                return f"{sign}{_trim(rest / size, 6)}{unit}"
    hours, rest = divmod(rest, 3_600 * NS)
    minutes, rest = divmod(rest, 60 * NS)
    seconds = f"{rest // NS}" + (f".{rest % NS:09d}".rstrip("0") if rest % NS else "")
    head = (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "")
    return f"{sign}{head}{seconds}s"


def _trim(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")


def format_bytes(count: int) -> str:
    """Decimal sizes as Ollama's tables print them: `4.7 GB`, `42 GB`, `1.0 KB`, `512 B` (ollama-store §6.3)."""
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if count >= size:
            value = count / size
            if value >= 10:
                return f"{int(value)} {unit}"
            return f"{value:.0f} {unit}" if count % size == 0 else f"{value:.1f} {unit}"
    return f"{count} B"


def format_parameter_count(count: int) -> str:
    """`7B`, `7.2B`, `133.70M`, `22K`, `12` (ollama-store §2.6)."""
    if count >= 10**9:
        return f"{count // 10**9}B" if count % 10**9 == 0 else f"{count / 10**9:.1f}B"
    if count >= 10**6:
        return f"{count // 10**6}M" if count % 10**6 == 0 else f"{count / 10**6:.2f}M"
    if count >= 10**3:
        return f"{count / 10**3:.0f}K"
    return str(count)


def format_relative(then: datetime, now: datetime) -> str:
    """`3 hours ago`, `4 minutes from now` (ollama-store §6.3). Both times must carry a zone."""
    seconds = (now - then).total_seconds()
    suffix = "ago" if seconds >= 0 else "from now"
    return f"{_span(abs(seconds))} {suffix}"


def _span(seconds: float) -> str:
    if seconds < 1:
        return "Less than a second"
    if seconds < 2:
        return "1 second"
    if seconds < 60:
        return f"{int(seconds)} seconds"
    minutes = int(seconds / 60)
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    hours = int(seconds / 3600 + 0.5)
    if hours == 1:
        return "About an hour"
    spans = ((48, 1, "hours"), (14 * 24, 24, "days"), (60 * 24, 168, "weeks"), (730 * 24, 720, "months"))
    for limit, size, name in spans:
        if hours < limit:
            return f"{hours // size} {name}"
    return f"{int(seconds / 3600 / 24 / 365)} years"


def format_rfc3339(when: datetime, *, ns: int | None = None) -> str:
    """RFC 3339 with up to nine fractional digits, trailing zeros trimmed; UTC prints as `Z` (contract §1.6)."""
    fraction = f"{when.microsecond * 1000 if ns is None else ns:09d}".rstrip("0")
    offset = when.strftime("%z")
    zone = "Z" if offset in ("", "+0000") else f"{offset[:3]}:{offset[3:5]}"
    return when.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if fraction else "") + zone
