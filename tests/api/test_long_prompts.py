"""Prompts, histories and answers that do not fit the context (contract ollama-http §3.7, §4.1, §4.5)."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.servers import Answer, Server

CONTEXT = 256  # the smallest that the engine allocates
TOO_LONG = (
    "the prompt is longer than the context length currently available to the model; shorten the prompt, "
    "adjust the context length in settings, or use a model with a longer context length"
)
LONG = "grass " * 800
GREEDY = {"num_ctx": CONTEXT, "num_predict": 2, "temperature": 0}


def say(server: Server, messages: list[dict[str, Any]], *, model: str = "M", **fields: Any) -> Answer:
    return server.post(
        "/api/chat", {"model": model, "messages": messages, "stream": False, "options": GREEDY, **fields}
    )


def write(server: Server, prompt: str, *, model: str = "M", **fields: Any) -> Answer:
    body = {"model": model, "prompt": prompt, "stream": False, "options": GREEDY, **fields}
    return server.post("/api/generate", body)


@pytest.fixture(scope="module")
def go_model(server: Server) -> str:
    template = "{{ range .Messages }}<{{ .Role }}>{{ .Content }}\n{{ end }}<assistant>"
    body = {"model": "long-go", "from": "M", "template": template, "stream": False}
    assert server.post("/api/create", body).json == {"status": "success"}
    return "long-go"


def test_the_oldest_messages_are_dropped_and_the_system_message_stays(server: Server, go_model: str) -> None:
    """A long history answers exactly as its longest tail that fits, with the system message in front."""
    system = {"role": "system", "content": "You are a llama."}
    history = [{"role": ("user", "assistant")[i % 2], "content": f"message {i} {'grass ' * 20}"} for i in range(21)]
    for model in ("M", go_model):
        tails = (say(server, [system, *history[start:]], model=model, truncate=False) for start in range(1, 21))
        fitting = next(answer for answer in tails if answer.status == 200).json
        whole = say(server, [system, *history], model=model).json
        assert whole["message"] == fitting["message"]
        assert whole["prompt_eval_count"] == fitting["prompt_eval_count"] < CONTEXT


def test_every_system_message_stays(server: Server, go_model: str) -> None:
    messages = [
        {"role": "system", "content": "one"},
        {"role": "user", "content": "grass " * 150},
        {"role": "system", "content": "two"},
        {"role": "user", "content": "grass " * 100},
    ]
    kept = [messages[0], messages[2], messages[3]]
    whole, shorter = (say(server, some, model=go_model).json for some in (messages, kept))
    assert whole["message"] == shorter["message"]
    assert whole["prompt_eval_count"] == shorter["prompt_eval_count"]


def test_truncate_false_is_refused_naming_the_context(server: Server, go_model: str) -> None:
    for model in ("M", go_model):
        answers = (
            say(server, [{"role": "user", "content": LONG}], model=model, truncate=False),
            write(server, LONG, model=model, truncate=False),
        )
        for answer in answers:
            assert answer.status == 400
            assert "context" in answer.json["error"]


@pytest.mark.parametrize(("num_keep", "left"), [(4, 130), (56, 156), (0, 128), (-1, 255)])
def test_a_prompt_too_long_by_itself_loses_its_middle(server: Server, go_model: str, num_keep: int, left: int) -> None:
    """§4.5: what is left of a context of 256 is 256 - max((256 - num_keep) / 2, 1) tokens."""
    options = {**GREEDY, "num_keep": num_keep, "num_predict": 1}
    message = [{"role": "user", "content": LONG}]
    for model in ("M", go_model):
        assert write(server, LONG, model=model, options=options).json["prompt_eval_count"] == left
        assert say(server, message, model=model, options=options).json["prompt_eval_count"] == left
    assert write(server, LONG, raw=True, options=options).json["prompt_eval_count"] == left


def test_a_context_that_has_grown_too_long_is_cut_as_well(server: Server) -> None:
    context = write(server, LONG).json["context"]
    assert len(context) > CONTEXT
    assert write(server, "and then", context=context).json["prompt_eval_count"] == 130


def test_without_shifting_a_long_prompt_is_refused_and_an_answer_ends_with_the_context(
    server: Server, go_model: str
) -> None:
    for model in ("M", go_model):
        for answer in (
            say(server, [{"role": "user", "content": LONG}], model=model, shift=False),
            write(server, LONG, model=model, shift=False),
        ):
            assert (answer.status, answer.json) == (400, {"error": TOO_LONG})
    options = {**GREEDY, "num_predict": 700}
    for answer in (
        write(server, "grass", shift=False, options=options),
        say(server, [{"role": "user", "content": "grass"}], shift=False, options=options),
    ):
        assert answer.json["done_reason"] == "length"
        assert answer.json["prompt_eval_count"] + answer.json["eval_count"] <= CONTEXT


def test_with_shifting_an_answer_goes_on_beyond_the_context(server: Server) -> None:
    answer = write(server, "grass", options={**GREEDY, "num_predict": 700}).json
    assert (answer["eval_count"], answer["done_reason"]) == (700, "length")


def test_an_answer_without_a_limit_ends_after_ten_contexts(server: Server) -> None:
    answer = write(server, "grass", options={"num_ctx": CONTEXT, "num_predict": -1, "seed": 1}).json
    assert (answer["eval_count"], answer["done_reason"]) == (10 * CONTEXT, "length")


def embed(server: Server, text: object, **fields: Any) -> Answer:
    return server.post("/api/embed", {"model": "E", "input": text, **fields})


def test_a_long_input_is_cut_to_the_context(server: Server) -> None:
    """Two words more or less beyond the context do not change the vector, and the start and end tokens are kept."""
    options = {"num_ctx": 16}
    one = embed(server, "sky " * 200, options=options)
    assert one.status == 200
    assert one.json["prompt_eval_count"] == 16
    assert embed(server, "sky " * 202 + "blue", options=options).json["embeddings"] == one.json["embeddings"]
    assert embed(server, "sky " * 14, options=options).json["embeddings"] == one.json["embeddings"]
    (vector,) = one.json["embeddings"]
    assert math.isclose(sum(number**2 for number in vector), 1, rel_tol=1e-3)


def test_one_input_that_is_too_long_fails_the_whole_request(server: Server) -> None:
    answer = embed(server, ["sky", "sky " * 200], truncate=False, options={"num_ctx": 16})
    assert (answer.status, answer.json) == (400, {"error": "the input length exceeds the context length"})


def test_an_input_of_which_nothing_is_left_is_refused(server: Server) -> None:
    answer = embed(server, "sky " * 20, options={"num_ctx": 16, "num_batch": 2})
    assert (answer.status, answer.json) == (400, {"error": "input after truncation exceeds maximum context length"})


def test_the_legacy_route_cuts_too(server: Server) -> None:
    body = {"model": "E", "prompt": "sky " * 2000}
    assert len(server.post("/api/embeddings", body).json["embedding"]) == 64


def test_a_completion_model_cuts_its_input_to_one_batch(server: Server) -> None:
    answer = server.post("/api/embed", {"model": "M", "input": LONG, "options": {"num_ctx": CONTEXT}}).json
    assert answer["prompt_eval_count"] <= CONTEXT
    assert len(answer["embeddings"]) == 1
