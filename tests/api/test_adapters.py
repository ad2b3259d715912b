"""LoRA adapters named in a request: which part they have in its answer, and in nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Server

# At every scale the likeliest token is well ahead: a cache or a fuller batch adds up in another order.
PROMPT = "Seven herders count their animals every evening before it is dark. " * 3
TOKENS = 4
SCALES = (0.0, 0.5, 1.0, -1.0)


@pytest.fixture(scope="module")
def adapted(server: Server, tiny_lora: Path) -> Iterator[Server]:
    """The room's server with `base`, and with `lora`, which is made of it and an adapter."""
    made = {
        "base": {"from": "M", "parameters": {"num_thread": 1, "num_ctx": 1024}},
        "lora": {"from": "base", "adapters": {"lora.gguf": server.upload(tiny_lora)}},
    }
    for name, fields in made.items():
        assert server.post("/api/create", {"model": name, "stream": False, **fields}).json == {"status": "success"}
    yield server
    for name in made:
        assert server.request("DELETE", "/api/delete", {"model": name}).status == 200


def with_scale(scale: float) -> dict[str, Any]:
    return {"adapters": [{"model": "lora", "scale": scale}]}


def generated(server: Server, model: str = "base", **more: Any) -> str:
    body = {
        "model": model,
        "prompt": PROMPT,
        "stream": False,
        "options": {"temperature": 0, "num_predict": TOKENS},
        **more,
    }
    answer = server.post("/api/generate", body)
    assert answer.status == 200, answer.body
    text: str = answer.json["response"]
    return text


def test_the_scale_says_how_strongly_an_adapter_works(adapted: Server) -> None:
    base, made = generated(adapted), generated(adapted, "lora")
    assert base != made
    assert generated(adapted, **with_scale(0)) == base
    assert generated(adapted, **with_scale(1)) == made
    assert generated(adapted, adapters=[{"model": "lora"}]) == made
    assert generated(adapted, **with_scale(0.5)) not in (base, made)
    assert generated(adapted, "lora", **with_scale(0)) == base  # the model's own adapter can be named too


def test_no_scale_reloads_the_model_and_the_base_needs_no_other_runner(adapted: Server) -> None:
    generated(adapted, **with_scale(1))
    before = {runner.pid for runner in adapted.runners()}
    for scale in SCALES:
        generated(adapted, **with_scale(scale))
    generated(adapted)
    assert {runner.pid for runner in adapted.runners()} == before


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions", "/v1/completions"])
def test_every_route_that_answers_takes_adapters(adapted: Server, path: str) -> None:
    native = {"options": {"temperature": 0, "num_predict": TOKENS}, "stream": False}
    asked = {
        "/api/chat": {"messages": [{"role": "user", "content": PROMPT}], **native},
        "/v1/chat/completions": {
            "messages": [{"role": "user", "content": PROMPT}],
            "temperature": 0,
            "max_tokens": TOKENS,
        },
        "/v1/completions": {"prompt": PROMPT, "temperature": 0, "max_tokens": TOKENS},
    }[path]

    def said(**more: Any) -> Any:
        answer = adapted.post(path, {"model": "base", **asked, **more}).json
        return answer["message"] if path == "/api/chat" else answer["choices"]

    assert said(**with_scale(0)) == said()
    assert said(**with_scale(1)) == said(model="lora") != said()


def test_the_cache_of_one_scale_is_not_used_for_another(adapted: Server) -> None:
    """A prompt that was read under another adapter has other numbers in the cache, though its text is the same."""
    expected = {scale: generated(adapted, **with_scale(scale)) for scale in SCALES}
    assert len(set(expected.values())) == len(SCALES)
    other = "Something else that takes the slot over, as another conversation does. " * 9
    for scale in (0.0, 1.0, 0.0, 0.5, 1.0, -1.0):
        generated(adapted, **with_scale(1.0), prompt=other)
        assert generated(adapted, **with_scale(scale)) == expected[scale]

    def read(scale: float) -> int:
        body = {
            "model": "base",
            "messages": [{"role": "user", "content": PROMPT}],
            "max_tokens": 2,
            **with_scale(scale),
        }
        usage = adapted.post("/v1/chat/completions", body).json["usage"]
        tokens: int = usage["prompt_tokens"] - usage["prompt_tokens_details"]["cached_tokens"]
        return tokens

    assert [read(scale) == 1 for scale in (0.5, 0.5, 1, 1, 0.5, 0, 0)] == [False, True] * 2 + [False, False, True]


def test_requests_with_different_adapters_at_once_each_get_their_own(adapted: Server) -> None:
    expected = {scale: generated(adapted, **with_scale(scale)) for scale in SCALES}
    asked = [*SCALES, *SCALES, *SCALES]
    with ThreadPoolExecutor(len(asked)) as pool:
        said = list(pool.map(lambda scale: generated(adapted, **with_scale(scale)), asked))
    assert said == [expected[scale] for scale in asked]


def test_vectors_of_a_model_do_not_depend_on_the_adapters_of_other_requests(adapted: Server) -> None:
    def vectors(model: str) -> Any:
        return adapted.post("/api/embed", {"model": model, "input": "high grassland"}).json["embeddings"]

    base, made = vectors("base"), vectors("lora")
    generated(adapted, **with_scale(0.5))
    assert (vectors("base"), vectors("lora")) == (base, made)
    assert base != made


@pytest.mark.parametrize(
    ("adapters", "status", "message", "param"),
    [
        ([{"model": "nope"}], 404, "adapters[0].model: model \"nope\" not found", None),
        ([{"model": "lora"}, {"model": "T"}], 400, 'adapters[1].model: "t:latest" is not made from the same weights as "base:latest"', "adapters[1].model"),
        ([{"model": "base"}], 400, 'adapters[0].model: "base:latest" has no adapter: name a model that was created with ADAPTER', "adapters[0].model"),
        ([{"model": "lora"}, {"model": "lora:latest"}], 400, 'adapters[1].model: "lora:latest" brings an adapter that is named already', "adapters[1].model"),
        ([{"scale": 1}], 400, "adapters: model is required", "adapters[0].model"),
        ([{"model": "lora", "scale": 10.5}], 400, "adapters: scale must be a number from -10 to 10", "adapters[0].scale"),
        ([{"model": "lora", "scale": "NaN"}], 400, "json: field adapters.0.scale: input should be a valid number", "adapters[0].scale"),
        ({"model": "lora"}, 400, "json: field adapters: input should be a valid list", "adapters"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_by_its_name(
    adapted: Server, adapters: object, status: int, message: str, param: str | None
) -> None:
    body = {"model": "base", "prompt": "a", "messages": [{"role": "user", "content": "a"}], "adapters": adapters}
    for path in ("/api/generate", "/api/chat", "/v1/chat/completions", "/v1/completions"):
        answer = adapted.post(path, body)
        error = answer.json["error"]
        said, field = (error["message"], error["param"]) if path.startswith("/v1/") else (error, param)
        assert (answer.status, said.lower(), field) == (status, message.lower(), param), path


def test_a_scale_that_is_no_finite_number_is_refused(adapted: Server) -> None:
    for number in (b"1e999", b"NaN", b"-Infinity"):
        answer = adapted.request(
            "POST",
            "/api/generate",
            b'{"model": "base", "prompt": "a", "adapters": [{"model": "lora", "scale": %b}]}' % number,
        )
        assert answer.status == 400
