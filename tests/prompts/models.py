"""Stored models for tests of this room: only what a test says, no files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from puna.names import Digest, ModelName
from puna.store import Config, GgufHeader, Manifest, Model

BLOB = (Digest("0" * 64), Path("projector"))


def header(architecture: str = "llama", **kv: Any) -> GgufHeader:
    """Keys are given without the architecture; `__` stands for a dot."""
    named = {f"{architecture}.{key.replace('__', '.')}": value for key, value in kv.items()}
    return GgufHeader(3, "<", architecture, MappingProxyType(named), (), 0)


def model(
    name: str = "m",
    *,
    template: str | None = None,
    jinja: str | None = None,
    system: str = "",
    messages: tuple[Mapping[str, Any], ...] = (),
    weights: GgufHeader | None = None,
    projector: GgufHeader | None = None,
    **config: Any,
) -> Model:
    """Models that differ in anything but their GGUF headers differ in their manifest, as stored ones do."""
    weights = weights or header()
    if jinja is not None:
        weights = GgufHeader(3, "<", weights.architecture, {**weights.kv, "tokenizer.chat_template": jinja}, (), 0)
    told = [name, template, jinja, system, messages, repr(weights), repr(projector), config]
    return Model(
        name=ModelName.parse(name),
        manifest=Manifest(json.dumps(told, default=list).encode(), None, ()),
        modified_at_ns=0,
        config=Config(**config),
        header=weights,
        template=template,
        system=system,
        params={},
        messages=messages,
        licenses=(),
        weights=Path("weights"),
        weights_digest=BLOB[0],
        adapters=(),
        projectors=(BLOB,) if projector else (),
        draft=None,
        projector_header=projector,
    )
