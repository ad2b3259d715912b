"""What the engine is asked: media, messages, templates, constraints; and schemas that it must never see."""

from __future__ import annotations

import math
from typing import Any

import jsonschema_rs
import pytest

from puna.engine.biases import MAX_BIASES, read_biases
from puna.engine.bodies import chat_body, completion_body, place_media, template_body
from puna.engine.callschema import call_constraint
from puna.engine.schema import constrain
from puna.engine.types import ChatCompletion, Completion, Props, SamplingOptions
from puna.errors import BadRequest, FieldRefused
from puna.prompts.messages import Message, ToolCall

PROPS = Props(4096, "<M>", True, True, True, False, False, 49_152)
SAMPLING = SamplingOptions()


@pytest.mark.parametrize(
    ("prompt", "media", "text", "order"),
    [
        ("see [img-0] and [img-1]", 2, "see <M> and <M>", [0, 1]),
        ("see [img-1] and [img-0]", 2, "see <M> and <M>", [1, 0]),
        ("see [img] and [img]", 2, "see <M> and <M>", [0, 1]),
        ("see nothing", 2, "<M><M>see nothing", [0, 1]),
        ("see [img-1]", 2, "<M>see <M>", [0, 1]),
        ("[img-7] [img-0] [img]", 1, "[img-7] <M> [img]", [0]),
        ("a <M> of my own [img]", 1, "a  of my own <M>", [0]),
    ],
)
def test_markers_of_images(prompt: str, media: int, text: str, order: list[int]) -> None:
    images = [bytes([number]) for number in range(media)]
    assert place_media(prompt, images, "<M>") == (text, [images[number] for number in order])


def test_images_of_a_raw_prompt_travel_beside_it() -> None:
    body = completion_body(Completion("what is [img]?", SAMPLING, media=(b"\x89PNG",)), PROPS)
    assert body["prompt"] == {"prompt_string": "what is <M>?", "multimodal_data": ["iVBORw=="]}


def test_an_image_cannot_stand_in_a_list_of_tokens() -> None:
    with pytest.raises(BadRequest, match="too long"):
        completion_body(Completion([1, 2], SAMPLING, media=(b"x",)), PROPS)


def test_T07_media_of_messages_are_data_never_addresses() -> None:
    images = (b"\x89PNG", b"RIFF\0\0\0\0WAVE", b"ID3x", b"\xff\xfbx", b"\xff\xd8\xff")
    (message,) = template_body([Message("user", "look", images=images)], (), None)["messages"]
    kinds = [part["type"] for part in message["content"]]
    assert kinds == ["image_url", "input_audio", "input_audio", "input_audio", "image_url", "text"]
    assert all(part["image_url"]["url"].startswith("data:") for part in message["content"] if "image_url" in part)


def test_a_conversation_with_tools_is_openai_shaped() -> None:
    call = ToolCall("c1", "f", {"b": 1, "a": "é"})
    messages = [
        Message("assistant", thinking="hm", tool_calls=(call,)),
        Message("tool", "42", tool_name="f", tool_call_id="c1"),
    ]
    assert template_body(messages, (), None) == {
        "messages": [
            {
                "role": "assistant",
                "content": "",
                "reasoning_content": "hm",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"b":1,"a":"é"}'}}
                ],
            },
            {"role": "tool", "content": "42", "name": "f", "tool_call_id": "c1"},
        ]
    }


@pytest.mark.parametrize(
    ("think", "kwargs"),
    [
        (None, None),
        (True, {"enable_thinking": True}),
        (False, {"enable_thinking": False}),
        ("high", {"enable_thinking": True, "reasoning_effort": "high"}),
    ],
)
def test_think_is_told_to_the_template(think: bool | str | None, kwargs: dict[str, Any] | None) -> None:
    assert template_body([], (), think).get("chat_template_kwargs") == kwargs


def test_constraints_and_probabilities() -> None:
    schema = {"type": "object"}
    raw = completion_body(Completion("a", SAMPLING, constraint=constrain(schema), n_probs=0), PROPS)
    assert (raw["json_schema"]["type"], raw["n_probs"]) == (["object"], 1)
    bomb = constrain({**schema, "x-guidance": {"item_separator": "(,{1000}){1000}"}})
    assert completion_body(Completion("a", SAMPLING, constraint=bomb), PROPS)["json_schema"] == raw["json_schema"]
    chat = chat_body(ChatCompletion([], SAMPLING, n_probs=3), PROPS)
    assert (chat["logprobs"], chat["top_logprobs"]) == (True, 3)
    assert "n_probs" not in completion_body(Completion("a", SAMPLING), PROPS)


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(depth):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "limit"),
    [
        ({"type": "array", "minItems": 10**9}, "repeats"),
        ({"type": "array", "maxItems": 1e300}, "repeats"),
        ({"minItems": 100, "items": {"minItems": 100}}, "repeats"),
        ({"properties": {"a": {"type": "string", "maxLength": 2001}}}, "repeats"),
        ({"pattern": "(a{100}){100}"}, "repeats"),
        ({"pattern": "a{1,9999999}"}, "repeats"),
        ({"pattern": "a" * 513}, "pattern is longer"),
        ({"pattern": "a{5,1}"}, "down to a smaller one"),
        ({"type": "string", "minLength": 5, "maxLength": 1}, "allow nothing"),
        ({"type": "array", "minItems": -1}, "not negative"),
        (nested(40), "nested deeper"),
        ({"enum": list(range(10_001))}, "more than 10000 parts"),
        (nested(100_000), "nested deeper"),
    ],
)
def test_T17_a_schema_that_explodes_is_refused_with_the_limit(schema: dict[str, Any], limit: str) -> None:
    with pytest.raises(BadRequest, match=limit):
        constrain(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object", "properties": {"minItems": {"type": "integer"}, "pattern": {"type": "string"}}},
        {"type": "array", "minItems": 2000, "items": {"type": "string", "pattern": "^[a-z]{2,8}$"}},
        {"properties": {"again": {"$ref": "#"}}},
        nested(15),
    ],
)
def test_T17_ordinary_schemas_pass(schema: dict[str, Any]) -> None:
    assert constrain(schema)


def test_a_reference_to_the_root_of_the_parameters_still_means_them() -> None:
    tree = {"name": "tree", "parameters": {"properties": {"left": {"$ref": "#"}, "n": {"const": 1}}}}
    schema = call_constraint([tree, {"name": "other"}]).schema
    call = {"name": "tree", "arguments": {"left": {"left": {"n": 1}}}}
    assert jsonschema_rs.is_valid(schema, call)
    assert not jsonschema_rs.is_valid(schema, {**call, "arguments": {"left": {"left": {"n": 2}}}})
    assert not jsonschema_rs.is_valid(schema, {**call, "arguments": {"more": 1}})
    assert jsonschema_rs.is_valid(schema, {"name": "other", "arguments": {}})
    assert not jsonschema_rs.is_valid(schema, {"name": "other", "arguments": {"left": {}}})


@pytest.mark.parametrize(
    ("tools", "text"),
    [
        ([{"maxProperties": 1e9}], "invalid tools: maxProperties asks for more than 2000 repeats"),
        ([{"properties": {"a": nested(28)}}], "invalid tools: the schema is nested deeper than 32 levels"),
        ([{"properties": nested(100_000)}], "invalid parameters of tool 'f0': the schema is nested deeper"),
        (
            [{"properties": {"a": {"enum": list(range(6000))}}}] * 2,
            "invalid tools: the schema has more than 10000 parts",
        ),
        ([{"type": "array"}], "must be of type object"),
    ],
)
def test_T17_tools_that_explode_are_refused_with_the_limit(tools: list[dict[str, Any]], text: str) -> None:
    with pytest.raises(FieldRefused, match=text) as caught:
        call_constraint([{"name": f"f{number}", "parameters": parameters} for number, parameters in enumerate(tools)])
    assert caught.value.param == "tools"


POINT = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}


@pytest.mark.parametrize(
    ("parameters", "arguments"),
    [
        ({"additionalProperties": True}, {"unlisted": 1}),
        ({"allOf": [{}]}, {"unlisted": 1}),
        ({"required": ["unlisted"]}, {"unlisted": 1}),
        ({"required": [], "patternProperties": {"^u": {}}}, {"unlisted": 1}),
        ({"properties": {"any": {"type": "object"}}}, {"any": {"unlisted": 1}}),
        ({"$ref": "#/$defs/p", "$defs": {"p": {"additionalProperties": {}}}}, {"unlisted": 1}),
        ({"allOf": [POINT, {"properties": {"y": {}}}]}, {"x": 1, "y": 2}),
        ({"properties": {"a": {}}, "anyOf": [{"required": ["a"]}, POINT]}, {"a": 1, "x": 1}),
    ],
)
def test_what_may_have_other_properties_stays_open(parameters: dict[str, Any], arguments: dict[str, Any]) -> None:
    schema = call_constraint([{"name": "f", "parameters": parameters}]).schema
    assert jsonschema_rs.is_valid(schema, {"name": "f", "arguments": arguments})


@pytest.mark.parametrize(
    ("parameters", "arguments"),
    [
        (None, {}),
        ({}, {}),
        (POINT, {"x": 1}),
        ({"properties": {"at": {"anyOf": [POINT, {"type": "null"}]}}}, {"at": {"x": 1}}),
        ({"properties": {"at": {"$ref": "#/$defs/p"}}, "$defs": {"p": POINT}}, {"at": {"x": 1}}),
        (
            {"properties": {"all": {"type": "array", "items": POINT | {"type": ["object", "null"]}}}},
            {"all": [{"x": 1}]},
        ),
    ],
)
def test_a_small_model_finds_no_room_for_what_nobody_listed(
    parameters: dict[str, Any] | None, arguments: dict[str, Any]
) -> None:
    """SmolLM2 fills such room until its answer is cut."""
    schema = call_constraint([{"name": "f", "parameters": parameters}]).schema
    assert jsonschema_rs.is_valid(schema, {"name": "f", "arguments": arguments})
    for place in objects(arguments):
        place["unlisted"] = 1
        assert not jsonschema_rs.is_valid(schema, {"name": "f", "arguments": arguments})
        del place["unlisted"]


def objects(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value, *(found for part in value.values() for found in objects(part))]
    return [found for part in value for found in objects(part)] if isinstance(value, list) else []


@pytest.mark.parametrize(
    ("biases", "text"),
    [
        ({1: 100.5}, "between -100 and 100"),
        ({1: -math.inf}, "between -100 and 100"),
        ({1: math.nan}, "between -100 and 100"),
        ({1: True}, "between -100 and 100"),
        ({1: "5"}, "between -100 and 100"),
        ({"1": 5}, "token ids"),
        ({True: 5}, "token ids"),
        (dict.fromkeys(range(MAX_BIASES + 1), 1.0), "at most 1024"),
    ],
)
def test_T18_a_bias_outside_its_bounds_is_refused_by_name(biases: Any, text: str) -> None:
    with pytest.raises(FieldRefused, match=text) as caught:
        read_biases(biases)
    assert caught.value.param == "logit_bias"
