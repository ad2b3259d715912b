"""A wrong command line is one `Error:` line in the reference's words and exit status 1 (contract ollama-store §6.1)."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Puna

KEEPALIVE = 'invalid argument "-1" for "--keepalive" flag: time: missing unit in duration "-1" (give 5m, 1h30m, 0, -1s)'


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["show"], "accepts 1 arg(s), received 0"),
        (["show", "a", "b"], "accepts 1 arg(s), received 2"),
        (["cp", "a"], "accepts 2 arg(s), received 1"),
        (["rm"], "requires at least 1 arg(s), only received 0"),
        (["run"], "requires at least 1 arg(s), only received 0"),
        (["serve", "x"], "accepts 0 arg(s), received 1"),
        (["stop"], "accepts 1 arg(s), received 0"),
        (["create"], "accepts 1 arg(s), received 0"),
        (["pull"], "accepts 1 arg(s), received 0"),
        (["pull", "a", "--all"], "accepts 0 arg(s), received 1"),
        (["push", "a", "b"], "accepts 1 arg(s), received 2"),
        (["push", "a//b"], "invalid model name"),
        (["verify", "a", "b"], "accepts at most 1 arg(s), received 2"),
        (["list", "--nonsense"], "unknown flag: --nonsense"),
        (["--nonsense"], "unknown flag: --nonsense"),
        (["show", "m", "-xv"], "unknown shorthand flag: 'x' in -xv"),
        (["create", "m", "-f"], "flag needs an argument: 'f' in -f"),
        (["create", "m", "--file"], "flag needs an argument: --file"),
        (["nonsense"], 'unknown command "nonsense" for "puna"'),
        (["sho", "m"], 'unknown command "sho" for "puna"\n\nDid you mean this?\n\tshow'),
        (["show", "m", "--license", "--system"],
         "only one of '--license', '--modelfile', '--parameters', '--system', or '--template' can be specified"),
        (["run", "m", "x", "--think=maybe"],
         'invalid value for --think: "maybe" (must be true, false, high, medium, low, or max)'),
        (["run", "m", "x", "--keepalive", "-1"], KEEPALIVE),
        (["run", "m", "x", "--format", "yaml"], 'invalid format "yaml": give json or a JSON schema object'),
        (["run", "m", "x", "--dimensions", "a"],
         'invalid argument "a" for "--dimensions" flag: must be a whole number'),
        (["run", "m", "x", "--verbose=maybe"], 'invalid argument "maybe" for "--verbose" flag: must be true or false'),
        (["create", "a//b"], "invalid model name: a//b"),
    ],
)  # fmt: skip
def test_a_wrong_command_line(puna: Puna, words: list[str], error: str) -> None:
    result = puna(*words)
    assert (result.status, result.out) == (1, "")
    assert result.err == f"Error: {error}\n"


@pytest.mark.parametrize("words", [[], ["help"], ["--help"], ["-h"]])
def test_help_lists_the_commands_in_order_and_ends_with_the_environment(puna: Puna, words: list[str]) -> None:
    result = puna(*words)
    assert (result.status, result.err) == (0, "")
    names = [line.split()[0] for line in result.out.partition("Commands:\n")[2].splitlines() if line.startswith("  ")]
    commands = [
        "serve",
        "up",
        "arena",
        "code",
        "create",
        "show",
        "run",
        "stop",
        "pull",
        "push",
        "list",
        "ps",
        "cp",
        "rm",
        "verify",
    ]
    assert names[: len(commands)] == commands
    environment = result.out.partition("Environment Variables:\n")[2]
    assert "PUNA_HOST" in environment
    assert "OLLAMA_KEEP_ALIVE" in environment


@pytest.mark.parametrize("words", [["help", "run"], ["run", "--help"], ["run", "-h"]])
def test_each_command_has_its_own_help(puna: Puna, words: list[str]) -> None:
    result = puna(*words)
    assert result.status == 0
    assert result.out.startswith("Usage: puna run MODEL [PROMPT] [OPTIONS]\n")
    assert "--keepalive" in result.out
    assert "Environment Variables" not in result.out


def test_an_unexpected_failure_is_one_line_too(puna: Puna, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> int:
        raise RuntimeError("the roof\x1b[2J fell in")

    monkeypatch.setattr("puna.cli.commands.version.version", broken)
    result = puna("--version")
    assert result.status == 1
    assert result.err == "Error: the roof[2J fell in (set PUNA_DEBUG=1 to see where this happened)\n"
    monkeypatch.setenv("PUNA_DEBUG", "1")
    with pytest.raises(RuntimeError):
        puna("--version")
