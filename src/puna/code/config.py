"""What the operator set, from the settings and the tables of the settings file (contract code-completion §1.5, §1.6).

[code]
window = 4096

[code.models."qwen2.5-coder:1.5b"]
fim = "qwen"

[code.languages.python]
template = "# {code_file_path}{\\n}{code_prefix}"
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from puna.code.types import CodeConfig, Mode
from puna.errors import BadRequest
from puna.settings import Settings

Dialect = Literal["auto", "seed", "ollama"]

MAX_BODY = 1_000_000  # bytes

_TABLES: Mapping[str, frozenset[str]] = {
    "languages": frozenset({"template"}),
    "families": frozenset({"template"}),
    "models": frozenset({"template", "fim"}),
}
_MODES: tuple[Mode, ...] = ("auto", "line", "block", "raw")

Name = TypeVar("Name", bound=str)


@dataclass(frozen=True, slots=True)
class WireConfig:
    """What the operator set about requests and answers as such."""

    dialect: Dialect = "auto"
    max_body: int = MAX_BODY  # bytes


def wire_config(settings: Settings) -> WireConfig:
    """Raises `BadRequest`."""
    dialect: Dialect = _one_of("code_dialect", settings.code_dialect, get_args(Dialect))
    return WireConfig(dialect, settings.code_max_body)


def code_config(settings: Settings, tables: Mapping[str, Any]) -> CodeConfig:
    """`tables` are those in the file's `[code]`. Raises `BadRequest` for a value or a table that makes no sense."""
    entries = {kind: _entries(kind, tables.get(kind, {})) for kind in _TABLES}
    for kind in tables.keys() - _TABLES.keys():
        raise BadRequest(f"[code.{kind}] in the settings file: the tables are {', '.join(_TABLES)}")
    mode: Mode = _one_of("code_mode", settings.code_mode, _MODES)
    return CodeConfig(
        model=settings.code_model,
        template=settings.code_template,
        templates={name: text for kind in _TABLES for name, text in _of_all(entries[kind], "template")},
        families=dict(_of_all(entries["models"], "fim")),
        mode=mode,
        window=settings.code_window,
        max_lines=settings.code_max_lines,
        trim=settings.code_trim,
        rules_off=frozenset(rule.strip().upper() for rule in settings.code_rules_off.split(",") if rule.strip()),
        emulation=settings.code_emulation,
        supersede=settings.code_supersede,
        strict_models=settings.code_strict_models,
        template_strict=settings.code_template_strict,
        parallel=max(1, settings.code_parallel),
        queue=settings.code_queue,
        queue_s=settings.code_queue_ms / 1000,
        deadline_s=settings.code_deadline_ms / 1000,
    )


def _entries(kind: str, table: Mapping[str, Any]) -> Mapping[str, Mapping[str, str]]:
    """The table's entries by name, each with known keys and texts only."""
    for name, entry in table.items():
        place = f'[code.{kind}."{name}"] in the settings file'
        if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
            raise BadRequest(f"{place}: write a table of texts")
        for key in entry.keys() - _TABLES[kind]:
            raise BadRequest(f"{place}: {key} is no key of it; there is {' and '.join(sorted(_TABLES[kind]))}")
    return table


def _of_all(entries: Mapping[str, Mapping[str, str]], key: str) -> Iterator[tuple[str, str]]:
    for name, entry in entries.items():
        if key in entry:
            yield name, entry[key]


def _one_of(setting: str, value: str, choices: tuple[Name, ...]) -> Name:
    for choice in choices:
        if value.lower() == choice:
            return choice
    raise BadRequest(f'setting {setting}: "{value}" is not one of {", ".join(choices)}')
