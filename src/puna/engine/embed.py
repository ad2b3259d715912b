"""Texts in, vectors out (contract ollama-http §3.7, §3.8).

A completion-only model embeds as well: the mean over its last hidden states. The reference refuses; people ask for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from puna.engine.requests import EmbedRequest
from puna.engine.scheduler import Lease
from puna.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Embedded:
    vectors: list[list[float]]
    prompt_tokens: int
    load_ns: int


async def embed(lease: Lease, request: EmbedRequest) -> Embedded:
    """One vector per input, in order. Raises `BadRequest` for an input that is too long and may not be cut."""
    limit = lease.max_embed_tokens
    inputs = [await _fitting(lease, text, limit, request.truncate) for text in request.inputs]
    found = await lease.driver.embed(inputs, normalize=request.normalize)
    vectors = [_shaped(vector, request) for vector in found.vectors]
    if any(not math.isfinite(number) for vector in vectors for number in vector):
        raise BadRequest("embedding contains NaN or Inf values")
    return Embedded(vectors, found.prompt_tokens, lease.load_ns)


async def _fitting(lease: Lease, text: str, limit: int, truncate: bool) -> str | Sequence[int]:
    """`text`, or its first tokens when it is too long. A token is at least one byte, so a short text needs no count."""
    if text and len(text.encode()) + 2 <= limit:
        return text
    tokens = await lease.driver.tokenize(text, bos=True)
    if len(tokens) <= limit and text:
        return text
    if len(tokens) > limit and not truncate:
        raise BadRequest("the input length exceeds the context length")
    if limit <= lease.runner.props.adds_bos + lease.adds_eos:
        raise BadRequest("input after truncation exceeds maximum context length")
    if not tokens:  # an empty text on a model without a start token: one blank stands for it
        return " "
    head, tail = tokens[:limit], tokens[-1:]
    return [*head[:-1], *tail] if lease.adds_eos and len(tokens) > limit else head


def _shaped(vector: list[float], request: EmbedRequest) -> list[float]:
    if not 0 < request.dimensions < len(vector):
        return vector
    cut = vector[: request.dimensions]
    norm = math.sqrt(math.fsum(number * number for number in cut))
    return [number / norm for number in cut] if norm else cut
