"""Pulls and pushes through the API, and what a store must look like after them, whatever has happened."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.registries import Layer, Model
from tests.servers import Server

Line = dict[str, Any]

BLOB = re.compile(r"sha256-[0-9a-f]{64}")
JOURNAL = re.compile(r"-partial-\d+$")


def a_server(folder: Path, *origins: str, push: bool = False, **more: str) -> Server:
    """Not yet started. Its store is `folder/models`, so that a test can watch what happens beside it."""
    environment = {"PUNA_EMBEDDED_MODEL": "0", "PUNA_REGISTRIES": ",".join(origins), **more}
    if push:
        environment["PUNA_PUSH_REGISTRIES"] = ",".join(origins)
    folder.mkdir(parents=True, exist_ok=True)
    return Server(folder / "models", folder / "home", environment)


def pull(server: Server, name: str, **fields: object) -> list[Line]:
    return server.post("/api/pull", {"model": name, **fields}).lines


def push(server: Server, name: str, **fields: object) -> list[Line]:
    return server.post("/api/push", {"model": name, **fields}).lines


def assert_success(lines: list[Line]) -> None:
    assert lines[-1] == {"status": "success"}, lines[-3:]


def error_of(lines: list[Line]) -> str:
    """The text of the one error line, which must be the last."""
    assert [line for line in lines if "error" in line] == lines[-1:], lines[-3:]
    text = lines[-1]["error"]
    assert isinstance(text, str)
    assert text.strip()
    assert text.isprintable(), text
    return text


def statuses(lines: Iterable[Line]) -> list[str]:
    """What is said, in order, repetitions left out."""
    return [status for status, _ in groupby(line["status"] for line in lines)]


def assert_progress_never_runs_backwards(lines: Iterable[Line]) -> None:
    seen: dict[str, int] = {}
    totals: dict[str, int] = {}
    for line in lines:
        if "digest" in line:
            digest, completed = line["digest"], line.get("completed", 0)
            assert completed >= seen.get(digest, 0), line
            assert completed <= line["total"] == totals.setdefault(digest, line["total"]), line
            seen[digest] = completed


def listed(server: Server) -> dict[str, str]:
    """Name and id of each model that the server lists."""
    return {model["name"]: model["digest"] for model in server.get("/api/tags").json["models"]}


def say_something(server: Server, name: str) -> str:
    """What the model answers, always the same for the same weights."""
    body = {"model": name, "prompt": "The sky is", "stream": False, "options": {"num_predict": 6, "temperature": 0}}
    answer = server.post("/api/generate", body)
    assert answer.status == 200, answer.body
    return str(answer.json["response"])


def blob_file(models: Path, digest: str) -> Path:
    return models / "blobs" / digest.replace(":", "-")


def journalled(models: Path, digest: str) -> int:
    """Bytes of a blob that an interrupted pull has left and knows of. A journal without its data file knows nothing."""
    data = Path(f"{blob_file(models, digest)}-partial")
    if not data.exists():
        return 0
    parts = [path for path in data.parent.glob(f"{data.name}-*") if JOURNAL.search(path.name)]
    return sum(json.loads(part.read_text())["Completed"] for part in parts)


def assert_sound(models: Path) -> None:
    """No half model: every visible blob hashes to its name and every manifest's blobs are there."""
    blobs = {path.name for path in models.glob("blobs/*") if BLOB.fullmatch(path.name)}
    for name in blobs:
        with (models / "blobs" / name).open("rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == name.removeprefix("sha256-")
    for path in models.glob("manifests/*/*/*/*"):
        manifest = json.loads(path.read_text())
        digests = [layer["digest"] for layer in (*manifest["layers"], manifest["config"])]
        needed = {digest.replace(":", "-") for digest in digests if digest}  # a config without one is allowed
        assert needed <= blobs, f"{path.relative_to(models)} is listed without {needed - blobs}"


def outside(server: Server) -> dict[str, int]:
    """Every file beside the store (invariant I2) with its time; the server's own log and key are allowed to change."""
    own = {"server.log", "id_ed25519", "id_ed25519.pub"}
    return {
        str(path): path.stat().st_mtime_ns
        for path in server.models.parent.rglob("*")
        if path.is_file() and not path.is_relative_to(server.models) and path.name not in own
    }


def random_bytes(size: int, seed: object) -> bytes:
    return random.Random(str(seed)).randbytes(size)


def filler(name: str, *sizes: int) -> Model:
    """A model of random bytes, for transfers that nobody wants an answer of; equal names give equal bytes."""
    return Model(name, [Layer(random_bytes(size, (name, number))) for number, size in enumerate(sizes)])


def runnable(name: str, gguf: Path) -> Model:
    return Model(name, [Layer(gguf)])
