"""What other programs may call: the names of the reference tool's page (contract meter §1), each from `puna.meter`."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from rich.console import Console

import puna.meter
from puna.client.timed import TimedClient
from puna.meter.listing import list_models
from puna.meter.options import Options
from puna.meter.plan import CellPlan, Plan, Target
from tests.meter.synthetic import Script, Synthetic, running

QUICK = Script(ttft_s=0.002, gap_s=0.001, tokens=3)


def test_every_name_is_there_and_nothing_else() -> None:
    for name in puna.meter.__all__:
        assert getattr(puna.meter, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = puna.meter.nonsense


def test_importing_the_room_is_cheap() -> None:
    script = "import sys, puna.meter; print(sorted({'aiohttp', 'rich', 'pydantic', 'sqlalchemy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


async def test_single_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("puna.meter.cell.MAX_LAG_NS", 10**12)
    synthetic = Synthetic({"chat": QUICK, "vectors": Script(ttft_s=0.002, capabilities=("embedding",))})
    async with running(synthetic) as endpoint, TimedClient(endpoint) as client:
        tags = await puna.meter.fetch_tags(client)
        assert [tag["name"] for tag in tags] == ["chat", "vectors"]
        assert puna.meter.is_embedding_model(await puna.meter.fetch_model_show(client, "vectors"))
        assert not puna.meter.is_embedding_model({})
        run = await puna.meter.benchmark_chat_single_run(client, "chat", "why?")
        assert (run.prompt, run.error, run.tps) == ("why?", None, 1500.0)
        assert run.ttft is not None
        assert run.ttft > 0.002
        assert (await puna.meter.benchmark_chat_single_run(client, "none", "why?")).error == "model 'none' not found"
        assert (await puna.meter.benchmark_embed_single_run(client, "vectors", "a b")).tps is not None


async def test_whole_models_and_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("puna.meter.cell.MAX_LAG_NS", 10**12)
    plan = Plan((CellPlan(("a", "b")),), warm_up=False)
    async with running(Synthetic({"chat": QUICK})) as endpoint, TimedClient(endpoint) as client:
        target = Target("local", endpoint)
        (model,) = puna.meter.sort_by_modified(await list_models(client, target, print))
        assert len((await puna.meter.benchmark_model(client, model, plan)).runs) == 2
        assert (await puna.meter.process_single_model(client, model)).context == "8192"
        assert (await puna.meter.process_single_model(client, model, plan)).tps == 1500.0
        console = Console(file=io.StringIO(), width=150)
        options = Options(show_tps=True, plan=plan)
        (row,) = await puna.meter.stream_table(target, options, console)
        (quiet,) = await puna.meter.stream_table(target, options, Console(file=io.StringIO()), export_only=True)
    assert "│ chat " in console.file.getvalue()  # type: ignore[attr-defined]
    assert row.tps == quiet.tps == 1500.0
