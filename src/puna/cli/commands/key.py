"""`puna key`: make, list and revoke the keys of `puna.keys`. A running server notices by itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from puna import environment
from puna.cli.tables import table
from puna.cli.terminal import note, printable
from puna.keys import Key, KeyFile, Right, checked_rights

HEADER = ("ID", "NAME", "RIGHTS", "CREATED")


def create(name: str, rights: Sequence[str]) -> int:
    """Print the new key on stdout and nothing else there, so that a script can take it."""
    file = _file()
    key, text = file.create(name, checked_rights(rights))
    print(text)
    note(f"{key.name} may {_rights(key)}. This is the only time that the key is shown.")
    if len(file.load()) == 1:
        note("From now on the server wants a key from everyone, on this machine too: commands send PUNA_API_KEY.")
    return 0


def list_keys() -> int:
    rows = [(key.id, key.name, _rights(key), f"{key.created.astimezone():%Y-%m-%d %H:%M}") for key in _file().load()]
    print(table(HEADER, rows), end="")
    return 0


def revoke(key_id: str) -> int:
    key = _file().revoke(key_id)
    print(printable(f"revoked '{key.name}' ({key.id})"))
    return 0


def _file() -> KeyFile:
    folder = Path(environment.knob("KEYS", ollama=False) or environment.KEYS)
    return KeyFile(environment.at_home(folder).absolute())


def _rights(key: Key) -> str:
    return ", ".join(right for right in Right if right in key.rights)
