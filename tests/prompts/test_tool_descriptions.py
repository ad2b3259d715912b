"""Tools of a request: what is kept, what is dropped, what is refused (contract ollama-http §4.9)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from puna.errors import BadRequest
from puna.prompts import normalise_tools


def function(**fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", **fields}}


def with_property(schema: Any) -> list[Any]:
    return [function(parameters={"type": "object", "properties": {"p": schema}})]


def test_known_keywords_are_kept_in_order_and_others_dropped() -> None:
    schema = {
        "required": ["x"], "description": "d", "minimum": 1, "type": "object", "default": {}, "enum": [1, "a", None],
        "properties": {"x": {"type": ["string", "null"], "pattern": "a+"}, "b": {"type": "array", "items": {"format": "date"}}},
        "anyOf": [{"const": 1, "type": "integer"}],
    }  # fmt: skip
    (tool,) = normalise_tools(with_property(schema))
    assert json.dumps(tool["function"]["parameters"]["properties"]["p"]) == json.dumps(
        {
            "anyOf": [{"type": "integer"}],
            "type": "object",
            "description": "d",
            "enum": [1, "a", None],
            "properties": {"x": {"type": ["string", "null"]}, "b": {"type": "array", "items": {"format": "date"}}},
            "required": ["x"],
        }
    )


def test_parameters_keep_definitions_and_gain_what_is_missing() -> None:
    parameters = {"$defs": {"a": {"x-y": 1}}, "required": ["a"], "properties": {}, "additionalProperties": False}
    tools = normalise_tools([function(parameters=parameters, strict=True), {"function": {"name": "g"}}])
    assert tools == (
        {
            "type": "function",
            "function": {
                "name": "f",
                "parameters": {"type": "object", "$defs": {"a": {"x-y": 1}}, "required": ["a"], "properties": {}},
            },
        },
        {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}},
    )


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (["x"], r"tools\[0\] must be an object"),
        ([None], r"tools\[0\] must be an object"),
        ([{}], r"tools\[0\]\.function must be an object"),
        ([{"function": {}}], r"tools\[0\]\.function\.name is required"),
        ([{"function": {"name": 1}}], r"function\.name must be a string"),
        ([{"type": 1, "function": {"name": "f"}}], r"tools\[0\]\.type must be a string"),
        ([function(description=[])], r"function\.description must be a string"),
        ([function(parameters=[])], r"function\.parameters must be an object"),
        ([function(parameters={"type": ["object"]})], r"parameters\.type must be a string"),
        ([function(parameters={"required": "p"})], r"parameters\.required must be a list"),
        ([function(parameters={"required": [1]})], r"parameters\.required must be a list of strings"),
        ([function(parameters={"properties": []})], r"parameters\.properties must be an object"),
        (with_property("string"), r"properties\.p must be an object"),
        (with_property({"type": 1}), r"properties\.p\.type must be a list"),
        (with_property({"type": [1]}), r"properties\.p\.type must be a list of strings"),
        (with_property({"enum": "a"}), r"properties\.p\.enum must be a list"),
        (with_property({"anyOf": {}}), r"properties\.p\.anyOf must be a list"),
        (with_property({"anyOf": [1]}), r"properties\.p\.anyOf\[0\] must be an object"),
        (with_property({"properties": {"q": {"required": {}}}}), r"p\.properties\.q\.required must be a list"),
        (with_property({"description": 1}), r"properties\.p\.description must be a string"),
    ],
)
def test_wrong_types_are_refused_by_place(raw: list[Any], place: str) -> None:
    with pytest.raises(BadRequest, match=place):
        normalise_tools(raw)


def test_schemas_nested_too_deep_are_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(500):
        schema = {"properties": {"p": schema}}
    with pytest.raises(BadRequest, match="nested deeper than 64 levels"):
        normalise_tools(with_property(schema))
