"""What the environment, `.env` files, flags and the menu decide before anything is asked (contract meter §3 to §5, §16)."""

from __future__ import annotations

from pathlib import Path

import pytest

from puna.cli.failures import UsageError
from puna.cli.metering import Flags, spread
from puna.cli.meteroptions import parse_options, typed
from puna.errors import BadRequest
from puna.meter.config import Config, parse_endpoint
from puna.meter.mode import Mode, resolve_mode
from puna.meter.options import Options
from puna.meter.plan import CellPlan


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_any_setting() -> None:
    config = Config.of([{}])
    assert (config.local.url, config.cloud.url) == ("http://localhost:11434", "https://ollama.com:443")
    assert (config.num_runs, config.num_parallel, config.cloud.api_key, config.local.api_key) == (3, 1, None, None)


@pytest.mark.parametrize(
    ("text", "runs", "parallel"),
    [("0", 1, 1), ("99", 3, 10), (" 2 ", 2, 2), ("zz", 3, 1), ("", 3, 1), ("50", 3, 10)],
)
def test_counts_are_clamped(text: str, runs: int, parallel: int) -> None:
    config = Config.of([{"OMETER_RUNS": text, "OMETER_PARALLEL": text}])
    assert (config.num_runs, config.num_parallel) == (runs, parallel)
    assert Config.of([{"OMETER_RUNS": "2", "PUNA_METER_RUNS": "1"}]).num_runs == 1
    assert (Config.of([{}], runs=99, parallel=-4).num_runs, Config.of([{}], 1, 50).num_parallel) == (3, 10)


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({"OLLAMA_LOCAL_BASE_URL": "http://a:1/", "OLLAMA_HOST": "b:2"}, "http://a:1"),
        ({"OLLAMA_LOCAL_BASE_URL": "http://a:1", "PUNA_METER_LOCAL_BASE_URL": "http://c:3//"}, "http://c:3"),
        ({"OLLAMA_HOST": "b:2"}, "http://b:2"),
        ({"OLLAMA_HOST": "0.0.0.0"}, "http://127.0.0.1:11434"),
        ({"OLLAMA_HOST": "[::]:5"}, "http://[::1]:5"),
        ({"OLLAMA_HOST": "b"}, "http://b:11434"),
    ],
)
def test_where_the_local_server_is(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], url: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Config.from_env().local.url == url


def test_env_files_fill_up_variable_by_variable(monkeypatch: pytest.MonkeyPatch, home: Path, here: Path) -> None:
    (here / ".env").write_text("OMETER_RUNS=1\nexport OLLAMA_CLOUD_BASE_URL='https://near'\n")
    (home / ".env").write_text("OMETER_RUNS=2\nOMETER_PARALLEL=4 # some\n")
    (home / ".config/ometer").mkdir(parents=True)
    (home / ".config/ometer/.env").write_text("OMETER_PARALLEL=5\nOMETER_HISTORY_DB=/x/y.db\n")
    config = Config.from_env()
    assert (config.num_runs, config.num_parallel, config.database) == (1, 4, "/x/y.db")
    assert config.cloud.url == "https://near:443"
    monkeypatch.setenv("OMETER_RUNS", "3")
    assert Config.from_env().num_runs == 3


def test_T05_a_key_does_not_go_where_a_file_of_this_folder_points(monkeypatch: pytest.MonkeyPatch, here: Path) -> None:
    monkeypatch.setenv("OLLAMA_CLOUD_API_KEY", "secret")
    assert Config.from_env().cloud.api_key == "secret"
    (here / ".env").write_text("OLLAMA_CLOUD_BASE_URL=https://evil.example/$OLLAMA_CLOUD_API_KEY/${HOME}\n")
    with pytest.raises(BadRequest, match="give \\[http"):  # nothing is expanded
        Config.from_env()
    (here / ".env").write_text("OLLAMA_CLOUD_BASE_URL=https://evil.example\n")
    config = Config.from_env()
    assert (config.cloud.host, config.cloud.api_key) == ("evil.example", None)
    assert "is not sent there" in config.warnings[0]
    assert "secret" not in repr(config)
    (here / ".env").write_text("OLLAMA_CLOUD_BASE_URL=https://mine\nPUNA_METER_CLOUD_API_KEY=own\n")
    assert Config.from_env().cloud.api_key == "own"


def test_C15_every_endpoint_may_have_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUNA_METER_MY_BOX_API_KEY", "k1")
    monkeypatch.setenv("PUNA_METER_LOCAL_API_KEY", "k2")
    config = Config.from_env()
    assert config.endpoint("my-box", "http://box:1").api_key == "k1"
    assert config.endpoint("other", "http://box:1").api_key is None
    assert config.local.api_key == "k2"


@pytest.mark.parametrize("text", ["x", "=http://a", "a=", "local=http://a", "a b=http://a", "\x1b=http://a"])
def test_endpoints_that_are_none(text: str) -> None:
    with pytest.raises(BadRequest, match="NAME=URL"):
        parse_endpoint(text)


@pytest.mark.parametrize("is_tty", [True, False])
@pytest.mark.parametrize("model", [None, ["m"]])
def test_flags_decide_the_mode(is_tty: bool, model: list[str] | None) -> None:
    def mode(*, local: bool, cloud: bool) -> Mode | None:
        return resolve_mode(Flags(local=local, cloud=cloud, model=model), is_tty, never)

    assert mode(local=True, cloud=True) == "both"
    assert mode(local=True, cloud=False) == "local"
    assert mode(local=False, cloud=True) == "cloud"


def never() -> Mode | None:
    raise AssertionError("nobody should be asked")


def test_without_flags_a_person_is_asked_and_nobody_else() -> None:
    assert resolve_mode(Flags(), False, never) == "both"
    assert resolve_mode(Flags(model=["m"]), True, never) == "both"
    assert resolve_mode(Flags(), True, lambda: "cloud") == "cloud"
    assert resolve_mode(Flags(), True, lambda: None) is None


def options(**flags: object) -> Options:
    return parse_options(Flags(**flags), Config.of([{}]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ({"runs": 0}, "--runs must be 1, 2 or 3"), ({"runs": 4}, "--runs"), ({"reverse": True}, "--reverse requires --sort"),
        ({"json": "", "csv": ""}, "cannot be used together"), ({"csv": "", "output_format": "v2"}, "v2 is JSON"),
        ({"repeat": 0}, "--repeat must be more than 0"), ({"timeout": -1.0}, "--timeout"), ({"rate": 0.0}, "--rate"),
        ({"depth": "1,x"}, "--depth must be whole numbers"), ({"depth": "-1"}, "--depth must be 0 or more"),
        ({"concurrency": "0"}, "--concurrency must be 1 or more"), ({"batch": ""  + "1,,2"}, "--batch must be whole"),
        ({"rate": 1.0, "concurrency": "2"}, "cannot be used with --concurrency"),
        ({"rate": 1.0, "arrival": "gamma"}, "give poisson, constant or gamma:K"),
        ({"rate": 1.0, "arrival": "poisson:2"}, "give poisson"), ({"rate": 1.0, "arrival": "gamma:x"}, "no number"),
        ({"rate": 1.0, "arrival": "gamma:nan"}, "more than 0"), ({"duration": float("inf")}, "--duration"),
        ({"prompts": " "}, "has no prompt"),
    ],
)  # fmt: skip
def test_command_lines_that_make_no_sense(flags: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        options(**flags)


def test_C11_an_empty_file_of_prompts(here: Path) -> None:
    (here / "none").write_text("\n  \n")
    with pytest.raises(UsageError, match="has no prompt"):
        options(prompts="none")
    assert options(prompts="x" * 5000).plan.cells[0].prompts == ("x" * 5000,)


def test_a_file_that_cannot_be_written_is_told_before_anything_is_measured(here: Path) -> None:
    for path in ("no/such/folder.json", str(here)):
        with pytest.raises(BadRequest, match="cannot be written"):
            options(json=path)


def test_settings_and_sweeps_become_a_plan() -> None:
    plan = options(depth="0,2048", concurrency="1,4", repeat=5, num_ctx=4096, think="low", seed=7, num_predict=9).plan
    assert [(cell.depth, cell.concurrency) for cell in plan.cells] == [(0, 1), (0, 4), (2048, 1), (2048, 4)]
    assert {(cell.repeats, cell.seed) for cell in plan.cells} == {(5, 7)}
    assert plan.settings.options() == {"num_predict": 9, "num_ctx": 4096, "seed": 7}
    assert (plan.settings.think, plan.warm_up, plan.unique_prompts) == ("low", True, True)
    loop = options(rate=0.5, arrival="gamma:0.3", duration=10.0, prompts="p").plan.cells[0]
    assert loop == CellPlan(("p",), arrival="gamma", rate=0.5, shape=0.3, duration_s=10.0)


def test_prompts_are_sent_as_they_are_unless_they_come_again() -> None:
    assert not options(ttft=True).plan.unique_prompts
    assert options(repeat=2).plan.unique_prompts
    assert not options(repeat=2, cached=True).plan.unique_prompts


def test_what_is_asked_for_beyond_two_numbers_brings_the_second_table() -> None:
    assert not options(ttft=True).details
    for flags in ({"repeat": 2}, {"cold": True}, {"slo": "chat"}, {"num_ctx": 5}):
        found = options(**flags)
        assert (found.details, found.show_ttft, found.show_tps) == (True, True, True)
    assert options(md="").measuring
    assert not options(json="").measuring


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ("--model a b --ttft", "--model a --model b --ttft"),
        ("--json --csv x", "--json|--csv x"),
        ("--json x.json --md", "--json x.json --md|"),
        ("--model", "--model"),
        ("history --model a --json", "history --model a --json|"),
        ("-- --json", "-- --json"),
    ],
)
def test_flags_with_several_values_and_with_none(words: str, read: str) -> None:
    expected = read.replace("|", " | ").split()
    assert list(spread(words.split())) == ["" if word == "|" else word for word in expected]


def test_the_command_line_is_kept_in_one_spelling() -> None:
    flags = Flags(local=True, model=["a", "b"], num_predict=5, output_format="v2", json="")
    assert typed(flags) == (
        "--local", "--model", "a", "--model", "b", "--num-predict", "5", "--json", "--format", "v2",
    )  # fmt: skip
