"""`/v1/completions` as bytes: prompts through the template, several of them, echo, logprobs, streams (contract §6.3)."""

from __future__ import annotations

import re
from typing import Any

from tests.api.test_openai_chat import events
from tests.servers import Answer, Server


def ask(server: Server, **fields: Any) -> Answer:
    body = {"model": "M", "prompt": "Once upon", "max_tokens": 3, "temperature": 0, **fields}
    return server.post("/v1/completions", body)


def text(answer: Answer, index: int = 0) -> str:
    assert answer.status == 200, answer.body
    choice = answer.json["choices"][index]
    assert choice["index"] == index
    found: str = choice["text"]
    return found


def test_one_object_in_the_order_of_the_contract(server: Server) -> None:
    found = ask(server).json
    assert list(found) == ["id", "object", "created", "model", "system_fingerprint", "choices", "usage"]
    assert re.fullmatch(r"cmpl-\d+", found["id"])
    assert found["object"] == "text_completion"
    (choice,) = found["choices"]
    assert list(choice) == ["text", "index", "finish_reason"]
    assert (choice["index"], choice["finish_reason"]) == (0, "length")
    assert found["usage"]["completion_tokens"] == 3


def test_the_prompt_goes_through_the_template(server: Server) -> None:
    native = {"model": "M", "prompt": "Once upon", "stream": False, "options": {"num_predict": 3, "temperature": 0}}
    found = server.post("/api/generate", {**native, "options": {**native["options"], "top_p": 1.0}}).json  # type: ignore[dict-item]
    answer = ask(server)
    assert text(answer) == found["response"]
    assert answer.json["usage"]["prompt_tokens"] == found["prompt_eval_count"]


def test_an_empty_prompt_loads_the_model(server: Server) -> None:
    for prompt in ("", [""]):
        choice = {"text": "", "index": 0, "finish_reason": "load"}
        answer = ask(server, prompt=prompt)
        assert answer.json["choices"] == [choice]
        chunk, done = events(ask(server, prompt=prompt, stream=True))
        assert (chunk["choices"], done) == ([choice], "[DONE]")


def test_several_prompts_and_several_choices_of_each(server: Server) -> None:
    alone = [text(ask(server, prompt=prompt)) for prompt in ("grass", "llama")]
    together = ask(server, prompt=["grass", "llama"])
    assert [text(together, index) for index in range(2)] == alone
    doubled = ask(server, prompt=["grass", "llama"], n=2)
    assert [text(doubled, index) for index in range(4)] == [alone[0], alone[0], alone[1], alone[1]]
    usage = doubled.json["usage"]
    assert usage["completion_tokens"] == 12
    assert usage["prompt_tokens"] == together.json["usage"]["prompt_tokens"]


def test_an_echo_begins_with_the_prompt(server: Server) -> None:
    plain = text(ask(server))
    assert text(ask(server, echo=True)) == f"Once upon{plain}"
    *chunks, _ = events(ask(server, echo=True, stream=True))
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == f"Once upon{plain}"


def test_best_of_as_many_as_are_wanted(server: Server) -> None:
    assert len(ask(server, best_of=2, n=2).json["choices"]) == 2


def test_logprobs_in_the_old_form(server: Server) -> None:
    choice = ask(server, logprobs=2).json["choices"][0]
    found = choice["logprobs"]
    assert list(found) == ["tokens", "token_logprobs", "top_logprobs", "text_offset"]
    assert "".join(found["tokens"]) == choice["text"]
    assert [len(top) for top in found["top_logprobs"]] == [2, 2, 2]
    for token, offset in zip(found["tokens"], found["text_offset"], strict=True):
        assert choice["text"][offset:].startswith(token)
    streamed = [chunk["choices"][0].get("logprobs") for chunk in events(ask(server, logprobs=2, stream=True))[:-1]]
    offsets = [offset for logprobs in streamed if logprobs for offset in logprobs["text_offset"]]
    assert offsets == found["text_offset"]


def test_a_stream_with_usage_has_an_empty_one_on_every_chunk(server: Server) -> None:
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    *chunks, last, done = events(ask(server, stream=True, stream_options={"include_usage": True}))
    assert all(chunk["usage"] == nothing for chunk in chunks)
    assert all(chunk["object"] == "text_completion" for chunk in chunks)
    assert chunks[-1]["choices"][0]["finish_reason"] == "length"
    assert (last["choices"], last["usage"]["completion_tokens"], done) == ([], 3, "[DONE]")
    assert not any("usage" in chunk for chunk in events(ask(server, stream=True))[:-1])


def test_a_suffix_needs_a_model_that_inserts(server: Server) -> None:
    answer = ask(server, suffix="x")
    assert answer.status == 400
    assert answer.json["error"]["message"] == "registry.ollama.ai/library/M:latest does not support insert"


def test_a_suffix_is_rendered_by_the_models_template(server: Server) -> None:
    template = "<PRE>{{ .Prompt }}<SUF>{{ .Suffix }}<MID>"
    body = {"model": "inserts", "from": "M", "template": template, "stream": False}
    assert server.post("/api/create", body).json == {"status": "success"}
    counts = [
        ask(server, model="inserts", **more).json["usage"]["prompt_tokens"]
        for more in ({"suffix": "a"}, {"suffix": "a b c"})
    ]
    assert counts[0] < counts[1]


def test_names_are_looked_up_as_generate_does(server: Server) -> None:
    for model, status, message in (
        ("", 404, "model '' not found"),
        ("nope", 404, "model 'nope' not found"),
        ("E", 400, '"E" does not support generate'),
    ):
        answer = ask(server, model=model)
        assert (answer.status, answer.json["error"]["message"]) == (status, message)
