"""Killed or failing at any moment, the store shows whole models only, and every blob hashes to its name (threats T04)."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from puna.errors import PunaError, StoreError
from puna.store import Store
from tests.store.gguf_files import gguf_bytes
from tests.store.making import HOUR, add_model, blob_files, make_older

ROOT = Path(__file__).parents[2]


def assert_whole(store: Store) -> None:
    for path in (store.root / "blobs").glob("sha256-" + "?" * 64):
        assert path.name == f"sha256-{hashlib.sha256(path.read_bytes()).hexdigest()}"
    models = store.models()
    assert len(models) == len(store.names())
    for model in models:
        assert model.complete
        assert all(store.verify(digest) for digest in model.manifest.digests)


def child(code: str, store: Store) -> subprocess.Popen[bytes]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", code, str(store.root)], cwd=ROOT, **pipes)


HALF_A_BLOB = """
import sys
from pathlib import Path
from puna.store import Store
with Store(Path(sys.argv[1])).writer() as writer:
    writer.write(b"half of it")
    print("written", flush=True)
    sys.stdin.read()
"""


def test_a_killed_writer_leaves_no_blob_and_its_leftover_goes_after_an_hour(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with child(HALF_A_BLOB, store) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
    (leftover,) = blob_files(store)
    assert len(leftover) < len("sha256-") + 64
    store.start()
    assert blob_files(store) == {leftover}
    make_older(store.root / "blobs" / leftover, HOUR + 1)
    with caplog.at_level(logging.INFO):
        store.start()
    assert blob_files(store) == set()
    assert "pruned 1 unused file" in caplog.text


MODELS_FOR_EVER = """
import itertools, sys
from pathlib import Path
from puna.store import Store
from tests.store.making import add_model, name_of
store = Store(Path(sys.argv[1]))
store.start()
print("ready", flush=True)
for number in itertools.count():
    add_model(store, f"m{number % 7}", system=f"system {number}", template="t" * number)
    store.copy(name_of(f"m{number % 7}"), name_of(f"copy{number % 3}"))
    store.delete(name_of(f"m{number % 5}"))
    add_model(store, f"m{number % 5}")
"""


def test_T04_killed_at_any_moment_the_store_is_whole(store: Store) -> None:
    dice = random.Random(7)
    for _ in range(8):
        with child(MODELS_FOR_EVER, store) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            time.sleep(dice.uniform(0.01, 0.1))
            process.send_signal(signal.SIGKILL)
        assert_whole(Store(store.root))


@pytest.mark.parametrize("act", ["fsync", "replace", "chmod", "open", "utime", "stat"])
def test_T04_a_disk_that_fails_at_any_step_loses_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    add_model(store, "before", system="s")
    real, calls, failures = getattr(os, act), 0, 0

    def failing(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at and str(store.root) in str(arguments[0] if act != "fsync" else store.root):
            raise OSError(errno.EIO, "Input/output error")
        return real(*arguments, **options)

    for at in range(1, 60):
        calls = 0
        with monkeypatch.context() as patch:
            patch.setattr(os, act, failing)
            try:
                add_model(store, f"m{at}", weights=gguf_bytes({"general.architecture": f"a{at}"}), system=f"s{at}")
            except PunaError as error:
                assert_clear(error, store)
                failures += 1
        assert_whole(Store(store.root))
        if calls < at:
            break
    else:
        pytest.fail("a model takes fewer steps than this")
    assert failures > 2
    assert {"before", f"m{at}"} <= {name.model for name in store.names()}


def assert_clear(error: PunaError, store: Store) -> None:
    assert isinstance(error, StoreError)
    assert str(error).endswith(": Input/output error")
    assert str(store.root) not in str(error)
