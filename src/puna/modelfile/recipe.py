"""What a new model says about itself: its texts and its config, from the request, the base and the weights. Pure.

Contract ollama-store §2.5, §4.2; the bytes are those that the reference writes, so equal models have equal digests.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from puna.modelfile.request import Checked, CreateRequest
from puna.store import Config, GgufHeader, MediaType, Model, go_json


class _Defaults(NamedTuple):
    """What the reference gives weights of an architecture unless the request says otherwise."""

    renderer: str = ""
    parser: str = ""
    stop: tuple[str, ...] = ()


_DEFAULTS = {  # by the beginning of the architecture's name
    "gemma4": _Defaults("gemma4", "gemma4", ("<turn|>",)),
    "laguna": _Defaults("laguna", "laguna"),
    "nemotron_h": _Defaults("nemotron-3-nano", "nemotron-3-nano"),
}


def text_blobs(
    request: CreateRequest, checked: Checked, base: Model | None, header: GgufHeader | None
) -> list[tuple[MediaType, bytes]]:
    """The text layers that the request makes new, in the manifest's order. Raises `BadRequest` for odd numbers."""
    texts = [
        (MediaType.TEMPLATE, request.template),
        (MediaType.SYSTEM, request.system),
        *((MediaType.LICENSE, text) for text in request.licenses),
    ]
    blobs = [(kind, text.encode(errors="replace")) for kind, text in texts if text]
    if parameters := _parameters(request, base, header):
        blobs.append((MediaType.PARAMS, go_json(parameters)))
    if checked.messages:
        blobs.append((MediaType.MESSAGES, go_json(checked.messages)))
    return blobs


def config_of(request: CreateRequest, checked: Checked, base: Model | None, header: GgufHeader | None) -> Config:
    """The config blob: about the weights from their header, about their use from the request, else from the base."""
    inherited = base.config if base else Config()
    defaults = _defaults(base, header)
    config = replace(
        Config.from_header(header) if header else inherited,
        renderer=request.renderer or inherited.renderer or defaults.renderer,
        parser=request.parser or inherited.parser or defaults.parser,
        requires=checked.requires or inherited.requires,
        capabilities=inherited.capabilities,
    )
    return replace(config, **checked.overrides)


def _parameters(request: CreateRequest, base: Model | None, header: GgufHeader | None) -> dict[str, object]:
    """Merged key by key and sorted; empty when the request brings nothing new."""
    new = dict(request.parameters)
    if stop := _defaults(base, header).stop:
        new.setdefault("stop", list(stop))
    merged = {**(base.params if base else {}), **new} if new else {}
    return {key: merged[key] for key in sorted(merged)}


def _defaults(base: Model | None, header: GgufHeader | None) -> _Defaults:
    """A base has its own already."""
    if base is not None or header is None:
        return _Defaults()
    found = (defaults for prefix, defaults in _DEFAULTS.items() if header.architecture.startswith(prefix))
    return next(found, _Defaults())
