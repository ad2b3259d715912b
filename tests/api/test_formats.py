"""`format`: what constrains an answer, what is refused, and what must not harm the engine (§4.7, threats T17)."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.servers import Answer, Server

HI = [{"role": "user", "content": "hi"}]
OPTIONS = {"num_predict": 64, "seed": 1}


def both(server: Server, **fields: Any) -> list[Answer]:
    body = {"model": "M", "stream": False, "options": OPTIONS, **fields}
    return [
        server.post("/api/generate", {**body, "prompt": "hi"}),
        server.post("/api/chat", {**body, "messages": HI}),
    ]


def texts(server: Server, **fields: Any) -> list[str]:
    answers = both(server, **fields)
    assert [answer.status for answer in answers] == [200, 200], [answer.body for answer in answers]
    return [answers[0].json["response"], answers[1].json["message"]["content"]]


PERSON = {
    "title": "Person",
    "type": "object",
    "properties": {
        "name": {"enum": ["Ada", "Grace"]},
        "age": {"anyOf": [{"enum": [36, 85]}, {"type": "null"}], "default": None},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/Tag"}, "maxItems": 2},
    },
    "$defs": {"Tag": {"enum": ["x", "y"], "type": "string"}},
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}


def test_an_answer_follows_its_schema(server: Server) -> None:
    for text in texts(server, format=PERSON, options={"num_predict": 400, "seed": 1}):
        person = json.loads(text)
        assert person["name"] in ("Ada", "Grace")
        assert person["age"] in (36, 85, None)
        assert set(person["tags"]) <= {"x", "y"}


def test_json_is_an_object(server: Server) -> None:
    for text in texts(server, format="json"):
        assert text.lstrip().startswith("{")


@pytest.mark.parametrize("nothing", [None, ""])
def test_an_empty_format_is_none(server: Server, nothing: Any) -> None:
    assert texts(server, format=nothing) == texts(server)


@pytest.mark.parametrize(
    ("value", "quoted"),
    [("xml", r'"\"xml\""'), ([1], '"[1]"'), (3, '"3"'), (True, '"true"'), (["json"], r'"[\"json\"]"')],
)
def test_a_format_that_is_none_is_a_500_with_the_contracts_text(server: Server, value: Any, quoted: str) -> None:
    text = f'invalid format: {quoted}; expected "json" or a valid JSON Schema object'
    for answer in both(server, format=value):
        assert (answer.status, answer.json) == (500, {"error": text})
    assert server.post("/api/generate", {"model": "M", "format": value}).json["done_reason"] == "load"


def _nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return schema


BOMBS: dict[str, dict[str, Any]] = {
    "a billion items": {"type": "array", "items": {"type": "integer"}, "minItems": 10**9},
    "items of items": {"type": "array", "minItems": 1000, "items": {"type": "array", "minItems": 1000}},
    "a long text": {"type": "string", "minLength": 10**7},
    "fewer than none": {"type": "array", "minItems": -1},
    "from five to one": {"type": "string", "minLength": 5, "maxLength": 1},
    "a pattern from five to one": {"type": "string", "pattern": "^a{5,1}$"},
    "a pattern of patterns": {"type": "string", "pattern": "^((a{100}){100}){100}$"},
    "a long pattern": {"type": "string", "pattern": "(a|b)" * 1000},
    "a deep one": _nested(28),
    "a wide one": {"enum": list(range(20_000))},
    "itself": {"$ref": "#"},
    "a circle": {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
    "somewhere else": {"$ref": "http://127.0.0.1:9/schema"},
    "nowhere": {"$ref": "#/nowhere"},
    "no such type": {"type": "nonsense"},
    "a type that is none": {"type": 3},
    "no choice": {"enum": []},
    "nothing of anything": {"anyOf": []},
    "a contradiction": {"allOf": [{"type": "string"}, {"type": "integer"}]},
    "an empty range": {"type": "integer", "minimum": 5, "maximum": 1},
    "a division by zero": {"type": "integer", "multipleOf": 0},
    "properties that are none": {"type": "object", "properties": 3},
    "items that are none": {"type": "array", "items": 7},
    "an open pattern": {"type": "string", "pattern": "("},
    "half an item": {"type": "array", "minItems": 1.5},
}


@pytest.mark.parametrize("schema", BOMBS.values(), ids=BOMBS.keys())
def test_T17_a_schema_that_cannot_be_followed_is_a_400_soon(server: Server, schema: dict[str, Any]) -> None:
    server.post("/api/generate", {"model": "M"})
    lives = server.lives("M")
    began = time.monotonic()
    for answer in both(server, format=schema):
        assert answer.status == 400, answer.body
        assert answer.json["error"]
    assert time.monotonic() - began < 10
    assert server.lives("M") == lives


ODD: dict[str, dict[str, Any]] = {
    "anything": {},
    "a tree": {
        "$defs": {"t": {"type": "object", "properties": {"c": {"type": "array", "items": {"$ref": "#/$defs/t"}}}}},
        "$ref": "#/$defs/t",
    },
    "unknown keywords": {
        "type": "object",
        "if": {"type": "string"},
        "x-guidance": {"bogus": 1},
        "dependentRequired": {},
    },
    "a pattern": {"type": "string", "pattern": "^(a+)+$"},
    "groups in groups": {"type": "string", "pattern": "(" * 100 + "a" + ")" * 100},
    "half a character": {"const": "\ud83d"},
    "a far integer": {"type": "integer", "minimum": -(10**18), "maximum": 10**18},
}


@pytest.mark.parametrize("schema", ODD.values(), ids=ODD.keys())
def test_T17_an_odd_schema_is_served_or_refused(server: Server, schema: dict[str, Any]) -> None:
    server.post("/api/generate", {"model": "M"})
    lives = server.lives("M")
    for answer in both(server, format=schema, options={"num_predict": 16, "seed": 1}):
        assert answer.status in (200, 400), answer.body
    assert server.lives("M") == lives


def test_a_keyword_that_cannot_be_held_is_refused_by_name(server: Server) -> None:
    schema = {"type": "array", "items": {"enum": [1, 2]}, "uniqueItems": True}
    for answer in both(server, format=schema):
        text = "invalid format: uniqueItems cannot be forced on an answer; leave it out"
        assert (answer.status, answer.json) == (400, {"error": text})


def test_no_text_is_ever_unconstrained(server: Server) -> None:
    """A keyword that nobody knows must not switch the constraint off."""
    schema = {"type": "array", "items": {"enum": [1, 2]}, "x-order": 1, "minItems": 2, "maxItems": 2}
    for text in texts(server, format=schema, options={"num_predict": 300, "seed": 1}):
        assert set(json.loads(text)) <= {1, 2}


def test_T18_no_field_of_the_engine_gets_through(server: Server) -> None:
    """`grammar`, `n_discard` and their like are not options: they are ignored, not passed on."""
    smuggled = {"grammar": 'root ::= "x"', "n_discard": -1, "json_schema": {"enum": []}, "samplers": [], "id_slot": 99}
    options = {**OPTIONS, "num_predict": 4}
    assert texts(server, options={**options, **smuggled}) == texts(server, options=options)
    body = {"model": "M", "prompt": "hi", "stream": False, "options": options, **smuggled}
    assert server.post("/api/generate", body).json["response"] == texts(server, options=options)[0]


def test_images_on_a_model_without_vision_are_refused_by_name(server: Server) -> None:
    picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    text = "registry.ollama.ai/library/M:latest does not support vision"
    answers = [
        server.post("/api/generate", {"model": "M", "prompt": "hi", "images": [picture]}),
        server.post("/api/chat", {"model": "M", "messages": [{**HI[0], "images": [picture]}]}),
    ]
    for answer in answers:
        assert (answer.status, answer.json) == (400, {"error": text})
    broken = server.post("/api/generate", {"model": "M", "prompt": "hi", "images": ["data:image/png;base64,AAAA"]})
    assert broken.status == 400
    assert broken.json["error"].startswith("illegal base64 data at input byte 4")
