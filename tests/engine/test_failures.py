"""What a user reads when the engine says no (contract ollama-http §5.5)."""

from __future__ import annotations

import pytest

from puna.engine.failures import ContextExceeded, OutOfMemory, load_failed, refusal, telling_line

CORRUPT = """\
0.00.002.868 W srv          init: security: no API key is set
0.00.023.378 E llama_model_load: error loading model: tensor 'token_embd.weight' data is not within the file bounds
0.00.023.404 E llama_model_load_from_file_impl: failed to load model
0.00.023.410 E cmn  common_init_: failed to load model '/home/ada/models/blob'
0.00.023.413 E srv    load_model: failed to load model, '/home/ada/models/blob'
0.00.023.797 E srv          init: exiting due to model loading error
Failed to init server, please check the input params.""".splitlines()

UNKNOWN = ["0.00.1.2 E llama_model_load: error loading model: unknown model architecture: 'puma'"]
NO_ROOM = [
    "0.00.1.2 E ggml_backend_cuda_buffer_type_alloc_buffer: allocating 9 MiB on device 0: cudaMalloc failed: out of memory",
    "0.00.1.3 E srv          init: exiting due to model loading error",
]


def test_the_line_that_tells_something_is_quoted() -> None:
    error = load_failed("exit status 1", CORRUPT, "m:latest", {})
    assert str(error) == (
        "llama-server process has terminated: exit status 1: "
        "error loading model: tensor 'token_embd.weight' data is not within the file bounds"
    )
    assert error.status == 500


def test_a_model_of_another_engine_says_what_to_do() -> None:
    assert "try updating it by running `puna pull m:1`" in str(load_failed("exit status 1", UNKNOWN, "m:1", {}))


def test_paths_of_this_machine_are_not_told() -> None:
    lines = ["E llama_model_load: error loading model: cannot read /home/ada/models/blob"]
    error = load_failed("exit status 1", lines, "m", {"/home/ada/models/blob": "the model"})
    assert "/home" not in str(error)
    assert "cannot read the model" in str(error)


@pytest.mark.parametrize(("status", "lines"), [("exit status 1", NO_ROOM), ("signal: killed", [])])
def test_the_end_of_memory_is_recognised(status: str, lines: list[str]) -> None:
    error = load_failed(status, lines, "m", {})
    assert isinstance(error, OutOfMemory)
    assert "requires more system memory" in str(error)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], ""),
        (["0.00.1.2 I srv  init: model loaded"], "model loaded"),
        (["Traceback (most recent call last):", "ImportError: libcuda.so.1: cannot open"], "libcuda.so.1: cannot open"),
    ],
)
def test_other_logs(lines: list[str], told: str) -> None:
    assert told in telling_line(lines)


def test_a_too_long_input_of_an_embedding_says_how_much_fits() -> None:
    message = "input (601 tokens) is too large to process. increase the physical batch size (current batch size: 512)"
    error = refusal({"error": {"code": 500, "message": message, "type": "server_error"}})
    assert isinstance(error, ContextExceeded)
    assert (error.n_prompt_tokens, error.n_ctx, error.status) == (601, 512, 400)


@pytest.mark.parametrize("body", [None, [], {}, {"error": "text"}])
def test_a_refusal_without_a_reason_keeps_its_status(body: object) -> None:
    error = refusal(body, 418)
    assert error.status == 418
    assert "without saying why" in str(error)
