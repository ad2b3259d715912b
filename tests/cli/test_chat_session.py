"""What a session remembers, and what it sends."""

from __future__ import annotations

from typing import Any

import pytest

from puna.cli.chat.session import Session
from puna.cli.chat.settings import Outcome, set_command, set_system
from puna.cli.options import RunOptions

SESSION = Session("tiny", RunOptions())
THINKER = SESSION.with_model("deep", {"capabilities": ["thinking"]})


def after(*commands: str, session: Session = SESSION) -> Outcome:
    outcome = Outcome(session)
    for command in commands:
        outcome = set_command(outcome.session, command.split())
    return outcome


@pytest.mark.parametrize("mode", ["wordwrap", "nowordwrap", "verbose", "quiet"])
def test_a_mode_is_confirmed(mode: str) -> None:
    assert after(mode).out == f"Set '{mode}' mode.\n"


def test_modes_change_the_session() -> None:
    assert not after("nowordwrap").session.options.wordwrap
    assert after("nowordwrap", "wordwrap").session.options.wordwrap
    assert after("verbose").session.options.verbose
    assert not after("verbose", "quiet").session.options.verbose
    assert not after("nohistory").session.history
    assert after("nohistory", "history") == Outcome(SESSION)


def test_thinking_is_on_for_a_model_that_can_until_it_is_set() -> None:
    assert THINKER.chat_request()["think"] is True
    assert "think" not in SESSION.chat_request()
    assert after("nothink", session=THINKER).session.chat_request()["think"] is False
    leveled = after("think high", session=THINKER)
    assert (leveled.out, leveled.err) == ("Set 'think' mode to 'high'.\n", "")
    assert leveled.session.chat_request()["think"] == "high"
    assert "think" not in THINKER.with_model("tiny", {}).chat_request()


def test_thinking_for_a_model_that_cannot_is_warned_about() -> None:
    outcome = after("think")
    assert outcome.out == "Set 'think' mode.\n"
    assert outcome.err == 'warning: model "tiny" does not support thinking output\n'


@pytest.mark.parametrize(
    ("command", "values", "text"),
    [
        ("parameter temperature 0.7", {"temperature": 0.7}, "Set parameter 'temperature' to '0.7'\n"),
        ("parameter num_ctx 4096", {"num_ctx": 4096}, "Set parameter 'num_ctx' to '4096'\n"),
        ("parameter stop a b", {"stop": ["a", "b"]}, "Set parameter 'stop' to 'a, b'\n"),
        ("parameter seed x", {}, 'Couldn\'t set parameter: "invalid int value [x]"\n'),
        ("parameter nonsense 1", {}, "Couldn't set parameter: \"unknown parameter 'nonsense'\"\n"),
    ],
)
def test_a_parameter_is_set_or_refused(command: str, values: dict[str, Any], text: str) -> None:
    outcome = after(command)
    assert outcome.out == text
    assert outcome.session.chat_request().get("options", {}) == values


def test_parameters_add_up() -> None:
    request = after("parameter seed 1", "parameter top_k 5", "parameter seed 2").session.chat_request()
    assert request["options"] == {"seed": 2, "top_k": 5}


@pytest.mark.parametrize("command", ["", "parameter", "parameter seed", "system"])
def test_too_few_words_give_the_help(command: str) -> None:
    outcome = after(command)
    assert outcome.out == ""
    assert "Available" in outcome.err


def test_the_format_is_json_or_none() -> None:
    outcome = after("format json")
    assert outcome.out == "Set format to 'json' mode.\n"
    assert outcome.session.chat_request()["format"] == "json"
    assert after("format yaml").out == "Invalid or missing format. For 'json' mode use '/set format json'\n"
    assert after("format").out == after("format yaml").out
    cleared = after("format json", "noformat")
    assert cleared.out == "Disabled format.\n"
    assert "format" not in cleared.session.chat_request()


def test_an_unknown_switch_is_told() -> None:
    assert after("nonsense x").out == "Unknown command '/set nonsense'. Type /? for help\n"


def test_a_system_message_replaces_only_one_directly_before() -> None:
    session = SESSION.with_system("a").with_system("b")
    assert session.messages == ({"role": "system", "content": "b"},)
    session = session.with_message("user", "hi").with_system("c")
    assert [message["content"] for message in session.messages] == ["b", "hi", "c"]
    assert set_system(SESSION, "x").out == "Set system message.\n"


def test_clearing_keeps_the_sessions_system_message() -> None:
    session = SESSION.with_system("a").with_message("user", "hi").cleared()
    assert session.messages == ({"role": "system", "content": "a"},)
    assert SESSION.with_message("user", "hi").cleared().messages == ()


def test_the_running_history_is_sent_with_its_thinking() -> None:
    session = SESSION.with_message("user", "q", images=["aGk="]).with_message("assistant", "a", thinking="hm")
    assert session.chat_request() == {
        "model": "tiny",
        "messages": [
            {"role": "user", "content": "q", "images": ["aGk="]},
            {"role": "assistant", "content": "a", "thinking": "hm"},
        ],
    }


def test_saving_starts_from_the_parent_and_takes_everything_along() -> None:
    info = {"details": {"parent_model": "base:latest"}, "messages": [{"role": "user", "content": "preset"}]}
    session = after("parameter seed 1", session=SESSION.with_model("mine", info).with_system("s")).session
    assert session.create_request("new") == {
        "model": "new",
        "from": "base:latest",
        "system": "s",
        "parameters": {"seed": 1},
        "messages": [{"role": "user", "content": "preset"}, {"role": "system", "content": "s"}],
    }
    assert SESSION.create_request("new") == {"model": "new", "from": "tiny"}


def test_another_model_starts_a_new_conversation_with_the_same_settings() -> None:
    session = after("verbose", "parameter seed 1", session=SESSION.with_message("user", "hi")).session
    loaded = session.with_model("other", {"capabilities": ["vision"]})
    assert (loaded.model, loaded.messages, loaded.sees_media) == ("other", (), True)
    assert loaded.options.verbose
    assert loaded.parameters == {"seed": 1}
