"""Which keys a running server accepts, and when it stops to (threats T19, T22)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import puna
from puna.keys import EVERY_RIGHT, KeyFile, Keyring, Right

ROOM = Path(puna.__file__).parent


@pytest.fixture
def file(home: Path) -> KeyFile:
    return KeyFile(home / ".puna")


def rights(ring: Keyring, text: str) -> set[Right] | None:
    caller = ring.identify(text.encode())
    return None if caller is None else set(caller.rights)


def test_without_any_key_none_is_needed(file: KeyFile) -> None:
    assert not Keyring(file).needed
    assert Keyring(file, always=True).needed
    assert not Keyring(file, always=True).holds_any


def test_a_created_key_is_its_name_and_its_rights(file: KeyFile) -> None:
    key, text = file.create("laptop", [Right.INFER, Right.READ])
    caller = Keyring(file).identify(text.encode())
    assert caller is not None
    assert (caller.id, caller.name, caller.rights) == (key.id, "laptop", {Right.INFER, Right.READ})


def test_T22_a_companion_of_this_process_comes_in_and_makes_no_key_needed(file: KeyFile) -> None:
    ring = Keyring(file, companion="inside")
    assert not ring.needed
    assert not ring.holds_any
    file.create("laptop", [Right.INFER])
    assert ring.needed
    assert rights(ring, "inside") == EVERY_RIGHT
    assert rights(ring, "outside") is None


def test_T22_what_is_nearly_a_key_is_nobodys(file: KeyFile) -> None:
    key, text = file.create("laptop", [Right.INFER])
    _, other = file.create("phone", [Right.PUSH])
    ring = Keyring(file, "s3cret")
    near = [
        "", key.id, f"puna_{key.id}_", text[:-1], text + "0", text.upper(), f" {text}", f"{text}\n", key.digest.hex(),
        f"puna_{key.id}_{other.rpartition('_')[2]}", f"puna_{'0' * 12}_{text.rpartition('_')[2]}", "s3cre", "s3cret ",
    ]  # fmt: skip
    assert [offered for offered in near if rights(ring, offered) is not None] == []
    assert ring.identify(bytes(range(128, 256))) is None


def test_the_key_of_the_settings_may_do_everything(file: KeyFile) -> None:
    for secret in ("s3cret", "schlüssel", "\udcff"):
        ring = Keyring(file, secret)
        assert ring.needed
        caller = ring.identify(secret.encode(errors="surrogateescape"))
        assert caller is not None
        assert (caller.name, caller.rights) == ("PUNA_API_KEY", EVERY_RIGHT)


def test_T22_a_created_key_in_the_settings_keeps_its_own_rights(file: KeyFile) -> None:
    """A person gives it to the commands; the server on the same machine reads the same variable."""
    key, text = file.create("laptop", [Right.INFER])
    ring = Keyring(file, text)
    assert rights(ring, text) == {Right.INFER}
    file.revoke(key.id)
    assert rights(ring, text) is None
    assert ring.needed
    assert rights(Keyring(file, text), text) is None
    assert Keyring(file, text).needed


def test_T22_keys_come_and_go_while_the_server_runs(file: KeyFile) -> None:
    ring = Keyring(file)
    key, text = file.create("laptop", [Right.INFER])
    assert ring.needed
    assert rights(ring, text) == {Right.INFER}
    file.revoke(key.id)
    assert rights(ring, text) is None


def test_T19_revoking_the_last_key_opens_nothing(file: KeyFile) -> None:
    key, _ = file.create("laptop", [Right.INFER])
    ring = Keyring(file)
    file.revoke(key.id)
    assert ring.needed
    (file.folder / "keys.json").unlink()
    assert ring.needed


def test_T22_a_file_that_cannot_be_read_admits_nobody_until_it_can(
    file: KeyFile, caplog: pytest.LogCaptureFixture
) -> None:
    _, text = file.create("laptop", [Right.INFER])
    ring = Keyring(file, "s3cret")
    path = file.folder / "keys.json"
    good = path.read_bytes()
    path.write_bytes(good[:-10])
    assert rights(ring, text) is None
    assert rights(ring, text) is None
    assert rights(ring, "s3cret") == EVERY_RIGHT
    assert [record.levelname for record in caplog.records] == ["ERROR"]  # said once
    path.write_bytes(good)
    assert rights(ring, text) == {Right.INFER}


def test_T22_a_damaged_file_locks_an_open_server(file: KeyFile) -> None:
    ring = Keyring(file)
    file.folder.mkdir()
    (file.folder / "keys.json").write_text("{")
    assert ring.needed


SECRETS = {"secret", "digest", "offered", "token", "tokens", "bearers", "own", "text", "sha256", "api_key"}
JUDGES = [
    *sorted((ROOM / "keys").glob("*.py")),
    ROOM / "api/callers.py",
    ROOM / "serving/callers.py",
    ROOM / "serving/door.py",
]


def named(node: ast.AST) -> set[str]:
    """The names that occur in an expression, but for what only its length is taken of."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len":
        return set()
    own = {node.id} if isinstance(node, ast.Name) else {node.attr} if isinstance(node, ast.Attribute) else set()
    return own.union(*map(named, ast.iter_child_nodes(node)))


def compared(source: str) -> list[int]:
    """Lines where a secret is compared by an operator; `is` tells nothing about it."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Compare)
        and not all(isinstance(operator, ast.Is | ast.IsNot) for operator in node.ops)
        and SECRETS & {name.strip("_") for side in (node.left, *node.comparators) for name in named(side)}
    ]


@pytest.mark.parametrize("path", JUDGES, ids=lambda path: path.name)
def test_T22_no_secret_is_compared_with_an_operator(path: Path) -> None:
    assert compared(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("digest == other", [1]),
        ("if x != key.digest: pass", [1]),
        ("offered in keys", [1]),
        ("len(digest) != 32", []),
        ("own is None", []),
        ("scheme.lower() == 'bearer'", []),
    ],
)
def test_a_comparison_of_secrets_is_recognised(source: str, found: list[int]) -> None:
    assert compared(source) == found
