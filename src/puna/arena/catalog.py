"""The models of all endpoints with what is known about them (contract arena §2.2, §2.15)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from puna.arena.failures import reason, silent
from puna.arena.metrics import counter
from puna.arena.upstreams import Upstreams
from puna.client import ClientError, OllamaClient

REACH_S = 5.0  # an endpoint that does not answer within is not reached
MOST_ASKED = 4  # questions about models at once, so that an upstream can do its other work
MOST_KNOWN = 1000  # models of which the answer is kept

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a list may not tell, and what does not change as long as the model's digest is the same."""

    capabilities: tuple[str, ...] = ()
    context_length: int | None = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """Both lists as they go on the wire."""

    models: tuple[Json, ...]
    unreachable: tuple[Json, ...]

    def wire(self) -> Json:
        return {"models": list(self.models), "unreachable": list(self.unreachable)}


class Catalogs:
    """Asks all endpoints at once. What it learnt about a model it does not ask again."""

    def __init__(self, upstreams: Upstreams) -> None:
        self._upstreams = upstreams
        self._facts: dict[tuple[str, str], Facts] = {}  # by endpoint and digest
        self._places = asyncio.Semaphore(MOST_ASKED)

    async def now(self) -> Catalog:
        """In the order of the endpoints and of their lists. An endpoint that fails is told, and hinders no other."""
        names = self._upstreams.names
        found = await asyncio.gather(*map(self._listed, names))
        return Catalog(
            models=tuple(model for models in found if not isinstance(models, str) for model in models),
            unreachable=tuple(
                {"endpoint": name, "url": self._upstreams.client(name).endpoint.url, "error": error}
                for name, error in zip(names, found, strict=True)
                if isinstance(error, str)
            ),
        )

    async def _listed(self, name: str) -> list[Json] | str:
        """The endpoint's models, or why there are none."""
        client = self._upstreams.client(name)
        try:
            async with asyncio.timeout(REACH_S):
                tags, loaded = await asyncio.gather(client.tags(), client.ps())
        except ClientError as error:
            return reason(error)
        except TimeoutError:
            return silent(REACH_S)
        named = [model for model in tags if _text(model.get("name"))]
        facts = await asyncio.gather(*(self._known(name, client, model) for model in named))
        shares = {str(model.get("name")): _share(model) for model in loaded}
        return [
            _entry(name, model, known, shares.get(model["name"])) for model, known in zip(named, facts, strict=True)
        ]

    async def _known(self, name: str, client: OllamaClient, model: Json) -> Facts:
        """From the list where it tells, as Puna's does, else from the model's own page; nothing if that fails, too."""
        told = Facts(_texts(model.get("capabilities")), counter(_details(model), "context_length"))
        if told.capabilities and told.context_length:
            return told
        key = (name, _text(model.get("digest")) or model["name"])
        if (found := self._facts.get(key)) is not None:
            return found
        try:
            async with self._places, asyncio.timeout(REACH_S):
                shown = await client.show(model["name"])
        except (ClientError, TimeoutError):
            return told
        if len(self._facts) >= MOST_KNOWN:
            self._facts.clear()
        found = self._facts[key] = Facts(_texts(shown.get("capabilities")), _context_length(shown))
        return found


def _entry(endpoint: str, model: Json, facts: Facts, loaded: float | None) -> Json:
    details = _details(model)
    return {
        "name": model["name"],
        "endpoint": endpoint,
        "size": counter(model, "size"),
        "family": _text(details.get("family")),
        "parameter_size": _text(details.get("parameter_size")),
        "quantization": _text(details.get("quantization_level")),
        "context_length": facts.context_length,
        "capabilities": list(facts.capabilities),
        "digest": _text(model.get("digest")),
        "modified_at": _text(model.get("modified_at")),
        "loaded": loaded,
    }


def _share(model: Json) -> float:
    """How much of a loaded model is on an accelerator: 0 to 1."""
    size, on_device = counter(model, "size"), counter(model, "size_vram")
    return round(min(1.0, on_device / size), 3) if size and on_device else 0.0


def _context_length(shown: Json) -> int | None:
    """The model's own, whatever its architecture is called."""
    info = shown.get("model_info")
    if not isinstance(info, dict):
        return None
    return next((counter(info, key) for key in info if key.endswith(".context_length")), None)


def _details(model: Json) -> Mapping[str, Any]:
    details = model.get("details")
    return details if isinstance(details, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(filter(None, map(_text, value))) if isinstance(value, list) else ()
