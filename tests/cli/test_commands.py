"""The commands against a server that answers in the contract's shapes (ollama-store §6.2)."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web

import puna as package
from puna.client import Endpoint
from tests.cli.conftest import Puna
from tests.client.fake_server import MODEL, FakeServer

UNREACHABLE = "Error: could not connect to puna server, run 'puna serve' to start it\n"


def test_list_and_its_short_name_print_the_table(served: Puna) -> None:
    for words in (["list"], ["ls"], ["ls", "TINY"]):
        lines = served(*words).out.splitlines()
        assert lines[0].split() == ["NAME", "ID", "SIZE", "MODIFIED"]
        assert lines[1].startswith("tiny:latest    abababababab    1.0 KB    ")
    assert len(served("list", "other").out.splitlines()) == 1


def test_ps_prints_the_table(served: Puna) -> None:
    lines = served("ps").out.splitlines()
    assert lines[1].split() == ["tiny:latest", "abababababab", "1.0", "KB", "100%", "CPU", "8192", "Forever"]
    assert len(served("ps", "Tiny").out.splitlines()) == 1


def test_show_prints_the_summary_or_one_part(served: Puna, server: FakeServer) -> None:
    server.models["tiny"] |= {"license": "MIT", "system": "Be brief.", "template": "{{ .Prompt }}", "parameters": "a 1"}
    assert served("show", "tiny").out.startswith("  Model\n    architecture    llama")
    assert served("show", "tiny", "--license").out == "MIT\n"
    assert served("show", "tiny", "--system").out == "Be brief."
    assert served("show", "tiny", "--template").out == "{{ .Prompt }}"
    assert served("show", "tiny", "--parameters").out == "a 1\n"
    assert served("show", "tiny", "--license=false", "--system=true").out == "Be brief."
    assert server.bodies("/api/show")[0] == {"model": "tiny", "verbose": False}
    served("show", "tiny", "-v")
    assert server.bodies("/api/show")[-1] == {"model": "tiny", "verbose": True}


def test_a_missing_model_is_the_servers_words(served: Puna) -> None:
    assert served("show", "nope").err == "Error: model 'nope' not found\n"
    assert served("rm", "nope").err == "Error: model 'nope' not found\n"
    assert served("cp", "nope", "x").err == 'Error: model "nope" not found\n'
    assert served("stop", "nope").err == 'Error: couldn\'t find model "nope" to stop\n'


def test_cp_rm_and_stop_say_what_they_did(served: Puna, server: FakeServer) -> None:
    server.models["other"] = {}
    assert served("cp", "tiny", "new").out == "copied 'tiny' to 'new'\n"
    assert served("stop", "tiny").out == ""
    server.asked.clear()
    result = served("rm", "tiny", "nope", "other")
    assert (result.status, result.out) == (1, "deleted 'tiny'\n")
    assert [path for path, _ in server.asked if path != "/"] == ["/api/generate", "/api/delete"] * 2
    assert server.bodies("/api/generate")[0] == {"model": "tiny", "keep_alive": "0s"}


def test_a_model_that_cannot_be_stopped_is_removed_with_a_warning(served: Puna, server: FakeServer) -> None:
    async def broken(request: web.Request) -> web.Response:
        return web.json_response({"error": "no"}, status=500)

    server.overrides["/api/generate"] = broken
    result = served("rm", "tiny")
    assert (result.status, result.out) == (0, "deleted 'tiny'\n")
    assert result.err == "Warning: unable to stop model 'tiny'\n"


@pytest.mark.parametrize(
    "words", [["ps"], ["show", "m"], ["cp", "a", "b"], ["rm", "a"], ["stop", "a"], ["create", "a"]]
)
def test_without_a_server_every_command_says_how_to_start_one(
    puna: Puna, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:1")
    result = puna(*words)
    assert (result.status, result.err) == (1, UNREACHABLE)


def test_a_server_elsewhere_is_never_replaced(puna: Puna, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "http://nowhere.invalid")
    for words in (["list"], ["list", "--outdated"], ["run", "m", "hi"], ["pull", "m"], ["push", "m"], ["verify"]):
        result = puna(*words)
        assert result.status == 1
        assert result.err.startswith("Error: could not connect to http://nowhere.invalid:80: ")


def test_a_bad_port_is_a_warning(puna: Puna, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "nowhere.invalid:99999")
    assert puna("ps").err.startswith('Warning: invalid port "99999", using default 11434\n')


def test_PUNA_HOST_wins_over_OLLAMA_HOST(served: Puna, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUNA_HOST", f" '{endpoint.url}' ")
    monkeypatch.setenv("OLLAMA_HOST", "nowhere.invalid")
    assert served("list").status == 0


def test_the_key_of_the_settings_is_sent(served: Puna, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.key = "secret"
    assert served("list").err == "Error: unauthorized\n"
    monkeypatch.setenv("PUNA_API_KEY", "secret")
    assert served("list").status == 0


def test_version_tells_the_servers_and_its_own_where_they_differ(served: Puna, server: FakeServer) -> None:
    mine = package.__version__
    assert served("--version").out == f"puna version is 0.33.0\nWarning: client version is {mine}\n"

    async def status(request: web.Request) -> web.Response:
        return web.json_response({"puna": {"version": mine}})

    server.overrides["/api/status"] = status
    assert served("-v").out == f"puna version is {mine}\n"


def test_version_without_a_server_is_no_failure(puna: Puna, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:1")
    result = puna("--version")
    warning = "Warning: could not connect to a running Puna instance\n"
    assert (result.status, result.out) == (0, f"{warning}Warning: client version is {package.__version__}\n")


def test_create_uploads_what_the_modelfile_names(
    served: Puna, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.gguf").write_bytes(b"GGUF" * 10)
    (tmp_path / "Modelfile").write_text('FROM ./weights.gguf\nPARAMETER temperature 0.5\nSYSTEM "Be brief."\n')
    digest = f"sha256:{hashlib.sha256(b'GGUF' * 10).hexdigest()}"
    result = served("create", "mine", "-q", "q8_0")
    assert result.status == 0
    assert result.err.splitlines() == [
        "gathering model components",
        f"copying file {digest} 0%",
        "writing manifest",
        "success",
    ]
    assert server.blobs == {digest: b"GGUF" * 10}
    assert server.bodies("/api/create") == [
        {
            "model": "mine",
            "files": {"weights.gguf": digest},
            "parameters": {"temperature": 0.5},
            "system": "Be brief.",
            "quantize": "q8_0",
        }
    ]
    assert "copying file" not in served("create", "mine").err  # the server has it now


def test_create_without_a_modelfile_takes_the_folder(
    served: Puna, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert served("create", "mine").err.endswith("Error: no Modelfile or safetensors files found\n")
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    assert served("create", "mine").status == 0
    assert list(server.bodies("/api/create")[0]["files"]) == ["a.gguf"]


def test_create_names_a_modelfile_that_is_not_there(served: Puna) -> None:
    assert served("create", "mine", "-f", "nope").err == "Error: specified Modelfile wasn't found\n"


def test_a_FROM_that_is_neither_file_nor_model_is_named(served: Puna, server: FakeServer, tmp_path: Path) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.json_response({"error": "pull model manifest: file does not exist"}, status=500)

    server.overrides["/api/create"] = refuse
    path = tmp_path / "Modelfile"
    path.write_text("FROM ./misspelt.gguf\n")
    error = "Error: FROM ./misspelt.gguf: no such file beside the Modelfile, and no such model\n"
    assert served("create", "mine", "-f", str(path)).err.endswith(error)
    path.write_text("FROM tiny\n")
    error = "Error: 500 Internal Server Error: pull model manifest: file does not exist\n"
    assert served("create", "mine", "-f", str(path)).err.endswith(error)


def test_a_web_page_is_no_error_message(served: Puna, server: FakeServer) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(status=502, text="<html>\n<h1>Bad Gateway</h1>\n</html>")

    server.overrides["/api/tags"] = server.overrides["/api/show"] = page
    error = "Error: a web page came back (Bad Gateway): is the address that of a model server?\n"
    assert [served(*words).err for words in (["list"], ["show", "tiny"])] == [error, error]


def test_a_reader_that_goes_away_ends_the_command_quietly(endpoint: Endpoint, server: FakeServer) -> None:
    async def many(request: web.Request) -> web.Response:
        return web.json_response({"models": [MODEL] * 5000})

    server.overrides["/api/tags"] = many
    with subprocess.Popen(
        [sys.executable, "-m", "puna.cli", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"OLLAMA_HOST": endpoint.url},
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.read(10)
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 1


def test_T05_a_key_for_the_hosted_service_is_not_sent_to_this_server(
    served: Puna, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", "cloud-secret")
    assert served("list").status == 0
    assert all("Authorization" not in headers for headers in server.headers)


def test_without_a_server_list_starts_one_of_its_own(home: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    done = subprocess.run(
        [sys.executable, "-m", "puna.cli", "list"],
        capture_output=True,
        text=True,
        env={**os.environ, "OLLAMA_HOST": f"127.0.0.1:{port}", "PUNA_EMBEDDED_MODEL": "0"},
    )
    assert done.stderr == f"no server answers at http://127.0.0.1:{port}: starting one for this command\n"
    assert (done.returncode, done.stdout) == (0, "NAME    ID    SIZE    MODIFIED \n")


def test_the_version_of_the_package_is_the_programs() -> None:
    assert importlib.metadata.version("puna") == package.__version__
