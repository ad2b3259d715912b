"""What of a model decides how much memory it takes and how fast it decodes. Pure: a GGUF header in, bytes out.

Decoding is bound by reading: every token reads all weights that work on it once. Three kinds of tensors are stored and
not read whole: tables of which a token takes one row, experts that were not chosen, and what only images or sound need.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Self

from puna.engine.subject import kv_bytes_per_token
from puna.store import TENSOR_TYPES, GgufHeader, TensorInfo

UNKNOWN = "unknown"

_TYPES = {kind.name: kind for kind in TENSOR_TYPES.values()}
_EMBEDDING, _OUTPUT = "token_embd.weight", "output.weight"
_TABLES = ("position_embd.weight", "token_types.weight")
_EXPERT = re.compile(r"\.ffn_[a-z_]+_exps\.|\.ffn_(?:gate|up|down)\.\d+\.", re.ASCII)  # merged; one tensor for each
_SENSES = ("v.", "a.", "mm.")  # encoders and their projection, where they are in the same file


@dataclass(frozen=True, slots=True)
class Anatomy:
    """Bytes, unless it says otherwise."""

    architecture: str
    quantization: str
    parameters: int  # a count
    active_types: tuple[tuple[str, int], ...]  # those that work on one token, by tensor type
    weights: int  # in memory: all files that are loaded
    read: int  # of them, for one token
    kv_per_token: int  # f16 K and V of one token of context, 0 = unknown
    attention_per_token: int  # multiplications and additions with one token of context, all heads together
    trained_context: int  # tokens, 0 = unknown
    layers: int
    experts: tuple[int, int] | None  # used for a token, stored
    generates: bool  # False: it embeds or ranks

    @classmethod
    def of(cls, header: GgufHeader, size: int) -> Self:
        """`size`: of everything that is loaded, projectors and adapters too; 0 = no more than the tensors."""
        used, stored = (header.get_int(f"expert_{what}count") for what in ("used_", ""))
        experts = (used, stored) if 0 < used < stored else None
        stored_bytes = sum(map(tensor_bytes, header.tensors))
        active: Counter[str] = Counter()
        for tensor, count in _active(header, experts, _elements):
            active[tensor.type] += count
        kv_per_token = kv_bytes_per_token(header)
        heads = header.get_int("attention.head_count") or 1
        shared = heads // (header.get_int("attention.head_count_kv") or heads)  # query heads to one of the cache
        return cls(
            architecture=header.architecture,
            quantization=header.file_type,
            parameters=header.parameter_count,
            active_types=tuple(sorted(active.items())) or ((UNKNOWN, header.parameter_count),),
            weights=size or stored_bytes,
            read=sum(amount for _, amount in _active(header, experts, tensor_bytes)) or size,
            kv_per_token=kv_per_token,
            attention_per_token=kv_per_token // 2 * max(shared, 1),
            trained_context=header.get_int("context_length"),
            layers=header.get_int("block_count"),
            experts=experts,
            generates=header.get("pooling_type") is None,
        )

    @property
    def active_parameters(self) -> int:
        return sum(count for _, count in self.active_types)

    def read_at(self, depth: int) -> int:
        """Bytes read for one token that has `depth` tokens of context before it."""
        return self.read + self.kv_per_token * depth


def tensor_bytes(tensor: TensorInfo) -> int:
    """Of a type that is not known: those of f16."""
    kind = _TYPES.get(tensor.type)
    return _elements(tensor) * kind.size // kind.block if kind else 2 * _elements(tensor)


def _elements(tensor: TensorInfo) -> int:
    return prod(tensor.shape)


def _active(
    header: GgufHeader, experts: tuple[int, int] | None, measure: Callable[[TensorInfo], int]
) -> Iterator[tuple[TensorInfo, int]]:
    """`measure` of what one token uses of each tensor: a row of a table, and its share of the experts."""
    tied = all(tensor.name != _OUTPUT for tensor in header.tensors)  # the embedding is the output matrix, too
    for tensor in header.tensors:
        amount = measure(tensor)
        if tensor.name.startswith(_SENSES):
            continue
        if tensor.name in _TABLES or (tensor.name == _EMBEDDING and not tied):
            amount //= max(tensor.shape[-1], 1)
        elif experts and _EXPERT.search(tensor.name):
            amount = amount * experts[0] // experts[1]
        yield tensor, amount
