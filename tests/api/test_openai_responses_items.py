"""Input items as messages, and chunks as output items: the pure parts of `/v1/responses` (contract ollama-http §6.6)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puna.api.openai.responses_input import input_messages
from puna.api.openai.responses_output import Output
from puna.api.openai.responses_schema import ResponsesBody
from puna.api.openai.responses_tools import Toolbox, toolbox
from puna.engine import Chunk, Logprob
from puna.prompts.messages import Message, ToolCall

CALL = {"type": "function_call", "call_id": "a", "name": "look", "arguments": '{"at": 1}'}
OUTPUT = {"type": "function_call_output", "call_id": "a", "output": "a llama"}
LOOKED = ToolCall("a", "look", {"at": 1})


def messages(*items: Any, instructions: str = "") -> list[Message]:
    return input_messages(instructions, ResponsesBody.model_validate({"input": list(items)}).input)


def said(role: str, content: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": content}


def test_a_text_is_what_the_user_says() -> None:
    body = ResponsesBody.model_validate({"input": "hi"})
    assert input_messages("Be brief.", body.input) == [Message("system", "Be brief."), Message("user", "hi")]


def test_parts_are_joined_and_images_attached() -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64," + base64.b64encode(b"png").decode()}
    parts = [{"type": "input_text", "text": "what "}, image, {"type": "input_text", "text": "is it?"}]
    assert messages({"role": "user", "content": parts}) == [Message("user", "what is it?", images=(b"png",))]
    output = {**OUTPUT, "output": [{"type": "input_text", "text": "see"}, image]}
    assert messages(output) == [Message("tool", "see", images=(b"png",), tool_call_id="a")]


def test_developers_speak_as_the_system() -> None:
    assert messages(said("developer", "Be brief."), said("USER", "hi")) == [
        Message("system", "Be brief."),
        Message("user", "hi"),
    ]


def test_reasoning_and_calls_join_the_assistants_message() -> None:
    thought = {"type": "reasoning", "summary": [], "encrypted_content": "hm"}
    second = {**CALL, "call_id": "b"}
    one, user = said("assistant", [{"type": "output_text", "text": "ok"}]), said("user", "hi")
    calls = (LOOKED, ToolCall("b", "look", {"at": 1}, 1))
    result = Message("tool", "a llama", tool_name="look", tool_call_id="a")
    asked = Message("user", "hi")
    assert messages(user, thought, one, CALL, second, OUTPUT) == [
        asked, Message("assistant", "ok", "hm", tool_calls=calls), result
    ]  # fmt: skip
    assert messages(user, thought, CALL, OUTPUT) == [
        asked, Message("assistant", "", "hm", tool_calls=(LOOKED,)), result
    ]  # fmt: skip
    assert messages(CALL, thought, second) == [Message("assistant", "", "hm", tool_calls=calls)]
    assert messages(thought, user) == [Message("assistant", "", "hm"), asked]
    assert messages(user, thought) == [asked, Message("assistant", "", "hm")]


def test_reasoning_without_its_content_is_its_summary() -> None:
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": None}
    assert messages(thought, said("assistant", "ok")) == [Message("assistant", "ok", "hm")]


def test_what_a_hosted_search_found_is_ignored() -> None:
    assert messages({"type": "web_search_call", "action": {"type": "search"}}, said("user", "hi")) == [
        Message("user", "hi")
    ]


def test_names_of_functions_are_whole() -> None:
    found = messages({**CALL, "namespace": "eyes"}, OUTPUT)
    assert found[0].tool_calls[0].name == found[1].tool_name == "eyes.look"
    assert messages(OUTPUT)[0].tool_name == ""


EYES = {"type": "namespace", "name": "eyes", "tools": [{"type": "function", "name": "look"}]}


def grown(chunks: list[Chunk], box: Toolbox | None = None) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    output = Output("1", box or toolbox([EYES], "auto"))
    events = [event for chunk in chunks for event in output.feed(chunk)] + output.finish()
    return events, output.items


def test_text_before_a_call_is_kept_and_text_after_it_is_not() -> None:
    chunks = [Chunk("I look."), Chunk("ok", tool_calls=(ToolCall("a", "eyes.look", {}),)), Chunk("more")]
    events, items = grown(chunks)
    assert [item["type"] for item in items] == ["message", "function_call"]
    assert items[0]["content"][0]["text"] == "I look.ok"
    assert (items[1]["namespace"], items[1]["name"], items[1]["arguments"]) == ("eyes", "look", "{}")
    assert [event["output_index"] for event in events] == sorted(event["output_index"] for event in events)


def test_calls_without_an_id_get_one_each() -> None:
    _, items = grown([Chunk(tool_calls=(ToolCall("", "x", {}), ToolCall("", "x", {}, 1)))])
    ids = {item["call_id"] for item in items}
    assert (len(ids), "" in ids) == (2, False)


def test_logprobs_stay_with_the_text() -> None:
    entry = Logprob("ok", -0.5, b"ok", (Logprob("ok", -0.5, b"ok"),))
    told = {"token": "ok", "logprob": -0.5, "bytes": [111, 107]}
    events, items = grown([Chunk("ok", logprobs=(entry,))])
    whole = [{**told, "top_logprobs": [told]}]
    assert items[0]["content"][0]["logprobs"] == whole
    delta = next(event for event in events if event["type"] == "response.output_text.delta")
    assert delta["logprobs"] == whole


def _pieces() -> Iterator[st.SearchStrategy[Chunk]]:
    text = st.text(max_size=4)
    yield text.map(lambda value: Chunk(value))
    yield text.map(lambda value: Chunk(thinking=value))
    yield st.builds(lambda a, b: Chunk(a, b), text, text)
    yield st.builds(lambda a: Chunk(a, tool_calls=(ToolCall("", "eyes.look", {"at": a}),)), text)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(*_pieces()), max_size=8))
def test_any_answer_is_told_in_order(chunks: list[Chunk]) -> None:
    """Items open and close one after the other, and their deltas add up to what the finished items say."""
    events, items = grown(chunks)
    assert items
    for index, item in enumerate(items):
        own = [event for event in events if event["output_index"] == index]
        assert own[0]["type"] == "response.output_item.added"
        assert own[-1] == {"type": "response.output_item.done", "output_index": index, "item": item}
        assert {event["item_id"] for event in own[1:-1]} == {item["id"]}
        assert events[events.index(own[0]) :][: len(own)] == own
        text = "".join(event["delta"] for event in own if event["type"].endswith(".delta"))
        match item["type"]:
            case "message":
                assert item["content"][0]["text"] == text
            case "reasoning":
                assert item["encrypted_content"] == item["summary"][0]["text"] == text
            case "function_call":
                assert item["arguments"] == text
    assert len({item["id"] for item in items}) == len(items)


@pytest.mark.parametrize("tools", [[], [EYES], [{"type": "web_search"}, EYES]])
def test_a_name_that_is_not_in_a_name_space_is_whole(tools: list[dict[str, Any]]) -> None:
    assert toolbox(tools, "auto").parted("other.look") == ("", "other.look")
