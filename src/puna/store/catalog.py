"""Which models the store holds: manifests found, read and remembered by what their files look like.

A manifest whose file kept its time, size and inode is not opened again, so listing a thousand known models costs a
thousand `stat` calls. Lookups never scan unless the exact path is missing (contract ollama-store §1.3, §2.7).
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path

from puna.errors import BadRequest, InvalidName, NotFound, PunaError, StoreError
from puna.names import ModelName, model_not_found
from puna.store.files import read_file, reported
from puna.store.layout import Layout
from puna.store.manifest import MAX_MANIFEST, Manifest
from puna.store.model import Model, ModelReader

log = logging.getLogger(__name__)

_Look = tuple[int, int, int]  # modification time in ns, size in bytes, inode


@dataclass(frozen=True, slots=True)
class _Known:
    look: _Look
    manifest: Manifest
    model: Model | None = None  # None until asked for


class Catalog:
    """The manifests of one store. Thread-safe: two threads may at worst read the same manifest twice."""

    def __init__(self, layout: Layout, reader: ModelReader) -> None:
        self._layout = layout
        self._reader = reader
        self._known: dict[str, _Known] = {}  # by manifest path
        self._warned: dict[str, _Look] = {}

    def names(self) -> list[ModelName]:
        """The names of all manifests, readable or not, in no particular order. Raises `StoreError`."""
        with reported("list the models"):
            found = [_name(entry.path) for entry in _walk(self._layout.manifests)]
        return [name for name in found if name is not None]

    def resolve(self, name: ModelName) -> ModelName:
        """`name` in the spelling of what is stored (§1.3); unchanged where nothing stored matches.

        The exact name first, then a stored name that differs in case only, then each part by itself.
        """
        with reported("look up a model"):
            if os.path.lexists(self._layout.manifest(name)):
                return name
        stored = sorted(self.names(), key=lambda candidate: candidate.parts)
        wanted = [part.lower() for part in name.parts]
        for candidate in stored:
            if [part.lower() for part in candidate.parts] == wanted:
                return candidate
        spellings = (_spelling(part, [other.parts[at] for other in stored]) for at, part in enumerate(name.parts))
        return ModelName.from_parts(tuple(spellings))

    def manifest(self, name: ModelName) -> Manifest:
        """The manifest of exactly this name. Raises `NotFound`, and `StoreError` when it is damaged."""
        path, look = self._look(name)
        return self._manifest(path, look, name).manifest

    def model(self, name: ModelName) -> Model:
        """The model of exactly this name. Raises `NotFound`, and `StoreError` when it is damaged."""
        path, look = self._look(name)
        return self._model(path, look, name)

    def models(self) -> list[Model]:
        """All readable models, newest first; each damaged one is warned of once (§2.7). Raises `StoreError`."""
        with reported("list the models"):
            entries = _walk(self._layout.manifests)
        for path in self._known.keys() - {entry.path for entry in entries}:
            self._known.pop(path, None)
        models = [model for entry in entries if (model := self._listed(entry)) is not None]
        models.sort(key=lambda model: (-model.modified_at_ns, model.name.parts))
        return models

    def manifests(self, *, strict: bool) -> list[Manifest]:
        """The manifests of all models. A damaged one is left out, or with `strict` raises `StoreError`."""
        found = []
        for name in self.names():
            try:
                found.append(self.manifest(name))
            except NotFound:  # a dangling link, or just deleted
                continue
            except StoreError:
                if strict:
                    raise
        return found

    def _listed(self, entry: os.DirEntry[str]) -> Model | None:
        try:
            look = _look(entry.stat())
        except OSError:  # a dangling link, or just deleted
            return None
        known = self._known.get(entry.path)
        if known is not None and known.model is not None and known.look == look:
            return known.model
        name = _name(entry.path)
        if name is None:
            return None
        try:
            return self._model(entry.path, look, name)
        except PunaError as error:
            if self._warned.get(entry.path) != look:
                self._warned[entry.path] = look
                log.warning("model %s is left out of the list: %s", name, error)
            return None

    def _look(self, name: ModelName) -> tuple[str, _Look]:
        path = self._layout.manifest(name)
        with reported("look up a model", model_not_found(name.shortest)):
            return str(path), _look(path.stat())

    def _manifest(self, path: str, look: _Look, name: ModelName) -> _Known:
        known = self._known.get(path)
        if known is not None and known.look == look:
            return known
        with reported("read a manifest", model_not_found(name.shortest)):
            raw = read_file(Path(path), MAX_MANIFEST)
        try:
            known = _Known(look, Manifest.parse(raw))
        except BadRequest as error:
            raise _damaged(name, error) from error
        self._known[path] = known
        return known

    def _model(self, path: str, look: _Look, name: ModelName) -> Model:
        known = self._manifest(path, look, name)
        if known.model is not None:
            return known.model
        try:
            model = self._reader.read(name, known.manifest, look[0])
        except PunaError as error:
            raise _damaged(name, error) from error
        if model.complete:  # otherwise look again next time: what is missing now may have come by then
            self._known[path] = replace(known, model=model)
        return model


def _walk(folder: Path) -> list[os.DirEntry[str]]:
    """The files four levels down, links followed (§1.3: anything deeper or nearer is no manifest). Raises `OSError`."""
    folders = [str(folder)]
    for _ in range(3):
        folders = [entry.path for parent in folders for entry in _entries(parent)]
    return [entry for parent in folders for entry in _entries(parent) if not entry.is_dir()]


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing in one that vanished or is a file."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _name(path: str) -> ModelName | None:
    """The name that a manifest file's path spells; None for files that are no manifests (§1.3)."""
    try:
        return ModelName.from_parts(Path(path).parts[-4:])
    except InvalidName:
        return None


def _spelling(part: str, stored: list[str]) -> str:
    """`part` itself if it is stored, else the first stored part that differs in case only, else `part`."""
    return part if part in stored else next((other for other in stored if other.lower() == part.lower()), part)


def _look(status: os.stat_result) -> _Look:
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def _damaged(name: ModelName, error: PunaError) -> StoreError:
    return StoreError(f"model '{name}' is damaged, pull or create it again: {error}")
