"""From the text that a client sends to a stored model, with each route's words for a bad or an absent name (§1.5)."""

from __future__ import annotations

from dataclasses import replace

from puna.errors import BadRequest, Forbidden, InvalidName, NotFound
from puna.names import ModelName, Source, split_source
from puna.store import Model, Store


def parse_lookup(text: str, *, cloud: str = "remote model is unavailable") -> ModelName:
    """A name to look up: blanks trimmed, `:local` taken off. Raises `BadRequest`, `Forbidden` for a hosted model."""
    base, source = split_source(text)
    if source is Source.CLOUD:
        raise Forbidden(f"ollama cloud is disabled: {cloud}")
    return ModelName.parse(base)


def parse_reference(text: str, *, invalid: str = "invalid model name") -> ModelName:
    """A name to pull, check or delete: `:local` taken off; a hosted model means its stub here (ollama-store §1.4).

    Raises `InvalidName` with the route's words, `BadRequest` for two suffixes.
    """
    if not text.strip():
        raise InvalidName(invalid)
    base, source = split_source(text)
    try:
        name = ModelName.parse(base)
        if source is not Source.CLOUD:
            return name
        tagged = base.rfind(":") > base.rfind("/")
        return replace(name, tag=f"{name.tag}-cloud" if tagged else "cloud")
    except InvalidName:
        raise InvalidName(invalid) from None


def find_model(store: Store, text: str, *, empty: str | None = None, absent: str | None = None) -> Model:
    """The stored model that `text` names.

    `empty` is the 400 of a route that wants a name (None: the 404 of an absent one); `absent` the route's own 404 text.
    Raises `BadRequest`, `NotFound`, `Forbidden`.
    """
    if not text.strip() and empty is None:
        raise NotFound(f"model '{text}' not found")
    if not text.strip():
        raise BadRequest(empty or "")
    name = parse_lookup(text)
    try:
        return store.model(store.resolve(name))
    except NotFound:
        raise NotFound(absent or f"model '{text}' not found") from None
