"""The config blob: what a model says about itself in a few words (contract ollama-store §2.5). Bytes in, bytes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from puna.errors import BadRequest
from puna.store.gguf import GgufHeader
from puna.store.gojson import go_json
from puna.units import format_parameter_count


@dataclass(frozen=True, slots=True)
class Config:
    """Fields in the order in which they are written; empty optional ones are left out."""

    model_format: str = ""  # `gguf` or `safetensors`; empty means gguf
    model_family: str = ""
    model_families: tuple[str, ...] = ()
    model_type: str = ""  # the parameter count as text, `8.0B`
    file_type: str = ""  # the quantisation, `Q4_K_M`
    renderer: str = ""
    parser: str = ""
    requires: str = ""  # lowest server version, semver without `v`
    remote_host: str = ""  # set in stubs of hosted models only
    remote_model: str = ""
    capabilities: tuple[str, ...] = ()
    context_length: int = 0
    embedding_length: int = 0
    base_name: str = ""
    draft: Mapping[str, Any] | None = None
    architecture: str = "amd64"
    os: str = "linux"

    @classmethod
    def parse(cls, raw: bytes) -> Config:
        """Read a config blob. Unknown keys and values of a wrong type are ignored; `BadRequest` if it is no object."""
        try:
            document = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise BadRequest("invalid model config: it is not readable JSON") from error
        if not isinstance(document, dict):
            raise BadRequest("invalid model config: it must be a JSON object")
        known = {key: _typed(key, value) for key, value in document.items() if key in _KINDS}
        return cls(**{key: value for key, value in known.items() if value is not None})

    @classmethod
    def from_header(cls, header: GgufHeader) -> Config:
        """The config of a model made from one GGUF file (§2.6)."""
        return cls(
            model_format="gguf",
            model_family=header.architecture,
            model_families=(header.architecture,),
            model_type=format_parameter_count(header.parameter_count),
            file_type=header.file_type,
        )

    def to_bytes(self) -> bytes:
        """The blob as the reference writes it, for hashing and storing."""
        document: dict[str, object] = {}
        for key in _KINDS:
            value = getattr(self, key)
            if value or key in _ALWAYS:
                document[key] = value
        if not self.model_families:
            document["model_families"] = None
        return go_json(document)


_ALWAYS = {"model_format", "model_family", "model_families", "model_type", "file_type", "architecture", "os"}
_LISTS = {"model_families", "capabilities"}
_COUNTS = {"context_length", "embedding_length"}
_KINDS: Mapping[str, type] = {
    key: tuple if key in _LISTS else int if key in _COUNTS else dict if key == "draft" else str
    for key in Config.__dataclass_fields__
}


def _typed(key: str, value: Any) -> Any:
    """`value` as the field's type, None when it has another one."""
    if key in _LISTS:
        return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else None
    if key in _COUNTS:
        return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
    return value if isinstance(value, _KINDS[key]) else None
