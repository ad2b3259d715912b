"""Which chat requests are taken, what of them goes upstream, and in which order they are refused (§1.3, §1.5)."""

from __future__ import annotations

from typing import Any

import pytest

from puna.arena.conversation import Message, cut
from puna.arena.failures import Refused
from puna.arena.request import ChatRequest, Limits, read_chat

USER = {"role": "user", "content": "2+2?"}
SYSTEM = {"role": "system", "content": "Be short."}


def read(**body: Any) -> ChatRequest:
    return read_chat(body, Limits())


def refusal(**body: Any) -> str:
    with pytest.raises(Refused) as caught:
        read(**body)
    return caught.value.message


def said(chat: ChatRequest) -> list[dict[str, str]]:
    return [message.wire() for message in chat.questions[0].messages]


def talk(*turns: str) -> list[Message]:
    """`s1 u1 a1`: the first letter is the role."""
    roles = {"s": "system", "u": "user", "a": "assistant"}
    return [Message(roles[turn[0]], turn) for turn in turns]


def kept(limit: int, *turns: str) -> str:
    return " ".join(message.content for message in cut(talk(*turns), limit))


def test_B1_a_lone_question_is_enough() -> None:
    assert said(read(history=[USER], models=["m"])) == [USER]


@pytest.mark.parametrize(
    "history", [None, [], "text", {}, [SYSTEM], [{"role": "user", "content": " \n"}], [{**USER, "role": "assistant"}]]
)
def test_B1_without_a_question_there_is_nothing_to_answer(history: object) -> None:
    assert refusal(history=history, models=["m"]) == "No messages provided"


@pytest.mark.parametrize(
    "message", ["text", None, {"role": "tool", "content": "x"}, {"role": ["user"], "content": "x"}, {"content": "x"},
                {"role": "user"}, {"role": "user", "content": 7}, {"role": "user", "content": [{"type": "text"}]}],
)  # fmt: skip
def test_a_message_has_a_known_role_and_a_text(message: object) -> None:
    assert refusal(history=[USER, message], models=["m"]) == "Invalid message at index 1"


def test_B2_other_keys_of_a_message_stay_here() -> None:
    assert said(read(history=[{**USER, "id": 7, "metrics": {}, "model": "m"}], models=["m"])) == [USER]


def test_B3_the_order_is_kept_and_there_may_be_several_system_messages() -> None:
    history = [SYSTEM, {**SYSTEM, "content": "b"}, USER, {"role": "assistant", "content": "4"}, SYSTEM, USER]
    assert said(read(history=history, models=["m"])) == history


def test_B4_a_last_turn_of_the_assistant_is_passed_on() -> None:
    history = [USER, {"role": "assistant", "content": "The answer is"}]
    assert said(read(history=history, models=["m"])) == history


def test_B5_the_older_fields_are_understood() -> None:
    chat = read(message="2+2?", system="Be short.", model="m")
    assert said(chat) == [SYSTEM, USER]
    assert [(instance.id, instance.model) for instance in chat.instances] == [("m", "m")]
    assert said(read(history=[USER], message="2+2?", model="m")) == [USER]
    assert said(read(history=[SYSTEM], message="2+2?", system="other", model="m")) == [SYSTEM, USER]


def test_recommended_instances_win_over_models_when_there_are_any() -> None:
    chat = read(history=[USER], model_instances=[{"model": "a", "id": "x"}], models=["b"])
    assert ([instance.id for instance in chat.instances], chat.key) == (["x"], "instance_id")
    chat = read(history=[USER], model_instances=[], models="b")
    assert ([instance.id for instance in chat.instances], chat.key) == (["b"], "model")


@pytest.mark.parametrize(
    "fields", [{}, {"models": []}, {"models": ""}, {"models": None, "model": ""}, {"model_instances": []}]
)
def test_without_instances_and_models_nobody_is_asked(fields: dict[str, Any]) -> None:
    assert refusal(history=[USER], **fields) == "No models selected"


def test_only_true_makes_a_stream() -> None:
    assert read(history=[USER], model="m", stream=True).stream
    assert not read(history=[USER], model="m", stream=None).stream


def test_a_request_is_checked_in_the_order_of_the_document() -> None:
    many = [{"model": "m", "id": "same"}] * 9
    assert refusal(history=["x"]) == "Invalid message at index 0"
    assert refusal() == "No messages provided"
    assert refusal(history=[USER]) == "No models selected"
    assert refusal(history=[USER], model_instances=[*many, {"model": ""}]) == "Model name is required"
    assert refusal(history=[USER], model_instances=many) == "Too many model instances: maximum 8"
    assert refusal(history=[USER], model_instances=many[:2]) == "Duplicate model instance detected: same"


def test_C4_an_instance_may_name_a_configured_endpoint_and_nothing_else() -> None:
    def at(endpoint: str) -> dict[str, Any]:
        return {"history": [USER], "model_instances": [{"model": "m", "endpoint": endpoint}]}

    assert read_chat(at("lab"), Limits(), ("here", "lab")).instances[0].endpoint == "lab"
    assert (
        read_chat(at("here"), Limits(), ("here", "lab")).instances[0].endpoint == ""
    )  # the default, so the same player
    with pytest.raises(Refused, match=r"^Invalid endpoint: must be one of here, lab$"):
        read_chat(at("http://169.254.169.254"), Limits(), ("here", "lab"))


def test_B9_a_history_within_the_limit_is_not_cut() -> None:
    assert kept(4, "s1", "a1", "u1", "a2") == "s1 a1 u1 a2"


def test_B9_system_messages_at_the_beginning_stay_and_then_the_newest() -> None:
    assert kept(4, "s1", "s2", "u1", "a1", "u2", "a2", "u3") == "s1 s2 u3"
    assert kept(5, "s1", "s2", "u1", "a1", "u2", "a2", "u3") == "s1 s2 u2 a2 u3"


def test_B9_an_answer_without_its_question_is_dropped() -> None:
    assert kept(2, "u1", "a1", "u2") == "u2"
    assert kept(3, "u1", "u2", "a1", "a2", "u3") == "u3"


def test_B9_the_question_stays_however_small_the_limit() -> None:
    assert kept(1, "s1", "s2", "u1", "u2") == "s1 s2 u2"
    assert kept(1, "u1", "a1", "u2", "a2") == "u2 a2"


def test_B9_the_limit_is_the_operators() -> None:
    body = {"history": [{"role": "user", "content": str(number)} for number in range(50)], "model": "m"}
    assert [item["content"] for item in said(read_chat(body, Limits(messages=2)))] == ["48", "49"]
    assert len(said(read_chat(body, Limits()))) == 40
