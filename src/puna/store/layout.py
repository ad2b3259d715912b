"""Where things lie in the store: the only maker of paths, and it makes them from `ModelName` and `Digest` alone.

Contract ollama-store §2.1; threats T01. Pure except for `inside`, which resolves links.

    <root>/blobs/sha256-<64 hex>                               a complete blob
    <root>/blobs/sha256-<64 hex>-partial                       a download in progress: full length, sparse, 0644
    <root>/blobs/sha256-<64 hex>-partial-<N>                   how far its part N is, as Ollama writes it
    <root>/manifests/<host>/<namespace>/<model>/<tag>          one JSON file per model
    <root>/.puna-verified                                      which blobs were hashed, and what they looked like then
    <root>/.puna-provenance                                    which registry a manifest came from, and when
"""

from __future__ import annotations

import re
from pathlib import Path

from puna.errors import Forbidden
from puna.names import Digest, ModelName

SCRATCH_PREFIX = (
    ".puna-new-"  # a hidden name is no model name, so neither Puna nor Ollama lists a half-written manifest
)

_COLON_BLOB = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_PARTIAL = re.compile(r"(sha256-[0-9a-f]{64}-partial)(?:-\d+)?", re.ASCII)


class Layout:
    """The paths of one store. Nothing here says that a file exists."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = root / "blobs"
        self.manifests = root / "manifests"
        self.verified = root / ".puna-verified"
        self.provenance = root / ".puna-provenance"

    def blob(self, digest: Digest) -> Path:
        return self.blobs / blob_file_name(digest)

    def partial(self, digest: Digest) -> Path:
        return self.blobs / f"{blob_file_name(digest)}-partial"

    def journal(self, digest: Digest, number: int) -> Path:
        return self.blobs / f"{blob_file_name(digest)}-partial-{number}"

    def manifest(self, name: ModelName) -> Path:
        return self.manifests.joinpath(*name.parts)

    def inside(self, path: Path) -> Path:
        """`path`, once its folder with all links resolved lies in the store. Asked before every write and removal.

        The file itself may be a link: reads follow it, a removal takes the link only (§2.9). `blobs` and `manifests`
        may be links too: the resolved folders are the store then. Raises `Forbidden`.
        """
        folder = path.parent.resolve()
        if not any(folder.is_relative_to(home.resolve()) for home in (self.blobs, self.manifests)):
            raise Forbidden("refused: a link leads out of the model store")
        return path


def blob_file_name(digest: Digest) -> str:
    return f"sha256-{digest.hex}"


def dash_form(name: str) -> str | None:
    """The name that an old store's `sha256:<hex>` gets at start; None for every other file name."""
    return name.replace(":", "-", 1) if _COLON_BLOB.fullmatch(name) else None


def partial_unit(name: str) -> str | None:
    """The name of the download that a file belongs to, which is its data file's; None for every other file."""
    found = _PARTIAL.fullmatch(name)
    return found[1] if found else None
