"""No room but the store opens, writes or removes files of the model folder (threats T01).

A static test: every call outside `puna/store` that works on files must be in the list below with its reason, and no room
may make a path below the store's folders itself.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import puna

SOURCE = Path(puna.__file__).parent

ALLOWED = {
    "cli/__init__.py": "the null device, when the reader of our output has gone",
    "cli/chat/editor.py": "the text in the person's own editor",
    "cli/chat/history.py": "the chat's input history in the home folder",
    "cli/commands/create.py": "uploads the files that the person's Modelfile names",
    "cli/media.py": "pictures and sounds that the person names in the chat",
    "cli/meteroptions.py": "the file of prompts that the person names",
    "configfile.py": "the settings file in the home folder",
    "database/database.py": "the database of measurements in the home folder",
    "engine/child.py": "the kernel's switches of the runner's own process",
    "engine/mediachild.py": "a recording that is written anew, in memory",
    "engine/memory.py": "the kernel's memory limits",
    "engine/runner.py": "a runner's socket",
    "engine/sockets.py": "the private folder of the runners' sockets",
    "keys/keyfile.py": "the API keys in the home folder",
    "meter/export.py": "the file that the person wants the figures in",
    "meter/fit/bandwidth.py": "the kernel's figures of the processor's caches",
    "meter/host.py": "the kernel's figures of this machine",
    "meter/report/sides.py": "the earlier results that the person names",
    "modelfile/gather.py": "the Modelfile and what it names, on the person's side",
    "modelfile/weights.py": "a new file beside the blobs, which the store then adopts",
    "registry/identity.py": "the key that registries know this installation by, in the home folder",
}

METHODS = {
    "chmod", "hardlink_to", "mkdir", "open", "read_bytes", "read_text", "rename", "rmdir", "symlink_to", "unlink",
    "write_bytes", "write_text",
}  # fmt: skip
MODULES = {
    "os": METHODS | {"link", "makedirs", "remove", "removedirs", "renames", "replace", "symlink", "truncate", "utime"},
    "shutil": {"copy", "copy2", "copyfile", "copyfileobj", "copytree", "move", "rmtree"},
}
OWN_FOLDERS = {"blobs", "manifests"}


def _sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        if not name.startswith("store/"):
            yield name, ast.parse(path.read_text(encoding="utf-8"))


def _works_on_files(call: ast.Call) -> bool:
    match call.func:
        case ast.Name(id="open"):
            return True
        case ast.Attribute(value=ast.Name(id=module), attr=name) if module in MODULES:
            return name in MODULES[module]
        case ast.Attribute(attr="replace"):  # of a path: one argument; of a text: two
            return len(call.args) == 1 and not call.keywords
        case ast.Attribute(attr=name):
            return name in METHODS and not _is_store_call(call.func)
    return False


def _is_store_call(function: ast.expr) -> bool:
    """`store.open_blob` and its like are the store's own doors."""
    return isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "store"


def test_T01_files_are_touched_only_where_a_reason_is_given() -> None:
    found = {
        name
        for name, tree in _sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _works_on_files(node)
    }
    assert found - ALLOWED.keys() == set(), "let the store do it, or add the module to ALLOWED with its reason"
    assert ALLOWED.keys() - found == set(), "these modules need no exception any more"


def test_T01_no_room_joins_paths_below_the_stores_folders() -> None:
    joined = [
        f"{name}:{node.lineno}"
        for name, tree in _sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Div)
        and isinstance(node.right, ast.Constant)
        and node.right.value in OWN_FOLDERS
    ]
    assert joined == []


def test_T01_the_maker_of_paths_is_the_stores_own() -> None:
    private = {"puna.store.layout", "puna.store.blobs", "puna.store.startup", "puna.store.catalog"}
    imports = [
        f"{name}: {node.module}"
        for name, tree in _sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in private
    ]
    assert imports == []


def test_the_rooms_list_of_public_names_is_true() -> None:
    import puna.store as room

    assert sorted(room.__all__, key=str.casefold) == sorted(set(room.__all__), key=str.casefold)
    assert all(hasattr(room, name) for name in room.__all__)
