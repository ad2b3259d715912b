"""Who this installation is to a registry: an ed25519 key, made when it is first needed (contract ollama-store §3.6).

It is the file that the reference uses (`~/.ollama/id_ed25519`), so an account's registered key goes on working.
"""

from __future__ import annotations

import base64
import logging
import os
import secrets
import threading
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from puna.errors import RegistryError

log = logging.getLogger(__name__)

_NAME = "id_ed25519"


class Identity:
    """The key in `folder`. Methods read and write files; they may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME
        self._lock = threading.Lock()
        self._key: Ed25519PrivateKey | None = None

    def public_key(self) -> str:
        """The line to register with an account: `ssh-ed25519 <base64>`. Raises `RegistryError`."""
        return _authorized_key(self._private_key())

    def sign(self, text: str) -> str:
        """What the `Authorization` header of a token request holds: `<public key>:<signature>`, both base64.

        Raises `RegistryError` when the key can be neither read nor made.
        """
        key = self._private_key()
        signature = base64.b64encode(key.sign(text.encode())).decode()
        return f"{_authorized_key(key).split()[1]}:{signature}"

    def _private_key(self) -> Ed25519PrivateKey:
        with self._lock:
            if self._key is None:
                try:
                    self._key = self._load() if self._path.exists() else self._create()
                except OSError as error:
                    raise RegistryError(f"the key {_NAME} could not be read or made: {error.strerror}") from error
            return self._key

    def _load(self) -> Ed25519PrivateKey:
        try:
            key = load_ssh_private_key(self._path.read_bytes(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it has a passphrase
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise RegistryError(f"the key {_NAME} is not an OpenSSH ed25519 key without a passphrase")
        return key

    def _create(self) -> Ed25519PrivateKey:
        """Written aside and linked into place: who sees the key sees all of it, and the first of two writers wins."""
        log.info("couldn't find %s, generating a new private key", _NAME)
        key = Ed25519PrivateKey.generate()
        self._path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        aside = self._path.with_name(f".{_NAME}-{secrets.token_hex(8)}")
        try:
            _write(aside, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()), 0o600)
            os.link(aside, self._path)
        except FileExistsError:
            return self._load()
        finally:
            aside.unlink(missing_ok=True)
        line = _authorized_key(key)
        public = self._path.with_suffix(".pub")
        public.unlink(missing_ok=True)  # it belonged to a key that is gone
        _write(public, f"{line}\n".encode(), 0o644)
        log.info("your new public key is: %s", line)
        return key


def _authorized_key(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _write(path: Path, data: bytes, mode: int) -> None:
    path.touch(mode, exist_ok=False)
    path.chmod(mode)  # whatever the umask says
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
