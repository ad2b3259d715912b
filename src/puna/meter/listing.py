"""Which models an endpoint has, and what it says of each: tag list and show calls (contract meter §2, §7, §8, C14)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from puna.client import ClientError, OllamaClient, ServerUnreachable
from puna.meter.plan import ListedModel, Target
from puna.meter.reading import Json, inner, number
from puna.meter.retrying import retrying

_OLDEST = datetime.min.replace(tzinfo=UTC)
TAGS_S = 5.0
SHOW_S = 60.0

T = TypeVar("T")
Warn = Callable[[str], None]


async def list_models(client: OllamaClient, target: Target, warn: Warn) -> list[ListedModel]:
    """Newest first, bad dates last. Raises `ClientError` when no attempt succeeds.

    Entries that cannot be listed are left out; `warn` hears of them once.
    """
    ask = client.tags if target.native else partial(_openai_models, client)
    entries = await _tried(TAGS_S, ask)
    listed = [model for entry in entries if (model := _listed(target, entry)) is not None]
    if len(listed) < len(entries):
        warn(f"{target.name} lists {len(entries) - len(listed)} model(s) without a name: left out")
    return sort_by_modified(listed)


def sort_by_modified(models: Sequence[ListedModel]) -> list[ListedModel]:
    """A new list, newest first, bad dates last; models of one time keep their order."""
    return sorted(models, key=lambda model: modified(model.modified_at), reverse=True)


def modified(text: str) -> datetime:
    """An ISO 8601 time; without a zone it is UTC, and what cannot be read is the oldest time there is."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return _OLDEST
    return when if when.tzinfo else when.replace(tzinfo=UTC)


async def described(
    client: OllamaClient, target: Target, models: Sequence[ListedModel], *, parallel: int = 1
) -> list[ListedModel]:
    """The same models in the same order with what `/api/show` says; a failure is the model's `show_error`."""
    if not target.native:
        return list(models)
    places = asyncio.Semaphore(parallel)

    async def one(model: ListedModel) -> ListedModel:
        async with places:
            try:
                return with_details(model, await _tried(SHOW_S, partial(client.show, model.name)))
            except ClientError as error:
                return replace(model, show_error=str(error) or type(error).__name__)

    return list(await asyncio.gather(*map(one, models)))


def with_details(model: ListedModel, show: Mapping[str, Any]) -> ListedModel:
    """The tag's details, overlaid by the truthy entries of the show answer's (§8)."""
    shown = {key: value for key, value in inner(dict(show), "details").items() if value}
    return replace(
        model,
        details={**model.details, **shown},
        model_info=inner(dict(show), "model_info"),
        capabilities=_texts(show.get("capabilities")) or model.capabilities or (),
    )


async def _tried(limit_s: float, ask: Callable[[], Awaitable[T]]) -> T:
    """`ask()` with retries, each attempt within the limit. Raises `ClientError`; a timeout is not tried again (§2)."""

    async def once() -> T:
        try:
            async with asyncio.timeout(limit_s):
                return await ask()
        except TimeoutError as error:
            raise ServerUnreachable(f"no answer within {limit_s:g} s") from error

    return await retrying()(once)


async def _openai_models(client: OllamaClient) -> list[Json]:
    """The entries of `/v1/models` in the shape of a tag list, with what vLLM and llama-server add."""
    data = (await client.get("/v1/models")).get("data")
    return [_as_tag(entry) for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []


def _as_tag(entry: Json) -> Json:
    meta, created = inner(entry, "meta"), number(entry, "created")
    context = number(entry, "max_model_len") or number(meta, "n_ctx_train")
    details = {"parameter_size": number(meta, "n_params")}
    return {
        "name": entry.get("id"),
        "size": number(meta, "size"),
        "modified_at": _iso(created),
        "details": {name: value for name, value in details.items() if value},
        "model_info": {"openai.context_length": context} if context else {},
        "capabilities": entry.get("capabilities"),
    }


def _iso(seconds: int | None) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds else ""
    except (ValueError, OverflowError, OSError):  # beyond what a calendar holds
        return ""


def _listed(target: Target, entry: Json) -> ListedModel | None:
    """None for an entry without a name."""
    name = entry.get("name") or entry.get("model")
    if not isinstance(name, str) or not name:
        return None
    return ListedModel(
        target=target.name,
        name=name,
        digest=_text(entry.get("digest")),
        size_bytes=number(entry, "size") or 0,
        modified_at=_text(entry.get("modified_at")),
        details=inner(entry, "details"),
        model_info=inner(entry, "model_info"),
        capabilities=_texts(entry.get("capabilities")) or None,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
