"""Tables and sections byte by byte: scripts cut them by column (contract ollama-store §6.3, §6.4, §7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from puna.cli.commands.listing import listing
from puna.cli.commands.processes import processor, running
from puna.cli.summary import summary
from puna.cli.tables import indented, table

NOW = datetime(2026, 1, 3, tzinfo=UTC)


def stored(name: str, digest: str, size: int, age: timedelta, **more: Any) -> dict[str, Any]:
    return {"name": name, "digest": digest, "size": size, "modified_at": (NOW - age).isoformat(), **more}


def test_the_list_of_the_contract() -> None:
    models = [
        stored("model1", "abc123abc123def", 1024, timedelta(hours=24)),
        stored("model2", "def456def456abc", 2048, timedelta(hours=48)),
    ]
    assert listing(models, "", NOW) == (
        "NAME      ID              SIZE      MODIFIED     \n"
        "model1    abc123abc123    1.0 KB    24 hours ago    \n"
        "model2    def456def456    2.0 KB    2 days ago      \n"
    )


def test_an_empty_list_has_its_header() -> None:
    assert listing([], "", NOW) == "NAME    ID    SIZE    MODIFIED \n"


def test_the_list_can_be_narrowed_ignoring_case() -> None:
    models = [stored(name, "0" * 64, 1, timedelta()) for name in ("Llama:latest", "qwen:latest")]
    assert "Llama" in listing(models, "llA", NOW)
    assert "qwen" not in listing(models, "llA", NOW)


def test_a_stub_of_a_hosted_model_has_no_size_and_an_unset_time_is_never() -> None:
    row = stored("m:cloud", "0" * 64, 300, timedelta(), remote_model="m") | {"modified_at": "0001-01-01T00:00:00Z"}
    assert listing([row], "", NOW).splitlines()[1].split() == ["m:cloud", "0" * 12, "-", "Never"]


def test_columns_count_cells_not_characters() -> None:
    assert table(("A",), [["日本"], ["ab"]]) == "A    \n日本    \nab      \n"


def test_T25_control_codes_of_a_server_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in listing([stored("\x1b]52;c;AAAA\x07m", "0" * 64, 1, timedelta())], "", NOW)
    assert "\x1b" not in summary({"system": "\x1b[2Jgone", "details": {"family": "\x1b[31m"}})


@pytest.mark.parametrize(
    ("size", "vram", "text"),
    [
        (100, 0, "100% CPU"),
        (0, 0, "100% CPU"),
        (100, 100, "100% GPU"),
        (100, 101, "Unknown"),
        (0, 5, "Unknown"),
        (1000, 255, "75%/25% CPU/GPU"),
        (3, 1, "67%/33% CPU/GPU"),
    ],
)
def test_ps_says_where_a_models_bytes_are(size: int, vram: int, text: str) -> None:
    assert processor(size, vram) == text


def test_ps_sorts_by_expiry_and_matches_case() -> None:
    def loaded(name: str, left: timedelta) -> dict[str, Any]:
        expires = (NOW + left).isoformat()
        return {"name": name, "digest": "f" * 64, "size": 5000, "context_length": 4096, "expires_at": expires}

    models = [
        loaded("a:1", timedelta(seconds=-1)),
        loaded("b:1", timedelta(minutes=4)),
        loaded("c:1", timedelta(days=365 * 292)),
    ]
    assert running(models, "", NOW) == (
        "NAME    ID              SIZE      PROCESSOR    CONTEXT    UNTIL              \n"
        "c:1     ffffffffffff    5.0 KB    100% CPU     4096       Forever               \n"
        "b:1     ffffffffffff    5.0 KB    100% CPU     4096       4 minutes from now    \n"
        "a:1     ffffffffffff    5.0 KB    100% CPU     4096       Stopping...           \n"
    ).replace("5.0 KB", "5 KB").replace("SIZE      ", "SIZE    ")
    assert "b:1" not in running(models, "B", NOW)


def test_the_summary_of_a_small_model() -> None:
    answer = {
        "details": {"family": "test", "parameter_size": "7B", "quantization_level": "FP16"},
        "parameters": 'stop                           "up"\ntemperature                    99',
        "system": "You are a pirate!\n\nAhoy!\nThird line",
        "license": "MIT License\nCopyright (c) Nobody\n",
        "capabilities": ["completion", "tools"],
        "requires": "0.14.0",
    }
    assert summary(answer) == (
        "  Model\n"
        "    architecture    test      \n"
        "    parameters      7B        \n"
        "    quantization    FP16      \n"
        "    requires        0.14.0    \n"
        "\n"
        "  Capabilities\n"
        "    completion    \n"
        "    tools         \n"
        "\n"
        "  Parameters\n"
        '    stop           "up"    \n'
        "    temperature    99      \n"
        "\n"
        "  System\n"
        "    You are a pirate!    \n"
        "    Ahoy!                \n"
        "    ...                  \n"
        "\n"
        "  License\n"
        "    MIT License             \n"
        "    Copyright (c) Nobody    \n"
        "\n"
    )


def test_a_verbose_summary_lists_metadata_and_tensors() -> None:
    answer = {
        "details": {"quantization_level": "Q4_0"},
        "model_info": {
            "general.architecture": "llama",
            "general.parameter_count": 133_700_000,
            "llama.context_length": 4096,
            "llama.rope": 10000.5,
            "tokenizer.tokens": ["<s>", "</s>", "abcdef", "x"],
        },
        "tensors": [{"name": "token_embd.weight", "type": "Q4_0", "shape": [4096, 32000]}],
        "projector_info": {"general.architecture": "clip", "clip.vision.embedding_length": 1024},
    }
    text = summary(answer, verbose=True)
    assert "    parameters        133.70M    \n" in text
    assert "    context length    4096       \n" in text
    assert f"    {'llama.rope':<23}    {'10000.5':<21}    \n" in text
    assert f"    {'tokenizer.tokens':<23}    [<s> </s> ...+2 more]    \n" in text
    assert "    token_embd.weight    Q4_0    [4096 32000]    \n" in text
    assert "  Projector\n    architecture        clip    \n    embedding length    1024    \n" in text
    assert "Metadata" not in summary(answer)


def test_the_context_on_this_machine_is_stated() -> None:
    text = summary({"model_info": {}, "runtime": {"context_length": 8192, "slots": 4}})
    assert "    context here    8192 in 4 slot(s)    \n" in text


def test_T09_the_summary_tells_where_a_model_came_from_and_warns_last() -> None:
    origin = {
        "registry": "https://hf.co",
        "model": "hf.co/u/m:Q4",
        "digest": "0123456789abcdef" * 4,
        "pulled_at": "2026-01-02T03:04:05+01:00",
    }
    text = summary({"origin": origin, "license": "MIT", "warnings": ["the template differs", "and \x1b[2J more"]})
    assert (
        "  Origin\n"
        "    registry     https://hf.co                \n"
        "    model        hf.co/u/m:Q4                 \n"
        "    digest       0123456789ab                 \n"
        "    pulled at    2026-01-02T03:04:05+01:00    \n"
        "\n"
    ) in text
    assert text.partition("  License\n")[2].endswith(
        "  Warnings\n    the template differs    \n    and [2J more            \n\n"
    )


def test_long_cells_wrap_evenly_and_a_long_word_widens_them() -> None:
    assert indented("T", []) == "  T\n\n"
    words = "alpha beta gamma delta epsilon zeta eta"
    lines = [line.strip() for line in summary({"parameters": f"stop {'x' * 40}"}).splitlines()]
    assert f"stop    {'x' * 40}" in lines
    assert "alpha beta gamma delta" in summary({"system": words})
