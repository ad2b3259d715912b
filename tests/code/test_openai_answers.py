"""OpenAI's and Tabby's shapes at the editors' door: contract code-completion R2, R3, R6, R7, S3, S6."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.code.doors import Door, door
from tests.code.scripted import Scripted

pytestmark = pytest.mark.asyncio(loop_scope="module")

_numbers = itertools.count()
CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened() -> AsyncIterator[Door]:
    async with door(Scripted(script=["first(", "sec", "ond)"])) as found:
        yield found


def ask(**more: Any) -> dict[str, Any]:
    return {"prompt": f"n{next(_numbers)} = ", **more}


def sent(opened: Door) -> dict[str, Any]:
    return opened.model.asked[-1]


async def test_R2_a_chat_has_the_seeds_keys(opened: Door) -> None:
    answer = (await opened.post("/chat/completions", {"model": "gpt-3.5-turbo", "messages": CHAT})).json
    assert answer["object"] == "chat.completion"
    (choice,) = answer["choices"]
    assert (choice["index"], choice["logprobs"], choice["finish_reason"]) == (0, None, "stop")
    assert choice["message"] == {"role": "assistant", "content": "first(second)"}
    assert answer["model"] == "gpt-3.5-turbo"
    assert answer["id"].startswith("chatcmpl-")
    assert isinstance(answer["created"], int)
    assert {key: answer["usage"][key] for key in ("prompt_tokens", "completion_tokens", "total_tokens")} == {
        "prompt_tokens": 20,
        "completion_tokens": 3,
        "total_tokens": 23,
    }


async def test_R2_no_code_template_touches_a_chat(opened: Door) -> None:
    """Markers in a message go to the model's own template as they are (QodeAssist)."""
    marked = [{"role": "user", "content": "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>"}]
    await opened.post("/v1/chat/completions", {"messages": marked})
    assert sent(opened)["messages"] == marked
    assert "raw" not in sent(opened)


async def test_R2_the_whole_history_and_the_options_reach_the_model(opened: Door) -> None:
    history = [
        *CHAT,
        {"role": "assistant", "content": "Hi."},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    ]
    body = {"messages": history, "max_tokens": 9, "temperature": 0.5, "top_p": 0.8, "seed": 4, "stop": "x"}
    await opened.post("/chat/completions", body)
    assert [message["content"] for message in sent(opened)["messages"]] == ["Be brief.", "Hello", "Hi.", "ab"]
    assert sent(opened)["options"] == {"num_predict": 9, "temperature": 0.5, "top_p": 0.8, "seed": 4, "stop": ["x"]}
    await opened.post("/chat/completions", {**body, "max_completion_tokens": 5})
    assert sent(opened)["options"]["num_predict"] == 5


async def test_S3_a_streamed_chat_begins_with_the_role_and_ends_with_the_reason(opened: Door) -> None:
    body = {"messages": CHAT, "stream": True, "stream_options": {"include_usage": True}}
    reply = await opened.post("/chat/completions", body)
    assert reply.headers["content-type"].startswith("text/event-stream")
    *chunks, usage, done = reply.events
    assert done == "[DONE]"
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 23
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0]["role"] == "assistant"
    assert "".join(delta.get("content", "") for delta in deltas) == "first(second)"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [*[None] * (len(chunks) - 1), "stop"]
    without = (await opened.post("/chat/completions", {"messages": CHAT, "stream": True})).events
    assert all(chunk["choices"] for chunk in without[:-1])


@pytest.mark.parametrize(
    "body",
    [{}, {"messages": []}, {"messages": "x"}, {"messages": [{"content": 7}]}, {"messages": CHAT, "temperature": "hot"}],
)
async def test_R2_a_chat_that_is_none_is_refused(opened: Door, body: dict[str, Any]) -> None:
    reply = await opened.post("/chat/completions", body)
    assert (reply.status, reply.json["error"]["code"]) == (400, "error.invalid_request_format")
    assert set(reply.json["error"]) == {"message", "type", "param", "code"}


async def test_R3_a_text_completion_has_openais_shape(opened: Door) -> None:
    answer = (await opened.post("/v1/completions", ask(model="m", suffix="\n"))).json
    assert (answer["object"], answer["model"]) == ("text_completion", "m")
    assert answer["choices"] == [{"index": 0, "text": "first(second)", "finish_reason": "stop", "logprobs": None}]
    assert answer["usage"]["completion_tokens"] == 3


async def test_R3_prompts_may_be_a_list_with_choices_and_echo(opened: Door) -> None:
    prompts = [ask()["prompt"], ask()["prompt"]]
    answer = (await opened.post("/completions", {"prompt": prompts, "n": 2, "echo": True})).json
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    assert [choice["text"] for choice in answer["choices"]] == [
        f"{prompts[index // 2]}first(second)" for index in range(4)
    ]
    assert answer["usage"]["prompt_tokens"] == 40


async def test_R3_stops_and_the_limit_reach_the_model(opened: Door) -> None:
    stops = ["ond", *(f"stop{number}" for number in range(20))]
    answer = (await opened.post("/v1/completions", ask(stop=stops, max_tokens=9, temperature=0.3, seed=5))).json
    assert answer["choices"][0]["text"] == "first(sec"
    options = sent(opened)["options"]
    assert (options["num_predict"], options["temperature"], options["seed"]) == (9, 0.3, 5)
    await opened.post("/v1/completions", ask())
    assert sent(opened)["options"]["num_predict"] == 128


async def test_R3_length_is_told(opened: Door) -> None:
    async with door(Scripted(script=["x"], last={"done_reason": "length", "eval_count": 1})) as cut:
        assert (await cut.post("/v1/completions", ask())).json["choices"][0]["finish_reason"] == "length"


async def test_S3_a_streamed_text_ends_with_reason_usage_and_done(opened: Door) -> None:
    body = ask(stream=True, stream_options={"include_usage": True}, n=2)
    *chunks, usage, done = (await opened.post("/v1/completions", body)).events
    assert (done, usage["choices"], usage["usage"]["completion_tokens"]) == ("[DONE]", [], 6)
    for index in (0, 1):
        own = [chunk["choices"][0] for chunk in chunks if chunk["choices"][0]["index"] == index]
        assert "".join(choice["text"] for choice in own) == "first(second)"
        assert [choice["finish_reason"] for choice in own] == [*[None] * (len(own) - 1), "stop"]


@pytest.mark.parametrize(
    "body",
    [{"prompt": 7}, {"prompt": [1, 2]}, {"prompt": []}, {"n": 9}, {"n": 0}, {"stop": {}}, {"prompt": ["x"] * 17}],
)
async def test_R3_wrong_values_are_refused(opened: Door, body: dict[str, Any]) -> None:
    reply = await opened.post("/v1/completions", {**ask(), **body})
    assert (reply.status, reply.json["error"]["code"]) == (400, "error.invalid_request_format")


async def test_R3_a_body_with_neither_prompt_nor_segments_is_refused(opened: Door) -> None:
    reply = await opened.post("/v1/completions", {"model": "m"})
    assert (reply.status, reply.json["error"]["param"]) == (400, "prompt")


async def test_R3_segments_make_it_tabbys(opened: Door) -> None:
    prefix = ask()["prompt"]
    segments = {
        "prefix": prefix,
        "suffix": "\n",
        "filepath": "src/main.py",
        "git_url": "git@example.com:me/project.git",
        "declarations": [{"filepath": "src/util.py", "body": "def helper(): ..."}],
        "relevant_snippets_from_changed_files": [{"filepath": "src/changed.py", "body": "CHANGED = 1", "score": 0.5}],
    }
    body = {"language": "python", "segments": segments, "user": "me", "temperature": 0.1, "seed": 1}
    answer = (await opened.post("/v1/completions", body)).json
    assert answer["id"].startswith("cmpl-")
    assert answer["choices"] == [{"index": 0, "text": "first(second)"}]
    assert answer["mode"] == "standard"
    assert "debug_data" not in answer
    prompt = sent(opened)["prompt"]
    assert all(text in prompt for text in ("src/util.py", "def helper", "src/changed.py", "src/main.py", "project"))
    assert sent(opened)["options"]["num_predict"] == 64


async def test_R3_tabbys_answer_is_never_streamed_and_shows_its_prompt_on_request(opened: Door) -> None:
    debug = {"return_prompt": True, "return_snippets": True}
    segments = {"prefix": ask()["prompt"], "declarations": [{"filepath": "u.py", "body": "U = 1"}]}
    reply = await opened.post("/v1/completions", {"segments": segments, "stream": True, "debug_options": debug})
    assert reply.headers["content-type"] == "application/json"
    assert reply.json["debug_data"]["prompt"] == sent(opened)["prompt"]
    assert reply.json["debug_data"]["snippets"] == [{"filepath": "u.py", "body": "U = 1", "score": 1.0}]


async def test_R3_tabbys_raw_prompt_is_sent_as_it_is(opened: Door) -> None:
    raw = f"<|fim_prefix|>{ask()['prompt']}<|fim_suffix|>b<|fim_middle|>"
    reply = await opened.post("/v1/completions", {"debug_options": {"raw_prompt": raw}})
    assert reply.json["choices"][0]["text"]
    assert sent(opened)["prompt"] == raw


async def test_R3_tabbys_empty_and_unknown_questions_are_refused(opened: Door) -> None:
    empty = await opened.post("/v1/completions", {"segments": {"prefix": ""}})
    assert (empty.status, empty.json["error"]["code"]) == (400, "error.empty_request")
    edit = await opened.post("/v1/completions", {"segments": {"prefix": "a"}, "mode": "next_edit_suggestion"})
    assert (edit.status, edit.json["error"]["code"]) == (501, "error.not_supported")


@pytest.mark.parametrize("path", ["/v1/fim/completions", "/fim/completions"])
async def test_R6_hosted_fill_in_the_middle_answers_as_a_chat(opened: Door, path: str) -> None:
    body = ask(suffix=f"\nx{path}", max_tokens=9, random_seed=7, stop=["zzz"])
    answer = (await opened.post(path, body)).json
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["content"] == "first(second)"
    assert sent(opened)["options"]["seed"] == 7
    *chunks, done = (await opened.post(path, ask(stream=True, suffix="\n"))).events
    assert done == "[DONE]"
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "first(second)"


async def test_R6_beta_completions_answer_as_text(opened: Door) -> None:
    answer = (await opened.post("/beta/completions", ask(suffix="\n"))).json
    assert (answer["object"], answer["choices"][0]["text"]) == ("text_completion", "first(second)")


async def test_R7_engines_answer_as_text_with_a_request_id(opened: Door) -> None:
    extra = {"language": "python", "next_indent": 4, "trim_by_indentation": True}
    body = ask(suffix="", n=10, stream=True, temperature=0.4, extra=extra)
    reply = await opened.post("/v1/engines/copilot-codex/completions", body)
    assert reply.headers["x-github-request-id"]
    *chunks, done = reply.events
    assert done == "[DONE]"
    assert {chunk["choices"][0]["index"] for chunk in chunks} == {0, 1, 2, 3}
    assert {chunk["model"] for chunk in chunks} == {"copilot-codex"}
    whole = await opened.post("/v1/engines/copilot-codex/completions", ask())
    assert whole.headers["x-github-request-id"]
    assert whole.json["choices"][0]["text"] == "first(second)"


@pytest.mark.parametrize("path", ["/v1/completions", "/fim/completions", "/v1/engines/e/completions"])
async def test_S6_streamed_and_whole_are_the_same(opened: Door, path: str) -> None:
    def text(choice: dict[str, Any]) -> str:
        part = choice.get("message") or choice.get("delta") or {}
        return str(choice.get("text") or part.get("content") or "")

    whole = (await opened.post(path, ask(suffix="\n)"))).json
    events = (await opened.post(path, ask(suffix="\n)", stream=True))).events
    assert "".join(text(event["choices"][0]) for event in events[:-1]) == text(whole["choices"][0])


@pytest.mark.parametrize("stream", [True, False])
async def test_S7_one_choice_that_fails_ends_them_all(stream: bool) -> None:
    async with door(Scripted(refusal=(500, "no memory"))) as broken:
        reply = await broken.post("/v1/completions", ask(n=3, temperature=0.5, stream=stream))
        assert (reply.status, reply.json["error"]["code"]) == (502, "error.upstream")
        assert broken.model.running == 0
