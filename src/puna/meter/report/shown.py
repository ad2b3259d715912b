"""Numbers, names and settings as the reports write them. Pure.

Three digits are what a measurement on a busy machine is worth; more would only look exact.
"""

from __future__ import annotations

from puna.meter.formats import plain
from puna.meter.report.schema import Cell, Figure

NONE = "—"
_SMALL = ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms"))  # below, factor, unit


def seconds(value: float) -> str:
    """`412 µs`, `41.2 ms`, `1.24 s`, `124 s`."""
    for limit, factor, unit in _SMALL:
        if abs(value) < limit and value:
            return f"{digits(value * factor)} {unit}"
    return f"{digits(value)} s"


def digits(value: float) -> str:
    """Three significant ones, all before the point are kept: `4.31`, `43.1`, `431`, `4,310`."""
    return f"{value:,.{_places(value)}f}"


def _places(value: float) -> int:
    return 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0


def amount(value: float, unit: str) -> str:
    """With its unit: `41.2 ms`, `84.2 tok/s`, `12 %`."""
    if unit == "s":
        return seconds(value)
    return percent(value) if unit == "ratio" else f"{digits(value)} {unit}"


def percent(value: float) -> str:
    return f"{value * 100:.0f} %"


def change(value: float) -> str:
    """`+12.6 %`, `−3.0 %`; a real minus sign, as a hyphen is easily lost."""
    return f"{value * 100:+.1f} %".replace("-", "−")


def measured(figure: Figure | None) -> tuple[str, str]:
    """Median, and half of the interval of 95 % to the same place: `84.2` and `± 1.1`, `412 ms` and `± 20`."""
    if figure is None:
        return NONE, ""
    text = seconds(figure.median) if figure.unit == "s" else digits(figure.median)
    if figure.ci95 is None:
        return text, ""
    half = (figure.ci95[1] - figure.ci95[0]) / 2
    factor = next((factor for limit, factor, _ in _SMALL if abs(figure.median) < limit), 1) if figure.unit == "s" else 1
    places = _places(figure.median * factor)
    if round(half * factor, places) == 0:
        places = _places(half * factor)
    return text, f"± {half * factor:,.{places}f}"


def tick(value: float) -> str:
    """Seconds on an axis, whose steps are round: `0`, `0.5 s`, `20 ms`."""
    return "0" if value == 0 else f"{value:g} s" if value >= 0.1 else f"{value * 1000:g} ms"


def name(text: str, most: int = 60) -> str:
    """A server's text on one line, shortened in the middle: the tag at the end of a long name matters."""
    text = plain(text)
    if len(text) <= most:
        return text or NONE
    tail = most // 2 - 1
    return f"{text[: most - tail - 1]}…{text[-tail:]}"


def setting(cell: Cell) -> str:
    """What makes a cell different from others of its model: ` @ d4096`, ` ×8`, ` at 0.5/s`, ` batch 8`; else empty."""
    parts = (
        f" @ d{cell.depth}" if cell.depth else "",
        f" ×{cell.concurrency}" if cell.concurrency > 1 else "",
        f" at {cell.rate:g}/s {name(cell.arrival, 20)}" if cell.rate is not None else "",
        f" batch {cell.batch}" if cell.batch > 1 else "",
    )
    return "".join(parts)
