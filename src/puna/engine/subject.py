"""The model that a request is about: what is stored, how its prompts are made, what it can do, what a runner loads.

And who asks: every request for a subject is kept apart by its caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from puna.engine.adapters import NamedAdapter, with_named
from puna.engine.requests import ChatRequest, GenerateRequest, InferenceRequest
from puna.engine.types import Weights
from puna.errors import BadRequest
from puna.names import Digest
from puna.prompts import TemplateChoice, ranks
from puna.store import GgufHeader, Model

THINKS_UNASKED = True  # a thinking model thinks unless the request says no (contract ollama-http §4.8)


@dataclass(frozen=True, slots=True)
class Subject:
    asked: str  # the name as the client sent it, for echoes and error texts
    model: Model
    choice: TemplateChoice
    capabilities: tuple[str, ...]
    caller: str = ""  # whose request it is: what a slot or a cache holds is kept apart by it (threats T24)
    named_adapters: tuple[NamedAdapter, ...] = ()  # beside the model's own

    @property
    def held(self) -> tuple[Digest, ...]:
        """The blobs in use while it is asked."""
        models = (self.model, *(named.model for named in self.named_adapters))
        return tuple(digest for model in models for digest in model.manifest.digests)

    @property
    def weights(self) -> Weights:
        """What a runner loads. Raises `BadRequest` as `weights_of`."""
        return weights_of(self.model, self.named_adapters)

    def check_generate(self, request: GenerateRequest) -> None:
        """Refuse by name what the model cannot do, in the reference's order (§3.5). Raises `BadRequest`."""
        self._check_image()
        if request.raw and (request.template or request.system or request.context):
            raise BadRequest("raw mode does not support template, system, or context")
        self._check_think(request)
        self._check_completion("generate")
        self._require("insert", bool(request.suffix))
        self._require("vision", bool(request.images))

    def check_chat(self, request: ChatRequest) -> None:
        self._check_image()
        self._check_think(request)
        self._check_completion("chat")
        self._require("tools", bool(request.tools) and not request.must_call)  # any model can be made to call
        self._require("vision", any(message.images for message in request.messages))

    def check_embed(self) -> None:
        if "rerank" in self.capabilities:  # it would give numbers that look right
            raise BadRequest(f'"{self.asked}" does not support embeddings: it ranks documents, use /api/rerank')

    def check_rerank(self) -> None:
        if "rerank" not in self.capabilities or self.model.weights is None:
            raise BadRequest(f'"{self.asked}" does not support rerank: use a model with that capability')

    def thinks(self, request: InferenceRequest) -> bool | str | None:
        """The `think` in force: None where the model knows nothing of it."""
        if "thinking" not in self.capabilities:
            return None
        return THINKS_UNASKED if request.think is None else request.think

    def _check_image(self) -> None:
        if "image" in self.capabilities:
            raise BadRequest("image generation models are not currently supported")

    def _check_think(self, request: InferenceRequest) -> None:
        if request.think and "thinking" not in self.capabilities:
            raise BadRequest(f'"{self.asked}" does not support thinking')

    def _check_completion(self, verb: str) -> None:
        if "completion" not in self.capabilities or self.model.weights is None:
            raise BadRequest(f'"{self.asked}" does not support {verb}')

    def _require(self, capability: str, wanted: bool) -> None:
        if wanted and capability not in self.capabilities and not ({"vision", "audio"} & {capability} & self._media):
            raise BadRequest(f"{self.model.name.full} does not support {capability}")

    @property
    def _media(self) -> set[str]:
        """Images and audio travel in one field, so either capability lets it through (§4.6)."""
        return {"vision"} if "audio" in self.capabilities else set()


def weights_of(model: Model, named: Sequence[NamedAdapter] = ()) -> Weights:
    """What a runner needs to know to load `model` with the adapters that a request names.

    Raises `BadRequest` for a model without GGUF weights, `FieldRefused` for adapters that do not fit it.
    """
    if model.weights is None or model.weights_digest is None or model.header is None:
        raise BadRequest(f"{model.name.shortest} has no GGUF weights that the engine could load")
    header = model.header
    adapters = with_named(model, named)
    files = (model.weights, *(path for _, path in model.projectors))
    return Weights(
        digest=model.weights_digest,
        path=model.weights,
        size=sum(path.stat().st_size for path in files) + sum(adapter.size for adapter in adapters),
        architecture=header.architecture,
        train_ctx=_number(header, "context_length"),
        kv_bytes_per_token=kv_bytes_per_token(header),
        embedding_only="pooling_type" in _own_keys(header),
        reranker=ranks(header),
        adapters=adapters,
        projectors=tuple(path for _, path in model.projectors),
        draft=model.draft[1] if model.draft else None,
    )


def kv_bytes_per_token(header: GgufHeader) -> int:
    """Bytes of f16 K and V that one token takes over all layers: Σ heads_kv × (key + value length) × 2."""
    layers = _number(header, "block_count")
    heads = _number(header, "attention.head_count") or 1
    heads_kv = _number(header, "attention.head_count_kv") or heads
    head_size = _number(header, "embedding_length") // heads
    key = _number(header, "attention.key_length") or head_size
    value = _number(header, "attention.value_length") or head_size
    return layers * heads_kv * (key + value) * 2


def _number(header: GgufHeader, key: str) -> int:
    value = header.get(key)  # per-layer arrays count as unknown: the caller falls back to the upper bound
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _own_keys(header: GgufHeader) -> Sequence[str]:
    prefix = f"{header.architecture}."
    return [key.removeprefix(prefix) for key in header.kv if key.startswith(prefix)]
