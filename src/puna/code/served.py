"""Which upstream model answers, and how it fills in the middle: contract code-completion §1.3 `model`, §2.4.

What `/api/show` says is looked at once per model digest, the probe (D6) included. Lists of models are kept for a few
seconds, so that a keystroke costs one upstream request and not three.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from puna.client import ClientError, OllamaClient
from puna.code.failures import UnknownModel, UpstreamFailed
from puna.code.probe import GAPS, MAX_TOKENS, NEEDED, Gap
from puna.code.types import CodeConfig
from puna.code.upstream import DEFAULTS, Ask, Upstream, translated
from puna.prompts.fim import Detection, Family, FimParts, Vocabulary, can_chat, can_insert, candidates, render

Json = dict[str, Any]

DEFAULT_NAMES = ("", "default")
LIST_KEPT_S = 10.0
_HEAVY = ("tokenizer.ggml.tokens", "tokenizer.ggml.token_type", "tokenizer.ggml.merges", "tokenizer.ggml.scores")
"""Megabytes of `/api/show` that are of no use once the vocabulary was read."""


@dataclass(frozen=True, slots=True)
class Served:
    """An upstream model and what is known about it."""

    name: str  # as the upstream lists it
    entry: Mapping[str, Any]  # of `/api/tags`
    show: Mapping[str, Any]  # of `/api/show`, without the vocabulary
    detection: Detection
    vocabulary: Vocabulary | None = None
    splits_lines: bool = False  # the cursor's line may stand behind the middle marker (§4.2)
    score: int | None = None  # gaps filled in the probe; None = not probed
    inserts_itself: bool = False  # its template at the upstream does it, in a way that we cannot read (§1.13)

    @property
    def digest(self) -> str:
        return str(self.entry.get("digest", ""))

    @property
    def family(self) -> Family | None:
        return self.detection.family

    @property
    def fills_in_the_middle(self) -> bool:
        return self.family is not None or bool(self.detection.template) or self.inserts_itself

    @property
    def chats(self) -> bool:
        return can_chat(self.show)

    @property
    def context_length(self) -> int:
        """The most tokens that the model was made for; 0 = it does not say."""
        info = self.show.get("model_info")
        lengths = [n for key, n in info.items() if key.endswith(".context_length")] if isinstance(info, Mapping) else []
        return next((n for n in lengths if isinstance(n, int)), 0)


class Catalogue:
    """The upstream's models. Belongs to one event loop."""

    def __init__(self, client: OllamaClient, upstream: Upstream, config: CodeConfig) -> None:
        self._client = client
        self._upstream = upstream
        self._config = config
        self._listed: list[Json] = []
        self._newest: Json | None = None  # of those listed, the newest that completes text
        self._listed_until = 0.0
        self._known: dict[tuple[str, str], asyncio.Task[Served]] = {}  # by name and digest

    async def models(self) -> list[Json]:
        """What the upstream lists, newest first. May be some seconds old."""
        if time.monotonic() >= self._listed_until:
            try:
                found = await self._client.tags()
            except ClientError as error:
                raise translated(error) from error
            self._listed_until = time.monotonic() + LIST_KEPT_S
            if found != self._listed:
                self._listed, self._newest = found, None
                present = {_key(entry) for entry in found}
                self._known = {key: task for key, task in self._known.items() if key in present}
        return self._listed

    async def served(self, name: str) -> Served:
        """The model that answers for what a client calls `name`. Raises `UnknownModel`, `UpstreamFailed`."""
        entries = await self.models()
        entry = _listed_as(name, entries) if name not in DEFAULT_NAMES else None
        if entry is not None:
            return await self._look(entry)
        if self._config.strict_models and name not in DEFAULT_NAMES:
            raise UnknownModel(name)
        return await self._default(entries)

    async def _default(self, entries: list[Json]) -> Served:
        wanted = self._config.model
        if wanted:
            entry = _listed_as(wanted, entries)
            if entry is None:
                raise UpstreamFailed(f'model "{wanted}" is not at the endpoint: pull it there, or name another')
            return await self._look(entry)
        if self._newest is None:
            self._newest = await self._first_that_completes(entries)
        return await self._look(self._newest)

    async def _first_that_completes(self, entries: list[Json]) -> Json:
        for entry in entries:
            show = await self._show(_name(entry))
            if "completion" in show.get("capabilities", ["completion"]):  # old servers do not say
                return entry
        raise UpstreamFailed("no model at the endpoint completes text: pull one there, for example qwen2.5-coder:1.5b")

    async def _look(self, entry: Json) -> Served:
        """What is known about a model; whoever asks first makes everybody else wait for the same answer."""
        key = _key(entry)
        if key not in self._known:
            task = asyncio.create_task(self._recognise(entry))
            task.add_done_callback(lambda done: self._forget_failure(key, done))
            self._known[key] = task
        return await asyncio.shield(self._known[key])

    def _forget_failure(self, key: tuple[str, str], task: asyncio.Task[Served]) -> None:
        if (task.cancelled() or task.exception() is not None) and self._known.get(key) is task:
            del self._known[key]

    async def close(self) -> None:
        """End what is still being looked at."""
        tasks = list(self._known.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _recognise(self, entry: Json) -> Served:
        name = _name(entry)
        show = await self._show(name, verbose=True)
        vocabulary = Vocabulary.from_show(show)
        setting = of_model(self._config.families, name)
        found = candidates(name, show, setting, vocabulary)
        light = _without_vocabulary(show)
        for detection in found:
            if not detection.probed or detection.family is None:
                return Served(name, entry, light, detection, vocabulary, splits_lines=_splits(detection.family))
            split = _splits(detection.family)
            score = await self._probe(name, detection.family, split=split)
            if split and score < NEEDED:
                split, score = False, await self._probe(name, detection.family, split=False)
            if score >= NEEDED:
                return Served(name, entry, light, detection, vocabulary, split, score)
        itself = can_insert(show) and not any(detection.source == "D4" for detection in found)
        return Served(name, entry, light, Detection(None, "D7"), vocabulary, inserts_itself=itself)

    async def _probe(self, name: str, family: Family, *, split: bool) -> int:
        """How many of the gaps the model fills (D6)."""
        return sum([await self._fills(name, family, gap, split=split) for gap in GAPS])

    async def _fills(self, name: str, family: Family, gap: Gap, *, split: bool) -> bool:
        typed = gap.prefix.rpartition("\n")[2] if split else ""
        parts = FimParts(gap.prefix.removesuffix(typed), gap.suffix, typed=typed)
        prompt = render(family, parts).text
        options = {**DEFAULTS, "num_predict": MAX_TOKENS, "stop": list(family.stops)}
        body = {"model": name, "prompt": prompt, "raw": True, "stream": True, "options": options}
        text = ""
        async with aclosing(self._upstream.speak(Ask("generate", body, prompt))) as lines:
            async for line in lines:
                text += line.text
        return gap.filled_by(text)

    async def _show(self, name: str, *, verbose: bool = False) -> Json:
        try:
            return await self._client.show(name, verbose=verbose)
        except ClientError as error:
            raise translated(error) from error


def _splits(family: Family | None) -> bool:
    return family is not None and family.order == "psm" and bool(family.markers.middle)


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry.get("name") or entry.get("model") or "")


def _key(entry: Mapping[str, Any]) -> tuple[str, str]:
    return _name(entry), str(entry.get("digest", ""))


def _listed_as(name: str, entries: list[Json]) -> Json | None:
    """The entry that a client means: the very name, or the one with the tag that goes without saying."""
    names = (name, f"{name}:latest")
    return next((entry for wanted in names for entry in entries if _name(entry).lower() == wanted.lower()), None)


def of_model(table: Mapping[str, str], name: str) -> str:
    """An operator's entry for a model, with its tag or without; "" where there is none."""
    return table.get(name) or table.get(name.partition(":")[0]) or ""


def _without_vocabulary(show: Json) -> Json:
    info = show.get("model_info")
    if not isinstance(info, dict):
        return show
    return {**show, "model_info": {key: value for key, value in info.items() if key not in _HEAVY}}
