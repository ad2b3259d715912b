"""What a model can do, found in its metadata and its template (contract ollama-store §5.7, ollama-http §3.4)."""

from __future__ import annotations

from collections.abc import Iterator

from puna.errors import BadRequest
from puna.names import Digest
from puna.prompts.choice import TemplateChoice, go_capabilities, has_own_format, jinja_capabilities
from puna.prompts.gotemplate import GoTemplate
from puna.store import GgufHeader, Model

_THINKING_FAMILIES = ("gptoss", "gpt-oss")
_MAX_LISTED = 4096
_RANK = 4  # llama.cpp's number for this kind of pooling

_listed: dict[Digest, tuple[str, ...]] = {}  # by manifest: a list of a thousand models must not read their templates


def capabilities(model: Model, choice: TemplateChoice) -> tuple[str, ...]:
    """What `/api/show` tells and requests are checked against: only the chosen template counts."""
    go = choice.go if choice.kind == "go" else None
    return _ordered(model, go, choice.text if choice.kind == "jinja" else None)


def list_capabilities(model: Model) -> tuple[str, ...]:
    """What lists tell: only the Go layer counts, and the Jinja template where it stands for a built-in parser.

    Never raises: a template that cannot be read can do nothing. Kept by the manifest's digest once all parts are here.
    """
    known = _listed.get(model.digest)
    if known is not None:
        return known
    found = _ordered(model, _readable(model.template), model.jinja_template if has_own_format(model) else None)
    if model.complete:
        if len(_listed) >= _MAX_LISTED:
            _listed.clear()
        _listed[model.digest] = found
    return found


def ranks(header: GgufHeader) -> bool:
    """Whether the weights are a cross-encoder. Without a classifier head there is no score, only a vector."""
    return header.get("pooling_type") == _RANK and any(tensor.name.startswith("cls.") for tensor in header.tensors)


def _readable(template: str | None) -> GoTemplate | None:
    try:
        return None if template is None else GoTemplate.parse(template)
    except BadRequest:
        return None


def _ordered(model: Model, go: GoTemplate | None, jinja: str | None) -> tuple[str, ...]:
    """Each capability once, in the order in which the reference comes upon them."""
    found = [*model.config.capabilities]
    found += jinja_capabilities(jinja) if jinja is not None else ()
    found += _of_weights(model.header)
    found += _of_projector(model)
    found += go_capabilities(go) if go is not None else ()
    if model.config.model_family in _THINKING_FAMILIES:
        found.append("thinking")
    return tuple(dict.fromkeys(found))


def _of_weights(header: GgufHeader | None) -> Iterator[str]:
    keys = {"pooling_type", "vision.block_count", "audio.block_count"}
    present = {key for key in keys if header is not None and header.get(key) is not None}
    if header is not None and ranks(header):
        yield "rerank"
    else:
        yield "embedding" if "pooling_type" in present else "completion"
    if "vision.block_count" in present:
        yield "vision"
    if "audio.block_count" in present:
        yield "audio"


def _of_projector(model: Model) -> Iterator[str]:
    if model.projectors:
        yield "vision"
    header = model.projector_header
    if header is None or header.get("has_audio_encoder") is not True:
        return
    if header.get("vision.projector_type") != "gemma3nv":  # its projector announces an encoder that it does not have
        yield "audio"
