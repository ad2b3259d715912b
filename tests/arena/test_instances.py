"""What an instance is, which settings it takes, and its id (contract arena §1.5, §1.6)."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest

from puna.arena.failures import Refused
from puna.arena.instances import (
    Instance,
    Sampling,
    check_count_and_ids,
    checked_name,
    instance_wire,
    named_models,
    rated_name,
    read_instances,
)

RANGES: list[tuple[str, Any, Any]] = [
    ("temperature", 0.01, 2.0),
    ("top_p", 0, 1),
    ("top_k", 0, 100),
    ("repeat_penalty", 1.0, 2.0),
    ("num_predict", -1, 4096),
]


def one(**settings: Any) -> Instance:
    (instance,) = read_instances([{"model": "m", **settings}])
    return instance


def refusal(*items: Any) -> str:
    with pytest.raises(Refused) as caught:
        read_instances(items)
    return caught.value.message


def options(instance: Instance) -> dict[str, float]:
    assert instance.sampling is not None
    return instance.sampling.options()


@pytest.mark.parametrize(("field", "low", "high"), RANGES)
def test_B6_the_ends_of_a_range_are_valid(field: str, low: Any, high: Any) -> None:
    assert options(one(**{field: low}))[field] == low
    assert options(one(**{field: high}))[field] == high


@pytest.mark.parametrize(("field", "low", "high"), RANGES)
def test_B6_what_is_out_of_range_is_refused_and_never_clamped(field: str, low: Any, high: Any) -> None:
    for value in (low - 1, high + 1, -1e300, 10**40):
        assert refusal({"model": "m", field: value}) == f"Invalid {field}: must be between {low} and {high}"


def test_B6_seeds_reach_to_what_every_JSON_reader_keeps() -> None:
    assert options(one(seed=2**53 - 1))["seed"] == 2**53 - 1
    assert refusal({"model": "m", "seed": -1}) == "Invalid seed: must be 0 or greater"
    assert refusal({"model": "m", "seed": 2**53}) == "Invalid seed: must be between 0 and 9007199254740991"


@pytest.mark.parametrize("field", ["top_k", "num_predict", "seed"])
def test_B6_integers_may_be_written_with_a_point(field: str) -> None:
    assert json.dumps(options(one(**{field: 40.0}))[field]) == "40"
    assert refusal({"model": "m", field: 40.5}) == f"Invalid {field}: must be an integer"


@pytest.mark.parametrize("field", ["temperature", "top_p", "top_k", "repeat_penalty", "num_predict", "seed"])
@pytest.mark.parametrize("value", ["1", True, float("nan"), float("inf"), [], {}])
def test_a_setting_that_is_no_number_is_refused(field: str, value: object) -> None:
    assert refusal({"model": "m", field: value}) == f"Invalid {field}: must be a number"


def test_B7_zero_is_a_value() -> None:
    told = options(one(top_p=0, top_k=0))
    assert (told["top_p"], told["top_k"]) == (0, 0)


def test_B8_absent_settings_are_sent_with_the_documented_defaults_but_the_seed() -> None:
    told = {"temperature": 0.7, "top_p": 0.9, "top_k": 40, "repeat_penalty": 1.1, "num_predict": -1}
    assert options(one()) == options(one(top_k=None, seed=None)) == told
    assert options(one(seed=7)) == {**told, "seed": 7}


def test_B8_the_legacy_format_sends_no_options() -> None:
    assert named_models(["llama3.2:3b"]) == (Instance("llama3.2:3b", "llama3.2:3b", None),)


def test_B10_legacy_repeats_are_duplicates() -> None:
    with pytest.raises(Refused, match=r"^Duplicate model instance detected: m:1b$"):
        check_count_and_ids(named_models(["m:1b", "n", "m:1b"]), 8)


@pytest.mark.parametrize("item", ["m", 7, [], None])
def test_an_instance_is_an_object(item: object) -> None:
    assert refusal({"model": "m"}, item) == "Invalid model instance at index 1"


@pytest.mark.parametrize("given", ["", "x" * 201, "a\nb", "a\x7f", 7, ["a"]])
def test_an_id_is_a_short_text_without_control_characters(given: object) -> None:
    assert refusal({"model": "m", "id": given}) == "Invalid instance id at index 0"


@pytest.mark.parametrize("name", [None, "", "  ", 7, ["m"]])
def test_P4_a_model_has_a_name(name: object) -> None:
    assert refusal({"model": name}) == "Model name is required"


@pytest.mark.parametrize("name", ["a b", "-a", "../x", "a\n", "x" * 201, "ä", "a;b", "<b>"])
def test_G7_names_that_could_mean_something_else_are_refused(name: str) -> None:
    assert refusal({"model": name}) == "Invalid model name"


@pytest.mark.parametrize("name", ["m", "_x", "hf.co/org/Model-GGUF:Q4_K_M", "a@sha256:0f", "x" * 200])
def test_G7_names_as_models_have_them_are_taken(name: str) -> None:
    assert checked_name(name) == name


def test_an_instance_is_checked_in_the_order_of_the_document() -> None:
    assert refusal({"id": "", "top_k": "x"}) == "Model name is required"
    assert refusal({"model": "m", "id": "", "top_k": "x"}) == "Invalid instance id at index 0"
    assert refusal({"model": "m", "seed": -1, "temperature": 9}).startswith("Invalid temperature")
    assert refusal({"model": "m", "seed": -1}, "no object") == "Invalid seed: must be 0 or greater"


def test_I1_everything_but_letters_digits_dashes_and_underscores_becomes_an_underscore() -> None:
    assert one(model="a.b:c/d@e-f_g").id.startswith("a_b_c_d_e-f_g__")


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (1, "1"), (0.1234567, "0.123457"), (0.01, "0.01"), (1.5, "1.5"), (2, "2"), (0.1 + 0.2, "0.3")],
)
def test_I2_decimals_are_short_and_without_an_exponent(value: float, text: str) -> None:
    assert one(temperature=value).id == f"m__{text}_0.9_40_1.1_-1_0"
    assert one(top_p=-0.0, top_k=-0.0).id == "m__0.7_0_0_1.1_-1_0"
    assert one(top_p=1e-7).id == "m__0.7_0_40_1.1_-1_0"


def test_I3_models_whose_names_differ_in_punctuation_only_are_told_apart() -> None:
    first, second, third = read_instances([{"model": "a.b"}, {"model": "a:b"}, {"model": "a.b", "seed": 1}])
    assert second.id == f"{first.id}__{sha256(b'a:b').hexdigest()[:8]}"
    assert third.id == "a_b__0.7_0.9_40_1.1_-1_1"
    check_count_and_ids((first, second, third), 8)


def test_I4_ids_of_the_client_are_kept_and_need_not_fit_the_settings() -> None:
    mine = read_instances([{"model": "m", "id": "Größe (1)"}, {"model": "m", "id": "__proto__"}])
    assert [instance.id for instance in mine] == ["Größe (1)", "__proto__"]
    check_count_and_ids(mine, 8)
    with pytest.raises(Refused, match=r"Duplicate model instance detected: a$"):
        check_count_and_ids(read_instances([{"model": "m", "id": "a"}, {"model": "n", "id": "a"}]), 8)


def test_I4_equal_settings_without_ids_are_duplicates() -> None:
    with pytest.raises(Refused, match=r"Duplicate model instance detected: m__0.7_0.9_40_1.1_-1_0$"):
        check_count_and_ids(read_instances([{"model": "m"}, {"model": "m", "top_k": 40.0}]), 8)


VECTORS = [
    ("llama3.2:3b", Sampling(), "llama3_2_3b__0.7_0.9_40_1.1_-1_0"),
    ("qwen2.5:3b", Sampling(0.5, 0.8, 30, 1.2, 500, 42), "qwen2_5_3b__0.5_0.8_30_1.2_500_42"),
    ("gemma3:1b", Sampling(2.0, 1.0, 0, 1.0, 4096, 7), "gemma3_1b__2_1_0_1_4096_7"),
    (
        "hf.co/org/Model-GGUF:Q4_K_M",
        Sampling(0.01, 0, 100, 2, -1, 0),
        "hf_co_org_Model-GGUF_Q4_K_M__0.01_0_100_2_-1_0",
    ),
]


@pytest.mark.parametrize(("model", "sampling", "expected"), VECTORS)
def test_I5_I6_ids_are_those_of_the_document(model: str, sampling: Sampling, expected: str) -> None:
    settings = sampling.options() | {"seed": sampling.seed}
    assert one(model=model, **settings).id == expected


def extended(**item: Any) -> Instance:
    (instance,) = read_instances([{"model": "m:1b", **item}], extended=True)
    return instance


EXTRAS = {
    "system": "Be short.", "think": True, "format": "json", "stop": ["\n", "END"], "num_ctx": 512, "min_p": 0.05,
}  # fmt: skip


@pytest.mark.parametrize(
    "item",
    [{}, {"id": "Größe"}, {"endpoint": "lab", "seed": 7}, {"use_model_defaults": True}, EXTRAS,
     {"use_model_defaults": True, "format": {"type": "object"}, "think": "low"}],
)  # fmt: skip
def test_2_1_an_instance_on_the_wire_reads_back_as_the_same(item: dict[str, Any]) -> None:
    instance = extended(**item)
    wire = json.loads(json.dumps(instance_wire(instance)))
    assert read_instances([wire], extended=True) == (instance,)
    assert hash(instance)


def test_2_1_what_is_not_set_is_not_on_the_wire() -> None:
    assert instance_wire(extended(id="x")) == {"id": "x", "model": "m:1b", **Sampling().wire()}
    assert instance_wire(extended(id="x", use_model_defaults=True, system=" ")) == {
        "id": "x", "model": "m:1b", "use_model_defaults": True
    }  # fmt: skip


def test_2_1_generated_ids_tell_extras_apart_and_are_the_documents_without() -> None:
    assert extended().id == "m_1b__0.7_0.9_40_1.1_-1_0"
    several = read_instances(
        [{"model": "m"}, {"model": "m", "system": "x"}, {"model": "m", "stop": "y"}], extended=True
    )
    check_count_and_ids(several, 8)


def test_what_a_board_calls_an_instance_is_independent_of_its_id() -> None:
    assert rated_name(extended(id="x")) == rated_name(extended()) == "m_1b__0.7_0.9_40_1.1_-1_0"
    assert rated_name(extended(use_model_defaults=True)) == "m:1b"
    assert rated_name(extended(endpoint="lab")).endswith("_0@lab")
    names = {rated_name(extended(**item)) for item in ({}, {"system": "a"}, {"system": "b"}, {"num_ctx": 9})}
    assert len(names) == 4


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("system", 7, "must be a string"),
        ("think", "lots", "must be true, false or one of low, medium, high, max"),
        ("think", 1, "must be true, false or one of low, medium, high, max"),
        ("format", "yaml", 'must be "json" or a JSON schema'),
        ("format", [], 'must be "json" or a JSON schema'),
        ("stop", {}, "must be at most 16 strings"),
        ("stop", [1], "must be at most 16 strings"),
        ("stop", ["x"] * 17, "must be at most 16 strings"),
        ("num_ctx", 0, "must be between 1 and 16777216"),
        ("num_ctx", 1.5, "must be an integer"),
        ("min_p", 1.1, "must be between 0 and 1"),
    ],
)
def test_2_1_extras_are_checked_by_their_fields(field: str, value: Any, error: str) -> None:
    with pytest.raises(Refused) as caught:
        extended(**{field: value})
    assert caught.value.message == f"Invalid {field}: {error}"
