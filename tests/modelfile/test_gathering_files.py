"""Which files a Modelfile brings along (contract ollama-store §4.3) and which it must not (threats T03)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from puna.errors import BadRequest
from puna.modelfile import (
    Gathered,
    create_model,
    gather,
    parse_modelfile,
    read_modelfile,
    request_from_modelfile,
    request_from_path,
)
from puna.names import ModelName
from puna.store import Store
from tests.modelfile.files import EMPTY_GGUF, make

TARGET = ModelName.parse("new")


def collect(text: str, folder: Path | None) -> Gathered:
    return gather(parse_modelfile(text), folder)


def test_a_source_is_a_path_if_something_is_there_and_a_name_otherwise(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").touch()
    (tmp_path / "b.gguf").touch()
    found = collect("FROM a.gguf\nFROM llama3.2:1b\nFROM ./b.gguf\nFROM other", tmp_path)
    assert found.files == {"a.gguf": tmp_path / "a.gguf", "b.gguf": tmp_path / "b.gguf"}
    assert found.base == "other"


def test_home_folders_are_understood(tmp_path: Path, home: Path) -> None:
    (home / "m.gguf").touch()
    assert collect("FROM ~/m.gguf", tmp_path).files == {"m.gguf": home / "m.gguf"}
    assert collect("FROM ~nobody-of-this-name/m.gguf", tmp_path).files == {}


def test_a_folder_gives_its_gguf_files(tmp_path: Path) -> None:
    for name in ("m-00001-of-00002.gguf", "m-00002-of-00002.gguf", "README.md", ".hidden.gguf"):
        (tmp_path / name).touch()
    assert list(collect("FROM .", tmp_path).files) == ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"]


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "consolidated.00.pth", "x.bin"])
def test_a_folder_of_another_format_says_how_to_convert_it(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(BadRequest, match="convert_hf_to_gguf"):
        collect("FROM .", tmp_path)


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="no Modelfile or safetensors files found"):
        collect("FROM .", tmp_path)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "blob").touch()
    (tmp_path / "secret").touch()
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "m.gguf").symlink_to("../secret")
    with pytest.raises(BadRequest, match=r"^insecure path: m\.gguf$"):
        collect("FROM model", tmp_path)
    (folder / "m.gguf").unlink()
    (folder / "m.gguf").symlink_to("../.cache/blob")
    with pytest.raises(BadRequest, match=r"^insecure path: m\.gguf, use --local-dir"):
        collect("FROM model", tmp_path)


def test_a_link_inside_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").touch()
    (tmp_path / "m.gguf").symlink_to("real")
    assert list(collect("FROM .", tmp_path).files) == ["m.gguf"]


def test_adapters_and_drafts_must_exist(tmp_path: Path) -> None:
    (tmp_path / "lora.gguf").touch()
    assert list(collect("FROM a\nADAPTER lora.gguf", tmp_path).adapters) == ["lora.gguf"]
    with pytest.raises(BadRequest, match="ADAPTER none: no such file"):
        collect("FROM a\nADAPTER none", tmp_path)
    with pytest.raises(BadRequest, match="DRAFT must be another file"):
        collect("FROM lora.gguf\nDRAFT lora.gguf", tmp_path)


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "m.gguf").touch()
    with pytest.raises(BadRequest, match=r"two files are named m\.gguf"):
        collect("FROM a/m.gguf\nFROM b/m.gguf", tmp_path)


def test_the_body_for_the_api_holds_what_was_written(tmp_path: Path) -> None:
    parameters = "PARAMETER stop x\nPARAMETER seed 1\nPARAMETER mirostat 1"
    found = collect(f"FROM base\nSYSTEM s\n{parameters}\nMESSAGE user hi\nLICENSE MIT", tmp_path)
    assert found.body() == {
        "from": "base",
        "system": "s",
        "license": ["MIT"],
        "parameters": {"stop": ["x"], "seed": 1},
        "messages": [{"role": "user", "content": "hi"}],
    }
    assert found.warnings == ("warning: parameter mirostat is deprecated",)


@pytest.mark.parametrize("text", ["FROM a\nPARAMETER numa 1", "FROM a\nPARAMETER seed x"])
def test_wrong_parameters_are_found_before_anything_is_sent(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadRequest):
        collect(text, tmp_path)


def test_a_modelfile_on_disk_makes_a_model(store: Store, tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(EMPTY_GGUF)
    (tmp_path / "Modelfile").write_text("FROM ./m.gguf\nSYSTEM You are Mario.")
    list(create_model(store, request_from_path(store, TARGET, tmp_path / "Modelfile")))
    assert store.model(TARGET).system == "You are Mario."


def test_a_modelfile_as_text_makes_a_model_from_a_stored_one(store: Store) -> None:
    make(store, "base")
    list(create_model(store, request_from_modelfile(TARGET, "FROM base\nSYSTEM s\nMESSAGE user hi")))
    assert store.model(TARGET).messages == ({"role": "user", "content": "hi"},)


def test_T03_a_fifo_or_a_device_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", Path("/dev/zero")):
        with pytest.raises(BadRequest, match="not a regular file"):
            read_modelfile(path)
    with pytest.raises(BadRequest, match="not a regular file"):
        collect("FROM fifo", tmp_path)


def test_T03_a_large_file_is_no_modelfile(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"#" * 2000)
    with pytest.raises(BadRequest, match="larger than 1000 bytes"):
        read_modelfile(tmp_path / "big", 1000)


def test_T03_a_text_sent_by_a_caller_never_looks_at_the_disk(tmp_path: Path) -> None:
    """Existing and missing paths get one answer, once what the caller typed is taken out of it."""
    present, missing = tmp_path / "here", tmp_path / "gone"
    present.write_bytes(EMPTY_GGUF)
    answers = set()
    for path in (present, missing, tmp_path, Path("/etc/passwd"), Path("/etc/no-such-file"), Path("/dev/zero")):
        store = Store(tmp_path / "models")
        store.start()
        with pytest.raises(BadRequest) as caught:
            list(create_model(store, request_from_modelfile(TARGET, f"FROM {path}")))
        answers.add(caught.value.message)
    assert answers == {"invalid model name"}
    for instruction in ("ADAPTER", "DRAFT"):
        answers = set()
        for path in (present, missing):
            with pytest.raises(BadRequest) as caught:
                request_from_modelfile(TARGET, f"FROM a\n{instruction} {path}")
            answers.add(caught.value.message)
        assert len(answers) == 1
