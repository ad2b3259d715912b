"""`quantize` in a create (contract ollama-store §4.2). The tool itself cannot be had; a script stands in for it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from puna.errors import PunaError
from puna.modelfile import CreateRequest, create_model
from puna.names import ModelName
from puna.store import Store
from tests.modelfile.files import EMPTY_GGUF, blobs, f16_model, fake_quantizer, gguf, make, run, statuses, upload

NAME = ModelName.parse("m")
COPY = """
data = open(source, 'rb').read()
for step in (1, 2, 3, 4):
    print(f'[   {step}/   4] blk.{step}.weight - [64, 64], type = f16, converting ..', flush=True)
name = b'general.file_type'
at = data.index(name) + len(name) + 4
open(target, 'wb').write(data[:at] + bytes([15]) + data[at + 1:])
"""


def request(store: Store, data: bytes | None = None, **fields: str) -> CreateRequest:
    return CreateRequest(target=NAME, files={"m.gguf": upload(store, f16_model() if data is None else data)}, **fields)  # type: ignore[arg-type]


def test_the_tool_makes_the_weights_and_progress_is_told(store: Store, tmp_path: Path) -> None:
    steps = run(store, request(store, quantize="q4_k"), fake_quantizer(tmp_path, COPY))
    model = store.model(NAME)
    assert model.details["quantization_level"] == "Q4_K_M"
    told = [step for step in steps if step.status == "quantizing F16 model to Q4_K_M"]
    assert told[-1].digest == "0000000000000000000"
    assert told[-1].total == told[-1].completed == len(f16_model())
    assert [step.completed for step in told] == sorted(step.completed for step in told)
    assert f"creating new layer {model.weights_digest}" in statuses(steps)
    assert list(store.root.glob(".puna-quantize-*")) == []


def test_a_stored_model_can_be_quantised(store: Store, tmp_path: Path) -> None:
    make(store, "base", f16_model(), system="s")
    run(store, CreateRequest(target=NAME, base="base", quantize="Q4_K_M"), fake_quantizer(tmp_path, COPY))
    assert store.model(NAME).config.file_type == "Q4_K_M"
    assert store.model(NAME).system == "s"
    assert store.model(ModelName.parse("base")).config.file_type == "F16"


def test_a_draft_model_is_quantised_by_itself(store: Store, tmp_path: Path) -> None:
    draft = upload(store, f16_model(**{"general.name": "draft"}))
    asked = CreateRequest(
        target=NAME,
        files={"m.gguf": upload(store, f16_model())},
        draft_files={"d.gguf": draft},
        draft_quantize="q4_k_m",
    )
    run(store, asked, fake_quantizer(tmp_path, COPY))
    model = store.model(NAME)
    assert model.details["quantization_level"] == "F16"
    assert model.draft is not None
    assert str(model.draft[0]) != draft


def test_the_same_type_is_no_work(store: Store) -> None:
    steps = run(store, request(store, quantize="f16"))
    assert not any(step.status.startswith("quantizing") for step in steps)


@pytest.mark.parametrize("kind", ["Q3_K_M", "Q4_0", "-x", "q8", "$(x)"])
def test_an_unknown_type_is_refused_first(store: Store, kind: str) -> None:
    supported = "supported types are F32, F16, Q4_K_S, Q4_K_M, Q8_0"
    with pytest.raises(PunaError) as caught:
        next(create_model(store, request(store, quantize=kind)))
    assert caught.value.message == f"unsupported quantization type {kind.upper()} - {supported}"
    assert caught.value.status == 500


@pytest.mark.parametrize("data", [EMPTY_GGUF, gguf({"general.file_type": 15})])
def test_only_unquantised_weights_can_be_quantised(store: Store, data: bytes) -> None:
    with pytest.raises(PunaError, match="only supported for F16, BF16 and F32 models"):
        run(store, request(store, data, quantize="Q8_0"))


def test_without_the_tool_the_setting_is_named(store: Store) -> None:
    with pytest.raises(PunaError, match="PUNA_LLAMA_QUANTIZE"):
        run(store, request(store, quantize="Q8_0"))


def test_a_tool_that_cannot_be_started_is_named_by_its_setting(store: Store, tmp_path: Path) -> None:
    with pytest.raises(PunaError, match=r"PUNA_LLAMA_QUANTIZE names: No such file") as caught:
        run(store, request(store, quantize="Q8_0"), tmp_path / "absent")
    assert str(tmp_path) not in caught.value.message


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("print('loading'); sys.exit('failed to open ' + source)", "quantization failed: failed to open sha256-"),
        ("os.kill(os.getpid(), 11)", "quantization failed: the tool said nothing"),
        ("open(target, 'wb').write(b'GGUF rubbish')", "invalid GGUF file"),
        ("pass", "could not read a model's weights"),
    ],
)
def test_a_tool_that_fails_leaves_no_trace(store: Store, tmp_path: Path, body: str, error: str) -> None:
    asked = request(store, quantize="Q8_0")
    before = blobs(store)
    with pytest.raises(PunaError, match=error) as caught:
        run(store, asked, fake_quantizer(tmp_path, body))
    assert str(tmp_path) not in caught.value.message
    assert blobs(store) == before
    assert list(store.root.glob(".puna-quantize-*")) == []


def test_cancelling_kills_the_tool(store: Store, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    body = f"open({str(pid_file)!r}, 'w').write(str(os.getpid())); print('[1/2]', flush=True); time.sleep(600)"
    steps = create_model(store, request(store, quantize="Q8_0"), quantizer=fake_quantizer(tmp_path, body))
    deadline = time.monotonic() + 30
    while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < deadline:
        next(steps)
    steps.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
    assert list(store.root.glob(".puna-quantize-*")) == []


def test_T11_the_tool_cannot_fill_the_disk(store: Store, tmp_path: Path) -> None:
    body = "f = open(target, 'wb')\nfor _ in range(200): f.write(bytes(1 << 20))"
    with pytest.raises(PunaError, match="quantization failed"):
        run(store, request(store, quantize="Q8_0"), fake_quantizer(tmp_path, body))


def test_T26_the_tool_sees_no_secret(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUNA_API_KEY", "hunter2")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    seen = tmp_path / "seen"
    run(
        store,
        request(store, quantize="Q4_K_M"),
        fake_quantizer(tmp_path, f"open({str(seen)!r}, 'w').write(repr(dict(os.environ)))\n{COPY}"),
    )
    assert "PATH" in seen.read_text()
    assert "hunter2" not in seen.read_text()


def test_T27_the_tool_gets_an_argument_list(store: Store, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    tool = fake_quantizer(tmp_path, f"open({str(seen)!r}, 'w').write(repr(sys.argv[1:]))\n{COPY}")
    run(store, request(store, quantize="Q4_K_M"), tool)
    source, target, kind = eval(seen.read_text())
    assert Path(source).parent == store.root / "blobs"
    assert Path(target).name == "model.gguf"
    assert kind == "Q4_K_M"
