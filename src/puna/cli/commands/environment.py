"""The `Environment Variables:` block of the help, generated from the settings so that it cannot drift."""

from __future__ import annotations

from pydantic import AliasChoices

from puna.settings import Settings


def environment_rows() -> list[tuple[str, str]]:
    """Variable and description of every setting, in the order of the class; Ollama's name where it has the same one."""
    rows = []
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        variables = [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [name]
        also = f" (also {', '.join(variables[1:])})" if variables[1:] else ""
        rows.append((variables[0], f"{field.description or ''}{also}"))
    return rows
