"""`puna config show`: every setting as the server would see it, and where its value comes from."""

from __future__ import annotations

from pydantic import AliasChoices, SecretStr

from puna import environment
from puna.cli.tables import table
from puna.settings import DURATIONS, Settings
from puna.units import FOREVER_NS, format_go_duration

HEADER = ("SETTING", "VALUE", "FROM")
HIDDEN = "(hidden)"


def show() -> int:
    settings = Settings()
    print(table(HEADER, [(name, _text(name, value), _origin(name)) for name, value in settings]), end="")
    return 0


def _text(name: str, value: object) -> str:
    """A value as a person would set it; secrets are not shown."""
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, int) and name in DURATIONS:
        return "-1" if value >= FOREVER_NS else format_go_duration(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _origin(name: str) -> str:
    """The environment variable that gave the value, else `file` or `default`."""
    alias = Settings.model_fields[name].validation_alias
    variables = map(str, alias.choices) if isinstance(alias, AliasChoices) else ()
    in_file = name in environment.config() and name != "config"
    return environment.first_set(*variables) or ("file" if in_file else "default")
