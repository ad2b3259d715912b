"""What a server does to the store before it answers: folders, old names, leftovers (contract ollama-store §2.8)."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Collection
from pathlib import Path

from puna.names import Digest
from puna.store.files import reported
from puna.store.layout import SCRATCH_PREFIX, Layout, blob_file_name, dash_form
from puna.store.pruning import GRACE_S, BlobFile, stale_files

log = logging.getLogger(__name__)


def prepare(layout: Layout) -> None:
    """Make the folders and give blobs of very old stores (`sha256:…`) their present names. Raises `StoreError`."""
    with reported("make the model folder, ensure path elements are traversable"):
        for folder in (layout.blobs, layout.manifests):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    with reported("rename old blobs"):
        for path in list(layout.blobs.iterdir()):
            new = dash_form(path.name)
            if new is not None and not (layout.blobs / new).exists():
                path.rename(layout.blobs / new)


def sweep(layout: Layout, needed: Collection[Digest]) -> list[str]:
    """Remove stale blobs, stale temporaries and empty folders; names of the files that went. Raises `StoreError`."""
    now = time.time()
    with reported("prune the store"):
        files = [
            BlobFile(entry.name, entry.stat(follow_symlinks=False).st_mtime)
            for entry in os.scandir(layout.blobs)
            if not entry.is_dir(follow_symlinks=False)
        ]
        stale = stale_files(files, {blob_file_name(digest) for digest in needed}, now)
        for name in stale:
            layout.inside(layout.blobs / name).unlink(missing_ok=True)
        for folder in (layout.manifests, layout.root):
            for path in folder.glob(f"{SCRATCH_PREFIX}*"):
                _remove_scratch(path, now)
        _remove_empty_folders(layout.manifests)
    if stale:
        log.info("pruned %d unused files of the store", len(stale))
    return stale


def _remove_scratch(path: Path, now: float) -> None:
    """Remove a half-written file, or a scratch folder if nothing in it was written within the grace period."""
    is_folder = path.is_dir() and not path.is_symlink()
    parts = [path, *path.rglob("*")] if is_folder else [path]
    if now - max(part.lstat().st_mtime for part in parts) <= GRACE_S:
        return
    if is_folder:
        shutil.rmtree(path)
    else:
        path.unlink()


def _remove_empty_folders(folder: Path) -> None:
    """Remove folders without files below `folder`, which stays; links to folders are left alone. Raises `OSError`."""
    for path in list(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            _remove_empty_folders(path)
            if not any(path.iterdir()):
                path.rmdir()
