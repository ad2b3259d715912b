"""`puna pull`, `puna push`, `puna verify` and `puna list --outdated` against a server that answers as the contract says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from aiohttp import web

from puna.cli.commands.push import destination_of
from puna.client import Endpoint
from puna.names import ModelName
from tests.cli.conftest import Puna
from tests.client.fake_server import FakeServer

A, B = "a" * 64, "b" * 64


def layer(verb: str, completed: int, total: int = 10_000_000, digest: str = A) -> dict[str, Any]:
    line = {"status": f"{verb} {digest[:12]}", "digest": f"sha256:{digest}", "total": total}
    return line | ({"completed": completed} if completed else {})


def statuses(*texts: str) -> list[dict[str, Any]]:
    return [{"status": text} for text in texts]


PULLED = [
    *statuses("pulling manifest"),
    *(layer("pulling", done) for done in (0, 2_000_000, 1_000_000, 10_000_000)),
    layer("pulling", 500, 500, B),
    *statuses("verifying sha256 digest", "writing manifest", "success"),
]
PULLED_TEXT = (
    "pulling manifest\n"
    "pulling aaaaaaaaaaaa: 20% of 10 MB\n"
    "pulling aaaaaaaaaaaa: 100% of 10 MB\n"
    "pulling bbbbbbbbbbbb: 100% of 500 B\n"
    "verifying sha256 digest\nwriting manifest\nsuccess\n"
)


def test_a_pull_in_a_pipe_prints_clean_lines(served: Puna, server: FakeServer) -> None:
    server.registry["far"] = PULLED
    result = served("pull", "far")
    assert (result.status, result.out, result.err) == (0, "", PULLED_TEXT)
    assert served("pull", "far", "--insecure").status == 0
    assert server.bodies("/api/pull") == [{"model": "far", "insecure": False}, {"model": "far", "insecure": True}]


def test_a_model_that_no_registry_has_is_the_servers_words(served: Puna) -> None:
    result = served("pull", "nope")
    assert (result.status, result.out) == (1, "")
    assert result.err == "pulling manifest\nError: pull model manifest: file does not exist\n"


def test_T05_a_registry_that_is_not_listed_is_told_with_the_setting(served: Puna, server: FakeServer) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.json_response({"error": "add r.example to PUNA_REGISTRIES\x1b[2J"}, status=403)

    server.overrides["/api/pull"] = refuse
    assert served("pull", "r.example/a/b").err == "Error: 403 Forbidden: add r.example to PUNA_REGISTRIES[2J\n"


def test_an_interrupted_pull_says_that_it_can_go_on(endpoint: Endpoint, server: FakeServer) -> None:
    server.registry["far"] = [layer("pulling", 1), layer("pulling", 2)]
    server.endless = True
    for words in (["pull", "far"], ["run", "far", "hi"]):
        with subprocess.Popen(
            [sys.executable, "-m", "puna.cli", *words],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OLLAMA_HOST": endpoint.url},
        ) as child:
            assert child.stderr is not None
            assert child.stderr.readline() == "pulling aaaaaaaaaaaa: 0% of 10 MB\n"
            child.send_signal(signal.SIGINT)
            assert child.stderr.read() == "interrupted: run it again, and the pull goes on where it stopped\n"
        assert child.returncode == 130


def test_pull_all_updates_what_is_outdated_and_goes_on_after_a_failure(served: Puna, server: FakeServer) -> None:
    server.outdated = [
        {"name": "one:latest", "digest": A, "newest": B},
        {"name": "lost:latest", "digest": A, "error": "no such host"},
        {"name": "two:latest", "digest": A, "newest": B},
        {"name": "same:latest", "digest": A, "newest": A},
        {"name": "three:latest", "digest": A, "newest": B},
    ]
    server.registry |= {"one:latest": statuses("success"), "three:latest": statuses("pulling manifest", "success")}
    result = served("pull", "--all", "--insecure")
    assert (result.status, result.out) == (1, "updated one:latest, three:latest\n")
    assert result.err.splitlines() == [
        "one:latest (1 of 3)",
        "success",
        "two:latest (2 of 3)",
        "pulling manifest",
        "three:latest (3 of 3)",
        "pulling manifest",
        "success",
        "Error: lost:latest: no such host",
        "Error: two:latest: pull model manifest: file does not exist",
    ]
    assert server.bodies("/api/pull")[0] == {"model": "one:latest", "insecure": True}


def test_pull_all_says_when_there_is_nothing_to_do(served: Puna) -> None:
    result = served("pull", "--all")
    assert (result.status, result.out, result.err) == (0, "every pulled model is up to date\n", "")


def test_list_outdated_is_a_table_of_what_is_here_and_what_is_newest(served: Puna, server: FakeServer) -> None:
    server.outdated = [
        {"name": "one:latest", "digest": A, "newest": B},
        {"name": "lost:latest", "digest": A, "error": "no such host"},
    ]
    result = served("list", "--outdated")
    lines = ["NAME          ID              NEWEST       ", f"one:latest    {A[:12]}    {B[:12]}    "]
    assert result.out.splitlines() == lines
    assert (result.status, result.err) == (1, "Error: lost:latest: no such host\n")
    result = served("ls", "ONE", "--outdated")
    assert (result.status, result.out.splitlines(), result.err) == (0, lines, "")


def test_a_push_ends_with_where_the_model_is(served: Puna, server: FakeServer) -> None:
    server.steps = [
        *statuses("retrieving manifest"),
        layer("pushing", 10_000_000),
        *statuses("pushing manifest", "success"),
    ]
    result = served("push", "127.0.0.1:5000/me/tiny", "--insecure")
    assert (result.status, result.out) == (0, "\nYou can find your model at:\n\n\t127.0.0.1:5000/me/tiny:latest\n")
    assert result.err == "retrieving manifest\npushing aaaaaaaaaaaa 100% of 10 MB\npushing manifest\nsuccess\n"
    assert server.bodies("/api/push") == [{"model": "127.0.0.1:5000/me/tiny", "insecure": True}]


@pytest.mark.parametrize(
    ("name", "destination"),
    [
        ("me/tiny", "https://ollama.com/me/tiny"),
        ("me/tiny:7b", "https://ollama.com/me/tiny:7b"),
        ("tiny", "https://ollama.com/tiny"),
        ("hf.co/me/tiny", "hf.co/me/tiny:latest"),
    ],
)
def test_a_pushed_model_has_a_page_or_its_full_name(name: str, destination: str) -> None:
    assert destination_of(ModelName.parse(name)) == destination


@pytest.mark.parametrize("text", ["unauthorized: access denied", "Access Denied", "401: UNAUTHORIZED"])
def test_a_refused_push_says_what_to_do(served: Puna, server: FakeServer, text: str) -> None:
    server.steps = [*statuses("retrieving manifest"), {"error": text}]
    result = served("push", "me/tiny")
    assert (result.status, result.out) == (1, "")
    assert result.err.splitlines()[-1] == (
        "Error: you are not authorized to push to this namespace, create the model under a namespace you own"
    )


def test_a_server_that_wants_its_key_is_no_refused_push(served: Puna, server: FakeServer) -> None:
    server.key = "secret"
    assert "unauthorized" in served("push", "me/tiny").err
    assert "namespace" not in served("push", "me/tiny").err


def test_verify_counts_what_is_good(served: Puna, server: FakeServer) -> None:
    server.steps = [layer("verifying", 0), layer("verifying", 10_000_000), layer("verifying", 500, 500, B)]
    server.steps += statuses("success")
    result = served("verify")
    assert (result.status, result.out) == (0, "2 blobs of 1 model are good\n")
    assert result.err.splitlines() == [
        "verifying aaaaaaaaaaaa 100% of 10 MB",
        "verifying bbbbbbbbbbbb 100% of 500 B",
        "success",
    ]
    assert served("verify", "tiny", "--repair", "--insecure").status == 0
    assert server.bodies("/api/verify") == [
        {"repair": False, "insecure": False},
        {"model": "tiny", "repair": True, "insecure": True},
    ]
    server.steps = statuses("success")
    assert served("verify").out == "there is nothing to verify yet\n"


def test_verify_names_what_is_damaged_and_what_to_do(served: Puna, server: FakeServer) -> None:
    server.steps = [
        layer("verifying", 10_000_000),
        {"status": f"damaged sha256:{A} of tiny:latest", "digest": f"sha256:{A}"},
        {"status": f"missing sha256:{B} of tiny:latest", "digest": f"sha256:{B}"},
        {"status": "damaged manifest of other:latest"},
        {"error": "2 blobs are damaged: run puna verify --repair"},
    ]
    result = served("verify")
    assert (result.status, result.out) == (1, "")
    assert result.err.splitlines()[-4:] == [
        "Error: 2 blobs are damaged: run puna verify --repair",
        f"damaged sha256:{A} of tiny:latest",
        f"missing sha256:{B} of tiny:latest",
        "damaged manifest of other:latest",
    ]


def test_verify_tells_what_it_repaired_and_what_it_could_not(served: Puna, server: FakeServer) -> None:
    bad = [{"status": f"damaged sha256:{digest}", "digest": f"sha256:{digest}"} for digest in (A, B)]
    mended = [layer("pulling", 10_000_000), {"status": f"repaired sha256:{A}", "digest": f"sha256:{A}"}]
    server.steps = [bad[0], *mended, *statuses("success")]
    assert served("verify", "--repair").out == "1 blob of 1 model is good, 1 repaired\n"
    server.steps = [*bad, *mended, {"error": "blob b could not be repaired: no such host"}]
    result = served("verify", "--repair")
    error = f"Error: blob b could not be repaired: no such host\ndamaged sha256:{B}\n"
    assert (result.status, result.err[-len(error) :]) == (1, error)


def test_a_server_that_is_not_Puna_cannot_verify(served: Puna, server: FakeServer) -> None:
    async def missing(request: web.Request) -> web.Response:
        return web.Response(status=404, text="404 page not found")

    server.overrides["/api/verify"] = server.overrides["/api/outdated"] = missing
    for words in (["verify"], ["pull", "--all"], ["list", "--outdated"]):
        error = "Error: this server cannot do that: it is another one than Puna, or an older Puna\n"
        assert served(*words).err == error
    server.overrides.clear()
    server.steps = [{"error": "model 'nope' not found"}]
    assert served("verify", "nope").err == "Error: model 'nope' not found\n"
