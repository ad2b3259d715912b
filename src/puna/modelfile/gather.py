"""From a Modelfile to what `create` needs: which files to bring, which fields to send (contract ollama-store §4.3).

Paths are read relative to the Modelfile's folder. Without a folder no path is looked at: `FROM` is a name then, and a
name that happens to be a path gets the answer of every other bad name (threats T03).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from puna.errors import BadRequest
from puna.modelfile.parameters import ParameterValue, parse_parameters
from puna.modelfile.parser import MAX_BYTES, Modelfile, PresetMessage, parse_modelfile
from puna.modelfile.request import CreateRequest
from puna.modelfile.weights import FOREIGN_FORMAT
from puna.names import ModelName
from puna.store import Store

_FOREIGN_PATTERNS = ("model*.safetensors", "*/model*.safetensors", "consolidated*", "pytorch_model*.bin", "*.bin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """A Modelfile with its files found. Keys of the mappings are the file names that `create` is told."""

    base: str = ""
    files: Mapping[str, Path] = field(default_factory=dict)
    adapters: Mapping[str, Path] = field(default_factory=dict)
    draft_files: Mapping[str, Path] = field(default_factory=dict)
    template: str = ""
    system: str = ""
    licenses: tuple[str, ...] = ()
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    messages: tuple[PresetMessage, ...] = ()
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    warnings: tuple[str, ...] = ()  # for the person who wrote the Modelfile

    def body(self) -> dict[str, object]:
        """The fields of a `POST /api/create` body that need no upload; add `model`, `files` and their kin."""
        texts = {
            "from": self.base,
            "template": self.template,
            "system": self.system,
            "license": list(self.licenses),
            "parameters": dict(self.parameters),
            "messages": [{"role": item.role, "content": item.content} for item in self.messages],
            "renderer": self.renderer,
            "parser": self.parser,
            "requires": self.requires,
        }
        return {key: value for key, value in texts.items() if value}


def read_modelfile(path: Path, limit: int = MAX_BYTES) -> bytes:
    """The bytes of a regular file of at most `limit` bytes; a FIFO or a device is refused at once.

    Raises `BadRequest`, `OSError`.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise BadRequest("the Modelfile is not a regular file")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise BadRequest(f"the Modelfile is larger than {limit} bytes")
    return data


def gather(modelfile: Modelfile, folder: Path | None) -> Gathered:
    """Find the files that a Modelfile in `folder` names. Raises `BadRequest`, never waits on what it finds.

    A `FROM` is a path if something is there, else a model name; the last name wins, files add up.
    """
    base, files = "", dict[str, Path]()
    for source in modelfile.sources:
        place = _existing(source, folder)
        if place is None:
            base = source
        else:
            _add(files, _model_files(place))
    if modelfile.draft and _existing(modelfile.draft, folder) in set(files.values()):
        raise BadRequest("DRAFT must be another file than FROM")
    parameters = parse_parameters(modelfile.parameters)
    return Gathered(
        base=base,
        files=files,
        adapters=_named("ADAPTER", modelfile.adapter, folder),
        draft_files=_named("DRAFT", modelfile.draft, folder),
        template=modelfile.template,
        system=modelfile.system,
        licenses=modelfile.licenses,
        parameters=parameters.values,
        messages=modelfile.messages,
        renderer=modelfile.renderer,
        parser=modelfile.parser,
        requires=modelfile.requires,
        warnings=parameters.warnings,
    )


def request_from_modelfile(target: ModelName, text: str) -> CreateRequest:
    """A create request from the text of a Modelfile that may name stored models only. Raises `BadRequest`."""
    return _request(target, gather(parse_modelfile(text), None), {})


def request_from_path(store: Store, target: ModelName, path: Path, *, limit: int = MAX_BYTES) -> CreateRequest:
    """A create request from a Modelfile on this machine; the files it names are taken into the store.

    For callers who may read this machine's files. Blocks on the disk. Raises `BadRequest`, `StoreError`, `OSError`.
    """
    found = gather(parse_modelfile(read_modelfile(path, limit)), path.parent)
    places = {*found.files.values(), *found.adapters.values(), *found.draft_files.values()}
    return _request(target, found, {place: str(store.adopt(place)[0]) for place in places})


def _request(target: ModelName, found: Gathered, digests: Mapping[Path, str]) -> CreateRequest:
    def named(files: Mapping[str, Path]) -> dict[str, str]:
        return {name: digests[path] for name, path in files.items()}

    return CreateRequest(
        target=target,
        base=found.base,
        files=named(found.files),
        adapters=named(found.adapters),
        draft_files=named(found.draft_files),
        template=found.template,
        system=found.system,
        licenses=found.licenses,
        parameters=found.parameters,
        messages=tuple({"role": item.role, "content": item.content} for item in found.messages),
        renderer=found.renderer,
        parser=found.parser,
        requires=found.requires,
    )


def _existing(value: str, folder: Path | None) -> Path | None:
    """What `value` names on this machine, `~` and `~user` understood; None where there is nothing."""
    if folder is None:
        return None
    try:
        path = folder / Path(value).expanduser()
        path.stat()
    except (OSError, ValueError, RuntimeError):  # nothing there, no possible path, no such user
        return None
    return path


def _named(instruction: str, value: str, folder: Path | None) -> dict[str, Path]:
    """The files of ADAPTER or DRAFT, which must exist."""
    if not value:
        return {}
    if folder is None:
        raise BadRequest(f"{instruction} needs a file: upload it and name its digest in the request")
    place = _existing(value, folder)
    if place is None:
        raise BadRequest(f"{instruction} {value}: no such file")
    return _model_files(place)


def _model_files(place: Path) -> dict[str, Path]:
    if place.is_dir():
        return _folder_files(place)
    if not place.is_file():
        raise BadRequest(f"{place.name} is not a regular file")
    return {place.name: place}


def _folder_files(folder: Path) -> dict[str, Path]:
    """The GGUF files of a folder, hidden ones left out. Links must not lead out of it."""
    found = [path for path in sorted(folder.glob("*.gguf")) if not path.name.startswith(".")]
    if not found:
        if any(True for pattern in _FOREIGN_PATTERNS for _ in folder.glob(pattern)):
            raise BadRequest(FOREIGN_FORMAT)
        raise BadRequest("no Modelfile or safetensors files found")
    home = folder.resolve()
    for path in found:
        target = path.resolve()
        if not target.is_relative_to(home):
            hint = ", use --local-dir if downloading from huggingface-cli" if ".cache" in target.parts else ""
            raise BadRequest(f"insecure path: {path.name}{hint}")
        if not target.is_file():
            raise BadRequest(f"{path.name} is not a regular file")
    return {path.name: path for path in found}


def _add(files: dict[str, Path], more: Mapping[str, Path]) -> None:
    for name, path in more.items():
        if files.setdefault(name, path) != path:
            raise BadRequest(f"two files are named {name}: rename one of them")
