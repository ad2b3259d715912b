"""The key that says who this installation is."""

from __future__ import annotations

import base64
import os
import stat
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_public_key,
)

from puna.errors import RegistryError
from puna.registry.identity import Identity


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_T05_the_key_is_made_when_it_is_first_needed_and_is_nobody_elses_to_read(tmp_path: Path, umask: int) -> None:
    identity, folder = Identity(tmp_path / ".ollama"), tmp_path / ".ollama"
    assert not folder.exists()
    before = os.umask(umask)
    try:
        line = identity.public_key()
    finally:
        os.umask(before)
    assert sorted(path.name for path in folder.iterdir()) == ["id_ed25519", "id_ed25519.pub"]
    assert mode(folder / "id_ed25519") == 0o600
    assert mode(folder / "id_ed25519.pub") == 0o644
    assert (folder / "id_ed25519").read_text().startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    assert (folder / "id_ed25519.pub").read_text() == f"{line}\n"
    assert line.startswith("ssh-ed25519 ")
    assert len(line.split()) == 2


def test_a_signature_holds_the_public_key_and_verifies(tmp_path: Path) -> None:
    identity = Identity(tmp_path)
    key, _, signature = identity.sign("GET,https://h/token?a=b,xyz").partition(":")
    public = load_ssh_public_key(f"ssh-ed25519 {key}".encode())
    public.verify(base64.b64decode(signature), b"GET,https://h/token?a=b,xyz")  # raises when it is not right
    assert identity.public_key() == f"ssh-ed25519 {key}"


def test_an_existing_key_of_the_reference_is_used_as_it_is(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    (tmp_path / "id_ed25519").write_bytes(text)
    expected = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    assert Identity(tmp_path).public_key() == expected
    assert (tmp_path / "id_ed25519").read_bytes() == text
    assert not (tmp_path / "id_ed25519.pub").exists()


def test_a_key_made_once_stays(tmp_path: Path) -> None:
    assert Identity(tmp_path).public_key() == Identity(tmp_path).public_key()


def test_writers_side_by_side_end_up_with_one_key(tmp_path: Path) -> None:
    lines: set[str] = set()
    threads = [threading.Thread(target=lambda: lines.add(Identity(tmp_path).public_key())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lines == {Identity(tmp_path).public_key()}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["id_ed25519", "id_ed25519.pub"]


def other_keys() -> list[bytes]:
    ed25519 = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    rsa = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return [b"", b"not a key", ed25519[:200], locked(ed25519), rsa]


def locked(key: bytes) -> bytes:
    """The key as a file that says of itself that it has a passphrase."""

    def text(value: bytes) -> bytes:
        return len(value).to_bytes(4, "big") + value

    first, *lines, last = key.splitlines()
    plain = b"openssh-key-v1\0" + text(b"none") + text(b"none") + text(b"")
    cipher = b"openssh-key-v1\0" + text(b"aes256-ctr") + text(b"bcrypt") + text(text(b"s" * 16) + b"\0\0\0\x10")
    data = base64.b64decode(b"".join(lines))
    assert data.startswith(plain)
    return b"\n".join([first, base64.b64encode(cipher + data[len(plain) :]), last, b""])


@pytest.mark.parametrize("text", other_keys(), ids=["empty", "text", "cut", "with a passphrase", "rsa"])
def test_a_key_of_no_use_is_said_to_be_so_and_left_alone(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "id_ed25519").write_bytes(text)
    with pytest.raises(RegistryError, match="not an OpenSSH ed25519 key without a passphrase") as caught:
        Identity(tmp_path).sign("x")
    assert str(tmp_path) not in str(caught.value)
    assert (tmp_path / "id_ed25519").read_bytes() == text


def test_a_folder_that_cannot_be_made_is_one_line_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RegistryError, match="the key id_ed25519 could not be read or made") as caught:
        Identity(tmp_path / "file").public_key()
    assert str(tmp_path) not in str(caught.value)
