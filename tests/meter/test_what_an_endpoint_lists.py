"""Listing, describing and recognising endpoints, hostile ones included."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from puna.client import ClientError, Endpoint, ServerUnreachable
from puna.client.timed import TimedClient
from puna.meter import listing, retrying
from puna.meter.host import endpoint_info, host, identify
from puna.meter.listing import described, list_models, sort_by_modified
from puna.meter.plan import ListedModel, Target
from tests.meter.synthetic import Script, Synthetic, running


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "FIRST_PAUSE_S", 0.001)


@asynccontextmanager
async def at(synthetic: Synthetic, *, native: bool = True) -> AsyncIterator[tuple[TimedClient, Target]]:
    async with running(synthetic) as endpoint, TimedClient(endpoint) as client:
        yield client, Target("local", endpoint, native)


async def test_models_are_listed_newest_first_and_described_in_that_order() -> None:
    synthetic = Synthetic({"a": Script(), "b": Script(capabilities=("embedding",)), "c": Script(capabilities=None)})
    async with at(synthetic) as (client, target):
        models = await described(client, target, await list_models(client, target, print), parallel=3)
    assert [model.name for model in models] == ["a", "b", "c"]
    assert models[0].details == {"parameter_size": "7B"}
    assert models[0].model_info == {"synthetic.context_length": 8192}
    assert [model.is_embedding for model in models] == [False, True, False]
    assert [model.show_error for model in models] == [None, None, "no details of this one"]
    assert models[2].capabilities is None


async def test_C14_entries_that_make_no_sense_are_left_out_with_one_warning() -> None:
    tags = [
        {"modified_at": "2026-01-01T00:00:00Z"},
        {"name": 7},
        {"name": "ok", "modified_at": "2026-01-02T00:00:00", "details": None, "size": "large", "capabilities": None},
        {"model": "named otherwise", "modified_at": ["x"]},
        {"name": "newest", "modified_at": "2026-03-01T00:00:00.123456789+02:00"},
        "text",
    ]
    warnings: list[str] = []
    async with at(Synthetic(tags=tags)) as (client, target):
        models = await list_models(client, target, warnings.append)
    assert [model.name for model in models] == ["newest", "ok", "named otherwise"]
    assert warnings == ["local lists 2 model(s) without a name: left out"]


def test_bad_dates_come_last_and_equal_ones_keep_their_order() -> None:
    dates = ["", "2026-01-01T00:00:00Z", "yesterday", "2026-01-01T01:00:00+01:00", "2026-01-01"]
    models = [ListedModel("local", str(index), modified_at=date) for index, date in enumerate(dates)]
    assert [model.name for model in sort_by_modified(models)] == ["1", "3", "4", "0", "2"]


async def test_the_shown_details_overlay_the_tags() -> None:
    model = ListedModel("local", "m", details={"family": "llama", "parameter_size": "1B"}, capabilities=("vision",))
    shown = listing.with_details(model, {"details": {"family": "", "parameter_size": "7B"}, "capabilities": None})
    assert shown.details == {"family": "llama", "parameter_size": "7B"}
    assert shown.capabilities == ("vision",)
    assert listing.with_details(ListedModel("local", "m"), {"details": [], "model_info": 7}).capabilities == ()


async def test_openai_models_are_listed_with_what_they_tell() -> None:
    async with at(Synthetic({"m": Script()}, native=False), native=False) as (client, target):
        (model,) = await described(client, target, await list_models(client, target, print))
    assert (model.name, model.modified_at) == ("m", "2023-11-14T22:13:20+00:00")
    assert model.model_info == {"openai.context_length": 8192}
    assert model.capabilities is None


async def test_a_dead_endpoint_is_asked_four_times() -> None:
    endpoint = Endpoint(port=9)
    async with TimedClient(endpoint) as client:
        with pytest.raises(ServerUnreachable):
            await list_models(client, Target("local", endpoint), print)


async def test_a_slow_tag_list_is_not_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "TAGS_S", 0.0)
    synthetic = Synthetic()
    async with at(synthetic) as (client, target):
        with pytest.raises(ClientError, match="no answer within 0 s"):
            await list_models(client, target, print)
    assert len(synthetic.asked) <= 1


async def test_an_endpoint_speaks_ollamas_routes_first_and_openais_otherwise() -> None:
    async with running(Synthetic()) as endpoint:
        assert await identify("lab", endpoint) == Target("lab", endpoint)
    async with running(Synthetic(native=False)) as endpoint:
        with_path = Endpoint(host=endpoint.host, port=endpoint.port, path="v1")
        assert await identify("lab", with_path) == Target("lab", endpoint, native=False)
    with pytest.raises(ServerUnreachable):
        await identify("lab", Endpoint(port=9))


async def test_an_endpoint_is_described_by_kind_version_and_round_trip() -> None:
    async with at(Synthetic()) as (client, target):
        info = await endpoint_info(client, target)
    assert (info.kind, info.version, info.url) == ("ollama", "0.99.0", target.endpoint.url)
    assert (info.round_trip_ns or 0) > 0
    dead = Endpoint(port=9)
    async with TimedClient(dead) as client:
        info = await endpoint_info(client, Target("gone", dead, native=False))
    assert (info.kind, info.version, info.round_trip_ns) == ("openai", "", None)


def test_the_host_is_described() -> None:
    here = host()
    assert here.cores >= 1
    assert here.ram_bytes > 1 << 28
    assert here.system
