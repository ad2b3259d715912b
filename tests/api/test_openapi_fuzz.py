"""Every operation of the OpenAPI page with generated requests, right and wrong ones: no bug, no hang, no dead server.

The requests come from schemathesis, always the same ones. Bodies of the routes that run a model name the one that is
here every other time, so that they get past the name check; random names never hit it, so nothing deletes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode

from tests.servers import Server

MODEL = "fuzz-target-9c41d7"
NATIVE = ("/api/generate", "/api/chat", "/api/embed", "/api/embeddings")
OPENAI = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings")
MESSAGES = ("/v1/messages", "/v1/messages/count_tokens")
INFERENCE = (*NATIVE, *OPENAI, *MESSAGES, "/v1/responses", "/api/tokenize", "/api/detokenize")
EXAMPLES = 40  # per operation and mode
ANSWER_S = 20  # an answer that takes longer is a hang

ALLOWED_500 = [
    r'option ".*" must be of (type|an array)',  # §4.2: a wrong option type really is a 500
    r"invalid format: ",  # §4.7: a `format` that is neither "json" nor an object
    r"template error: ",  # §3.5: an unparsable `template` of a generate request
    r"pull model manifest: ",  # §3.9, §3.13: no registry can be reached
    r"unsupported quantization type ",  # §3.9
    r"quantization ",  # §3.9: the source cannot be quantised, or the tool is not installed
]
"""The contract's own 500s. Everything else with that status is a bug."""


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("fuzzed")
    with Server(folder / "models", folder / "home", {"PUNA_EMBEDDED_MODEL": "0"}) as running:
        running.create(MODEL, tiny_llama)
        yield running


@pytest.mark.timeout(240)
def test_generated_requests_get_answers_and_no_bug(fuzzed: Server) -> None:
    schema = schemathesis.openapi.from_url(f"{fuzzed.url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 20
    for operation in operations:
        modes = [GenerationMode.POSITIVE]
        if any(body.media_type == "application/json" for body in operation.body):
            modes.append(GenerationMode.NEGATIVE)  # any text is a right path or blob: nothing there can be wrong
        for mode in modes:
            _fuzz(fuzzed, operation.as_strategy(generation_mode=mode))
    assert fuzzed.get("/").body == b"Ollama is running"
    body = {"model": MODEL, "prompt": "grass", "stream": False, "options": {"num_predict": 2}}
    assert fuzzed.post("/api/generate", body).json["done"] is True
    assert "Traceback" not in fuzzed.log


def _aim(path: str, body: dict[str, Any], number: int) -> None:
    """Every other body gets past the name check, and half of those past the fields that random values rarely pass."""
    if path in NATIVE:
        body["options"] = {"num_predict": 4}
    elif path in OPENAI:
        body["max_tokens"] = 4
        body.pop("max_completion_tokens", None)
    elif path in MESSAGES:
        body["max_tokens"] = 4
    elif path == "/v1/responses":
        body["max_output_tokens"] = 4
    if number % 2 and path in (*INFERENCE, "/api/show"):
        body["model"] = MODEL
    elif number % 2 and path == "/api/create":
        body |= {"model": "fuzz-made", "from": MODEL}
    elif number % 2 and path == "/api/verify":
        body |= {"model": MODEL, "repair": False}
    elif number % 2 and path == "/api/copy":
        body |= {"source": MODEL, "destination": "fuzz-copied"}
    if number % 4 == 3:
        for field in ("images", "keep_alive", "suffix", "think", "tools", "top_logprobs", "messages"):
            body.pop(field, None)
        if path in ("/api/chat", "/v1/chat/completions", *MESSAGES):
            body["messages"] = [{"role": "user", "content": "hi"}]


def _fuzz(server: Server, cases: Any) -> None:
    numbers = count()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases)
    def ask(case: Case) -> None:
        if isinstance(case.body, dict):
            _aim(case.path, case.body, next(numbers))
        answer = case.call(timeout=ANSWER_S)
        if answer.status_code < 400 or case.method == "HEAD":
            return
        if "application/json" in str(answer.headers.get("content-type")):
            error = answer.json()["error"]
            error = error["message"] if isinstance(error, dict) else error  # the form of the other dialects
            allowed = answer.status_code < 500 or any(re.match(text, error) for text in ALLOWED_500)
            assert allowed, f"{answer.status_code} {error}\n{case.as_curl_command()}"
        else:
            assert answer.status_code < 500, f"{answer.status_code}\n{case.as_curl_command()}"

    ask()
