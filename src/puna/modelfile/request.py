"""What `create` is asked, and the checks that need no disk (contract ollama-store §4.1, §4.2). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from puna.errors import BadRequest
from puna.modelfile.parser import ROLES, semantic_version
from puna.modelfile.quantize import normalise_type
from puna.names import Digest, ModelName
from puna.prompts.gotemplate import GoTemplate

_DRIVE = re.compile(r"[A-Za-z]:")
_MESSAGE_KEYS = ("role", "content", "thinking", "images", "tool_calls", "tool_name", "tool_call_id")
_INFO_TEXTS = ("model_family", "base_name", "quantization_level", "parameter_size")
_INFO_COUNTS = ("context_length", "embedding_length")


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRequest:
    """One create, as the caller wrote it. `""` and empty containers stand for fields that were not given."""

    target: ModelName
    base: str = ""  # `from`: a stored model's name; wins over `files`
    files: Mapping[str, str] = field(default_factory=dict)  # file name → digest of an uploaded blob
    adapters: Mapping[str, str] = field(default_factory=dict)
    draft_files: Mapping[str, str] = field(default_factory=dict)
    draft_quantize: str = ""
    template: str = ""  # Go template
    system: str = ""
    licenses: tuple[str, ...] = ()
    parameters: Mapping[str, object] = field(default_factory=dict)
    messages: Sequence[Mapping[str, Any]] = ()
    quantize: str = ""
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    remote_host: str = ""
    info: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The checked parts of a request whose wire form is not their type."""

    files: Mapping[str, Digest]
    adapters: Mapping[str, Digest]
    draft_files: Mapping[str, Digest]
    quantize: str  # canonical type or ""
    draft_quantize: str
    requires: str  # a semantic version without `v`
    messages: tuple[Mapping[str, Any], ...]
    overrides: Mapping[str, Any]  # fields of the config blob that `info` sets


def check_request(request: CreateRequest) -> Checked:
    """Everything that can be refused before the first status line. Raises `BadRequest`, `PunaError` for a bad type."""
    checked = Checked(
        files=_digests(request.files),
        adapters=_digests(request.adapters),
        draft_files=_digests(request.draft_files),
        quantize=normalise_type(request.quantize) if request.quantize else "",
        draft_quantize=normalise_type(request.draft_quantize) if request.draft_quantize else "",
        requires=semantic_version(request.requires),
        messages=tuple(map(_message, request.messages)),
        overrides=_overrides(request.info),
    )
    if request.remote_host:
        raise BadRequest("bad remote: models of other hosts are not supported, leave out 'remote_host'")
    if checked.draft_quantize and not checked.draft_files:
        raise BadRequest("--draft-quantize requires a DRAFT model")
    if not (request.base or checked.files):
        raise BadRequest("neither 'from' or 'files' was specified")
    if len(checked.adapters) > 1:
        raise BadRequest("only one adapter is currently supported")
    if len(checked.draft_files) > 1:
        raise BadRequest("only one draft model is currently supported")
    if request.template:
        GoTemplate.parse(request.template)
    return checked


def _digests(files: Mapping[str, str]) -> dict[str, Digest]:
    for name in files:
        _check_file_name(name)
    return {name: Digest.parse_lenient(digest) for name, digest in files.items()}


def _check_file_name(name: str) -> None:
    """Names only sort files into kinds and are never used as paths; hostile ones are refused all the same (T02)."""
    elements = name.split("/")
    if "\0" in name or "\\" in name or _DRIVE.match(name) or not {"", ".", ".."}.isdisjoint(elements):
        raise BadRequest("file path must be relative")


def _message(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """A preset message with the known keys, in the order in which the reference writes them."""
    if message.get("role") not in ROLES:
        raise BadRequest('message role must be one of "system", "user", or "assistant"')
    if not isinstance(message.get("content", ""), str):
        raise BadRequest("message content must be a string")
    known = {key: message[key] for key in _MESSAGE_KEYS if message.get(key)}
    return {"role": message["role"], "content": "", **known}


def _overrides(info: Mapping[str, object]) -> dict[str, Any]:
    """`info` under the names of the config blob; unknown keys are ignored."""
    result: dict[str, Any] = {}
    for key, value in info.items():
        if key in _INFO_TEXTS:
            if not isinstance(value, str):
                raise BadRequest(f'info field "{key}" must be a string')
            result[_CONFIG_NAMES.get(key, key)] = value
        elif key in _INFO_COUNTS:
            result[key] = _count(key, value)
        elif key == "capabilities":
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise BadRequest('info field "capabilities" must be a list of strings')
            result[key] = tuple(value)
    return result


_CONFIG_NAMES = {"quantization_level": "file_type", "parameter_size": "model_type"}


def _count(key: str, value: object) -> int:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise BadRequest(f'info field "{key}" must be a number')
    if not 0 <= value < 2**63 or value != int(value):
        raise BadRequest(f'info field "{key}" must be a non-negative integer')
    return int(value)
