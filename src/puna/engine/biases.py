"""`logit_bias`: what a request adds to the logits of single tokens, within bounds (threats T18).

Ids are the model's own: whether they are in its vocabulary can only be told when it is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from puna.errors import FieldRefused

MAX_BIASES = 1024
MAX_BIAS = 100.0  # either way; at the ends a token is forbidden or the only one

Biases = tuple[tuple[int, float], ...]


def read_biases(biases: Mapping[int, float]) -> Biases:
    """Token ids and biases as the engine takes them. Raises `FieldRefused` that names the limit which is passed."""
    if len(biases) > MAX_BIASES:
        raise _refused(f"takes at most {MAX_BIASES} tokens")
    for token, bias in biases.items():
        if isinstance(token, bool) or not isinstance(token, int):
            raise _refused("maps token ids, which are whole numbers, to biases")
        if isinstance(bias, bool) or not isinstance(bias, int | float) or not abs(bias) <= MAX_BIAS:  # NaN as well
            raise _refused(f"takes biases between {-MAX_BIAS:g} and {MAX_BIAS:g}")
    return tuple((token, float(bias)) for token, bias in biases.items())


def check_biases(biases: Biases, n_vocab: int) -> None:
    """Raises `FieldRefused` for a token that the model does not have."""
    if (strange := stranger((token for token, _ in biases), n_vocab)) is not None:
        raise _refused(f"names token {strange}, but the model has the tokens 0 to {n_vocab - 1}")


def check_tokens(tokens: Sequence[int], n_vocab: int, field: str = "tokens") -> None:
    """As `check_biases`, for the tokens of a text, which were in `field`."""
    if (strange := stranger(tokens, n_vocab)) is not None:
        raise FieldRefused(f"{field}: {strange} is none of the model's tokens 0 to {n_vocab - 1}", field)


def stranger(tokens: Iterable[int], n_vocab: int) -> int | None:
    """The first of `tokens` that is not in a vocabulary of `n_vocab`."""
    return next((token for token in tokens if not 0 <= token < n_vocab), None)


def _refused(what: str) -> FieldRefused:
    return FieldRefused(f"logit_bias {what}", "logit_bias")
