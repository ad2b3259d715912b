"""`puna meter fit` where it meets the world: a real registry, the real runtime, files, the history, the memory."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from puna.cli import main
from puna.client import Endpoint, OllamaClient
from puna.errors import BadRequest, Forbidden, NotFound, RegistryError
from puna.meter.fit import bandwidth
from puna.meter.fit.description import from_file, from_registry
from puna.meter.fit.experience import measured_here, observations
from puna.meter.history import HistoryRow
from puna.meter.report import schema
from puna.names import ModelName
from puna.registry import Registries, glimpse
from puna.store import read_gguf_header
from tests.registries import DockerRegistry, HostileRegistry, Layer, Model, Proxy, reply
from tests.servers import Server

PROJECTOR = Layer(bytes(1000), "application/vnd.ollama.image.projector")
TEMPLATE = Layer(b"{{ .Prompt }}", "application/vnd.ollama.image.template")


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, smollm2_gguf: Path) -> Iterator[Proxy]:
    """A way to a real registry that has SmolLM2 with a projector, and counts what passes."""
    if (missing := DockerRegistry.missing()) is not None:
        pytest.fail(missing, pytrace=False)
    with DockerRegistry(tmp_path_factory.mktemp("registry")) as registry, Proxy(registry.port) as between:
        Model("library/far:latest", (Layer(smollm2_gguf), PROJECTOR, TEMPLATE)).publish(registry.url)
        between.exchanges.clear()
        yield between


async def test_a_model_is_described_before_it_is_pulled(line: Proxy, smollm2_gguf: Path) -> None:
    name = ModelName.parse(f"{line.host}/library/far")
    found = await from_registry(name, Registries.parse(line.url))
    here = from_file(smollm2_gguf)
    assert found.anatomy.weights == here.anatomy.weights + PROJECTOR.size  # the template takes no memory
    assert (found.anatomy.read, found.anatomy.kv_per_token) == (here.anatomy.read, here.anatomy.kv_per_token)
    assert found.anatomy.kv_per_token == 30 * 3 * (64 + 64) * 2
    assert (found.source, here.source, here.download) == ("registry", "file", None)
    assert (found.download or 0) > smollm2_gguf.stat().st_size


async def test_only_the_head_of_the_weights_is_fetched(line: Proxy, smollm2_gguf: Path) -> None:
    line.exchanges.clear()
    seen = await glimpse(ModelName.parse(f"{line.host}/library/far"), Registries.parse(line.url))
    starts = min(tensor.offset for tensor in read_gguf_header(smollm2_gguf).tensors)
    assert starts <= seen.fetched <= 4 * starts
    assert line.served() < seen.fetched + 50_000
    assert seen.fetched < smollm2_gguf.stat().st_size // 20


async def test_what_no_registry_has_is_told_in_one_line(line: Proxy) -> None:
    with pytest.raises(NotFound, match=r'model "127\.0\.0\.1:\d+/library/none:latest" is neither here nor in its reg'):
        await from_registry(ModelName.parse(f"{line.host}/library/none"), Registries.parse(line.url))


async def test_T05_a_registry_that_is_not_listed_is_not_asked(line: Proxy) -> None:
    line.exchanges.clear()
    with pytest.raises(Forbidden, match="add it to PUNA_REGISTRIES"):
        await from_registry(ModelName.parse(f"{line.host}/library/far"), Registries.parse("elsewhere.example"))
    assert line.exchanges == []


def endless_header() -> bytes:
    """A header whose only key is a vocabulary of a million texts, most of which are not there."""
    key = b"tokenizer.ggml.tokens"
    return b"GGUF" + struct.pack("<IQQQ", 3, 1, 1, len(key)) + key + struct.pack("<IIQ", 9, 8, 1_000_000)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"<html>" * 100, "this is not a GGUF file"),
        (b"", "this is not a GGUF file"),
        (endless_header(), "reaches past the end of the file"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 0), "over the limit of 64 MiB"),
    ],
)  # fmt: skip
async def test_T11_weights_that_are_none_end_in_one_line(data: bytes, says: str) -> None:
    with HostileRegistry() as registry:
        registry.serve_model(Model("library/bad:latest", (Layer(data),)))
        with pytest.raises(RegistryError, match=says):
            await glimpse(ModelName.parse(f"{registry.host}/library/bad"), Registries.parse(registry.url))


async def test_T08_a_registry_that_answers_with_the_whole_blob_is_hung_up_on() -> None:
    weights = Layer(b"GGUF" + bytes(3 << 20))
    with HostileRegistry() as registry:
        registry.serve_model(Model("library/whole:latest", (weights,)))
        registry.say(f"/v2/library/whole/blobs/{weights.digest}", reply(200, b"GGUF" + bytes(3 << 20)))
        with pytest.raises(RegistryError, match="does not send parts of blobs"):
            await glimpse(ModelName.parse(f"{registry.host}/library/whole"), Registries.parse(registry.url))


def test_a_part_of_a_split_model_is_not_taken_for_the_whole(tmp_path: Path) -> None:
    from gguf import GGUFWriter

    writer = GGUFWriter(tmp_path / "a-00001-of-00003.gguf", "llama")
    writer.add_uint16("split.count", 3)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(BadRequest, match="is one of 3 parts of a model"):
        from_file(tmp_path / "a-00001-of-00003.gguf")


def test_the_command_says_what_fits_and_how_fast(
    runtime: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PUNA_HOST", runtime.url)
    assert main(["meter", "fit", "smollm2:135m", "--context", "2048"]) == 0
    shown = capsys.readouterr()
    for text in (
        "smollm2:135m",
        "On this machine",
        "fits",
        "llama 134.52M parameters, Q4_1",
        "98 MB",
        "47 MB for 2048 tokens",
    ):
        assert text in shown.out
    assert "9 of 10 measurements should lie in the range" in " ".join(shown.out.split())
    assert main(["meter", "fit", "smollm2:135m", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], found["source"], found["fits"], found["verdict"]) == (
        "puna.meter.fit/1",
        "server",
        True,
        "fits",
    )
    assert found["memory"]["context"] == found["anatomy"]["trained_context"] == 8192
    rate = found["predicted"]["decode"]
    assert 0 < rate["low"] < rate["middle"] < rate["high"]
    assert found["predicted"]["measured"] == 0


def test_the_command_takes_a_file(
    runtime: Server, tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUNA_HOST", runtime.url)
    assert main(["meter", "fit", str(tiny_llama), "--json", str(tmp_path / "answer.json")]) == 0
    found = json.loads((tmp_path / "answer.json").read_text())
    assert (found["model"], found["source"]) == (tiny_llama.name, "file")
    assert found["anatomy"]["weights"] == tiny_llama.stat().st_size


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "accepts 1 arg(s), received 0"),
        (["a", "b"], "accepts 1 arg(s), received 2"),
        (["no such model"], "invalid model name"),
        (["missing.gguf"], "there is no file missing.gguf"),
        (["far.example/a/b"], "registry far.example is not one that may be used: add it to PUNA_REGISTRIES to allow it"),
        (["smollm2:135m", "--context", "-5"], "--context -5: give a number of tokens"),
    ],
)  # fmt: skip
def test_wrong_input_ends_in_one_clear_line(
    words: list[str], error: str, runtime: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PUNA_HOST", runtime.url)
    assert main(["meter", "fit", *words]) == 1
    assert capsys.readouterr().err == f"Error: {error}\n"


def row(url: str, name: str = "a", **more: object) -> HistoryRow:
    model = {"name": name, "url": url, "digest": "d", "cells": []}
    return HistoryRow(name, datetime.now(UTC).isoformat(), name, result=json.dumps(model), **more)  # type: ignore[arg-type]


def test_only_good_results_of_this_machine_are_learned_from() -> None:
    rows = [
        row("http://localhost:11434", "here"), row("embedded", "brief"), row("https://ollama.com", "cloud"),
        row("http://127.0.0.1:1", "failed", error="no"), row("http://[::1]:1", "here"),
        HistoryRow("x", "2026", "of OMeter's"), HistoryRow("x", "2026", "broken", result="{"),
    ]  # fmt: skip
    assert [found.name for found in measured_here(rows)] == ["here", "brief"]


async def test_what_was_measured_here_becomes_an_observation(runtime: Server) -> None:
    figure = {"id": "M11", "unit": "tok/s", "n": 3, "mean": 50, "minimum": 49, "maximum": 52, "basis": "server"}
    good = {"n_in": 200, "metrics": {"decode": {**figure, "median": 50}, "prefill": {**figure, "median": 400}}}
    (tag,) = [tag for tag in runtime.get("/api/tags").json["models"] if tag["name"] == "smollm2:135m"]

    def result(digest: str, *cells: object, **more: object) -> schema.Model:
        model = {"name": tag["name"], "url": runtime.url, "digest": digest, "cells": cells, **more}
        found = schema.read_model(json.dumps(model))
        assert found is not None
        return found

    results = [
        result(tag["digest"], {**good, "void": "it lagged"}, {**good, "flags": ["contended"]}, good),
        result("of another version", good),
        result(tag["digest"], {**good, "concurrency": 4}),
        result(tag["digest"], good, memory={"size": 10, "size_vram": 5, "gpu_share": 0.5}),
    ]
    async with OllamaClient(Endpoint(port=runtime.port)) as client:
        (seen,) = await observations(client, results)
    assert (seen.decode, seen.prefill, seen.depth, seen.on_gpu) == (50, 400, 200, False)
    assert seen.anatomy.parameters == 134_515_008


def test_the_memory_is_measured_beyond_its_caches() -> None:
    found = bandwidth.measure(1 << 30, repeats=3)
    assert 10**8 < found.slowest <= found.median <= found.fastest < 10**13
    assert found.threads == bandwidth.compute_threads() >= 1


def test_the_largest_cache_is_found(tmp_path: Path) -> None:
    for number, size in enumerate(("32K\n", "32768K\n", "2M\n", "none\n")):
        (tmp_path / f"index{number}").mkdir()
        (tmp_path / f"index{number}/size").write_text(size)
    assert bandwidth.last_cache(tmp_path) == 32 << 20
    assert bandwidth.last_cache(tmp_path / "absent") == 0
