"""The summary that `puna show` and `/show info` print (contract ollama-store §6.4).

Pure: an answer of `/api/show` in, text out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from puna.cli.tables import indented
from puna.cli.wrap import wrap_cell
from puna.units import format_parameter_count

Row = Sequence[str]

CELL = 30  # columns of a cell
ID = 12  # characters of a digest
TEXT_CELL = 100  # columns of a line of the system message or the licence
TEXT_LINES = 2  # of those, the rest is "..."
ARRAY_COLUMNS = 10  # about so much of an array is shown


def summary(answer: Mapping[str, Any], *, verbose: bool = False) -> str:
    """All sections that the model has something for."""
    return "".join(_sections(answer, verbose))


def _sections(answer: Mapping[str, Any], verbose: bool) -> Iterator[str]:
    info = _mapping(answer.get("model_info"))
    yield _section("Model", _model_rows(answer, info))
    if capabilities := answer.get("capabilities"):
        yield _section("Capabilities", ([str(item)] for item in capabilities))
    if projector := _mapping(answer.get("projector_info")):
        yield _section("Projector", _projector_rows(projector))
    if parameters := answer.get("parameters"):
        yield _section("Parameters", filter(None, map(str.split, str(parameters).splitlines())))
    if origin := _mapping(answer.get("origin")):
        yield _section("Origin", _origin_rows(origin))
    if verbose and info:
        yield _section("Metadata", ([key, _value(info[key])] for key in sorted(info)))
    if verbose and (tensors := answer.get("tensors")):
        yield _section("Tensors", map(_tensor_row, tensors))
    for title, key in (("System", "system"), ("License", "license")):
        if text := answer.get(key):
            yield _section(title, ([line] for line in _head(str(text))), TEXT_CELL)
    if warnings := answer.get("warnings"):  # last, where they are seen
        yield _section("Warnings", ([str(item)] for item in warnings), TEXT_CELL)


def _section(title: str, rows: Iterable[Row], limit: int = CELL) -> str:
    return indented(title, (line for row in rows for line in _wrapped(row, limit)))


def _wrapped(row: Row, limit: int) -> Iterator[Row]:
    """One row as the lines that its widest cell needs."""
    columns = [wrap_cell(cell, limit) for cell in row]
    for index in range(max(map(len, columns))):
        yield [column[index] if index < len(column) else "" for column in columns]


def _model_rows(answer: Mapping[str, Any], info: Mapping[str, Any]) -> Iterator[Row]:
    details = _mapping(answer.get("details"))
    if answer.get("remote_host"):
        yield "Remote model", str(answer.get("remote_model", ""))
        yield "Remote URL", str(answer["remote_host"])
    architecture = str(info.get("general.architecture") or details.get("family") or "")
    size = details.get("parameter_size") or _count(info.get("general.parameter_count"))
    if architecture:
        yield "architecture", architecture
    if size:
        yield "parameters", str(size)
    for key in ("context_length", "embedding_length"):
        if length := info.get(f"{architecture}.{key}") or details.get(key):
            yield key.replace("_", " "), str(length)
    yield "quantization", str(details.get("quantization_level", ""))
    if requires := answer.get("requires"):
        yield "requires", str(requires)
    if here := _mapping(answer.get("runtime")):  # Puna's own: what a request gets on this machine
        yield "context here", f"{here.get('context_length')} in {here.get('slots')} slot(s)"


def _origin_rows(origin: Mapping[str, Any]) -> Iterator[Row]:
    """Where the model was pulled from: Puna's own."""
    for key in ("registry", "model", "digest", "pulled_at"):
        if value := str(origin.get(key, "")):
            yield key.replace("_", " "), value[:ID] if key == "digest" else value


def _projector_rows(info: Mapping[str, Any]) -> Iterator[Row]:
    architecture = str(info.get("general.architecture", ""))
    yield "architecture", architecture
    if count := _count(info.get("general.parameter_count")):
        yield "parameters", count
    kind = "vision" if f"{architecture}.vision.embedding_length" in info else "audio"
    for title, key in (("embedding length", "embedding_length"), ("dimensions", "projection_dim")):
        if (value := info.get(f"{architecture}.{kind}.{key}")) is not None:
            yield title, str(value)


def _tensor_row(tensor: Mapping[str, Any]) -> Row:
    shape = " ".join(map(str, tensor.get("shape") or ()))
    return str(tensor.get("name")), str(tensor.get("type")), f"[{shape}]"


def _head(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return [*lines[:TEXT_LINES], "..."] if len(lines) > TEXT_LINES else lines


def _value(value: object) -> str:
    if isinstance(value, list):
        return _array(value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _array(items: Sequence[object]) -> str:
    """The beginning of an array, at least one item, and how many more there are."""
    shown: list[str] = []
    length = 0
    for item in items:
        text = _value(item)
        if shown and length + 1 + len(text) > ARRAY_COLUMNS:
            return f"[{' '.join(shown)} ...+{len(items) - len(shown)} more]"
        shown.append(text)
        length += 1 + len(text)
    return f"[{' '.join(shown)}]"


def _count(value: object) -> str:
    return format_parameter_count(int(value)) if isinstance(value, int | float) and value > 0 else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
