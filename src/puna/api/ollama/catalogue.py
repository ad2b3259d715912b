"""Stored and running models in Ollama's shapes (contract ollama-http §3.2 to §3.4). Pure functions."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from puna.engine import RunningModel
from puna.modelfile import modelfile_text, parameters_text
from puna.prompts import TemplateChoice
from puna.store import GgufArray, GgufHeader, Model, Provenance
from puna.units import FOREVER_NS, NS, format_rfc3339

Wire = dict[str, Any]

_HIDDEN_KEYS = ("general.name", "tokenizer.chat_template")


def local_rfc3339(ns: int) -> str:
    return format_rfc3339(datetime.fromtimestamp(ns // NS).astimezone(), ns=ns % NS)


def tag(model: Model, capabilities: tuple[str, ...], provenance: Provenance | None) -> Wire:
    """One row of `/api/tags`; `origin` is Puna's own, for pulled models."""
    value: Wire = {
        "name": model.name.shortest,
        "model": model.name.shortest,
        "modified_at": local_rfc3339(model.modified_at_ns),
        "size": model.size,
        "digest": model.digest.hex,
        "details": {**model.details, **model.lengths},
    }
    if model.config.remote_host:
        value["remote_model"] = model.config.remote_model
        value["remote_host"] = model.config.remote_host
    if capabilities:
        value["capabilities"] = capabilities
    if provenance is not None:
        value["origin"] = origin(provenance, model)
    return value


def origin(provenance: Provenance, model: Model) -> Wire:
    """Where a model was pulled from, as what, and when (threats T09)."""
    return {
        "registry": provenance.registry,
        "model": provenance.name.shortest,
        "digest": model.digest.hex,
        "pulled_at": local_rfc3339(provenance.pulled_at * NS),
    }


def row(running: RunningModel) -> Wire:
    """One row of `/api/ps`. Like Ollama's, models that are still loading have one; Puna's says so with `loading`."""
    expires = running.expires_at_ns
    if expires is None:  # Go's largest duration from now, 292 years: clients print it as Forever
        expires = time.time_ns() + FOREVER_NS
    value: Wire = {
        "name": running.name.shortest,
        "model": running.name.shortest,
        "size": running.memory,
        "digest": running.manifest.hex,
        "details": {**running.details, "parent_model": ""},
        "expires_at": local_rfc3339(expires),
        "size_vram": running.memory_gpu,
        "context_length": running.n_ctx,
    }
    return value | {"loading": True} if running.loading else value


def shown(
    model: Model,
    choice: TemplateChoice,
    capabilities: tuple[str, ...],
    *,
    system: str,
    options: Mapping[str, Any],
    verbose: bool,
    context: tuple[int, int] | None,
    provenance: Provenance | None,
    warnings: tuple[str, ...],
) -> Wire:
    """The answer of `/api/show`; empty optional fields are left out.

    Three fields are Puna's own: `runtime`, from `context`, the tokens and slots that the model has here or would get;
    `origin`, from `provenance`; and `warnings`.
    """
    system = system or model.system
    optional = {
        "license": "\n".join(model.licenses),
        "modelfile": modelfile_text(model, system=system, options=options),
        "parameters": parameters_text(model.params),
        "template": choice.text,
        "system": system,
    }
    value: Wire = {key: text for key, text in optional.items() if text}
    value["details"] = model.details
    if model.messages:
        value["messages"] = [{"role": m["role"], "content": m["content"]} for m in model.messages]
    if model.config.remote_host:
        value["remote_model"] = model.config.remote_model
        value["remote_host"] = model.config.remote_host
    value["model_info"] = model_info(model.header, model.weights, verbose=verbose)
    if model.projector_header is not None:
        value["projector_info"] = model_info(model.projector_header, model.projectors[0][1], verbose=verbose)
    if model.header is not None:
        value["tensors"] = [
            {"name": tensor.name, "type": tensor.type, "shape": tensor.shape} for tensor in model.header.tensors
        ]
    if capabilities:
        value["capabilities"] = capabilities
    value["modified_at"] = local_rfc3339(model.modified_at_ns)
    if model.config.requires:
        value["requires"] = model.config.requires
    if context is not None:
        value["runtime"] = {"context_length": context[0], "slots": context[1]}
    if provenance is not None:
        value["origin"] = origin(provenance, model)
    if warnings:
        value["warnings"] = warnings
    return value


def model_info(header: GgufHeader | None, path: Path | None, *, verbose: bool) -> Wire:
    """GGUF metadata as stored; arrays are `null` unless asked for."""
    if header is None or path is None:
        return {}
    info: Wire = {}
    for key in sorted(header.kv):
        if key in _HIDDEN_KEYS:
            continue
        value = header.kv[key]
        info[key] = (header.read_array(path, key) if verbose else None) if isinstance(value, GgufArray) else value
    info["general.parameter_count"] = header.parameter_count
    return info
