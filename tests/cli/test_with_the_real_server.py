"""A person's first hour with Puna: the real program, the real server, the packaged model."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
import pytest

from tests.cli.shells import NO_REGISTRY, PATIENCE_S, Shell, shell_for
from tests.cli.terminals import chatting
from tests.servers import Server, free_port

SMOL = "smollm2:135m"

# One thread: two of them that wait for each other are slow on a machine which does other things as well.
QUICK = f"FROM {SMOL}\nPARAMETER num_thread 1\nPARAMETER num_predict 12\nPARAMETER seed 7\nPARAMETER temperature 0\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("first-hour")
    with Server(folder / "models", folder / "home", {"PUNA_REGISTRIES": NO_REGISTRY}) as running:
        yield running


@pytest.fixture(scope="module")
def shell(server: Server) -> Shell:
    """In front of the server, with a quick model made from the packaged one."""
    shell = shell_for(server.home, server.models, server.port)
    modelfile = server.home / "Modelfile"
    modelfile.write_text(QUICK)
    _, err = shell.puna("create", "quick", "-f", str(modelfile))
    assert err.splitlines()[-1] == "success"
    return shell


@pytest.fixture
def alone(tmp_path: Path) -> Shell:
    """Where no server runs and no model is."""
    return shell_for(tmp_path / "home", tmp_path / "models", free_port())


def make(shell: Shell, name: str, gguf: Path, folder: Path) -> None:
    """A model in a store that no server has open, made by one that lives for this only."""
    path = folder / "Modelfile"
    path.write_text(f"FROM {gguf}\nPARAMETER num_predict 4\n")
    server = Server(Path(shell.environment["PUNA_MODELS"]), folder / "maker", {"PUNA_EMBEDDED_MODEL": "0"})
    with server:
        shell.puna("create", name, "-f", str(path), PUNA_HOST=f"127.0.0.1:{server.port}")


def test_a_prompt_is_answered_and_measured(shell: Shell) -> None:
    out, err = shell.puna("run", "quick", "Say hello.", "--verbose")
    assert out.strip()
    assert out.endswith("\n\n")
    labels = [line[:22].strip() for line in err.splitlines()]
    assert labels[0] == "total duration:"
    assert labels[-3:] == ["eval count:", "eval duration:", "eval rate:"]


def test_piped_text_is_answered_in_the_form_of_a_schema(shell: Shell) -> None:
    schema = '{"type": "string", "enum": ["yes", "no"]}'
    out, err = shell.puna("run", "quick", "Is it blue?", "--format", schema, stdin="The sky is blue.\n")
    assert json.loads(out) in {"yes", "no"}
    assert err == ""


def test_a_loaded_model_shows_until_it_is_stopped(shell: Shell, server: Server) -> None:
    shell.puna("run", "quick")
    out, _ = shell.puna("ps", "quick")
    assert [line.split()[0] for line in out.splitlines()] == ["NAME", "quick:latest"]
    shell.puna("stop", "quick")
    deadline = time.monotonic() + 10
    while server.runners() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert server.runners() == []


def test_models_are_made_shown_copied_and_removed(shell: Shell, tiny_llama: Path, tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(tiny_llama.read_bytes())
    path = tmp_path / "Recipe"
    path.write_text('FROM ./model.gguf\nSYSTEM "You are brief."\nTEMPLATE "{{ .Prompt }}"\nLICENSE mine\n')
    _, err = shell.puna("create", "brief", "-f", str(path))
    assert err.splitlines()[-1] == "success"
    assert shell.puna("show", "brief", "--system")[0] == "You are brief."
    assert shell.puna("show", "brief", "--template")[0] == "{{ .Prompt }}"
    assert shell.puna("show", "brief", "--license")[0] == "mine\n"
    assert "num_predict                    12" in shell.puna("show", "quick", "--parameters")[0]
    assert "SYSTEM You are brief." in shell.puna("show", "brief", "--modelfile")[0]
    assert "    quantization" in shell.puna("show", "brief")[0]
    assert shell.puna("cp", "brief", "twin")[0] == "copied 'brief' to 'twin'\n"
    assert [line.split()[0] for line in shell.puna("list", "TWIN")[0].splitlines()] == ["NAME", "twin:latest"]
    assert shell.puna("rm", "twin", "brief")[0] == "deleted 'twin'\ndeleted 'brief'\n"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ["run", "nope", "hi"],
            "403 Forbidden: registry registry.ollama.ai is not one that may be used: add it to PUNA_REGISTRIES to allow it"
            f"\nthe models here are: quick:latest, {SMOL}",
        ),
        (
            ["push", f"{NO_REGISTRY}/a/b"],
            f"403 Forbidden: pushing to {NO_REGISTRY} is turned off: add it to PUNA_PUSH_REGISTRIES to allow it",
        ),
        (["run", SMOL, "hi", "--think"], f'400 Bad Request: "{SMOL}" does not support thinking'),
        (["run", "../etc", "hi"], "invalid model name"),
        (["show", "nope"], "model 'nope:latest' not found"),
        (["cp", "nope", "a"], 'model "nope" not found'),
        (["rm", "../etc"], 'name "../etc" is invalid'),
        (["stop", "nope"], 'couldn\'t find model "nope" to stop'),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(shell: Shell, words: list[str], error: str) -> None:
    assert shell.error(*words) == f"Error: {error}\n"


@pytest.mark.parametrize(
    ("modelfile", "error"),
    [
        ("", "no FROM line"),
        ("FROM ./nope.gguf\n", "FROM ./nope.gguf: no such file beside the Modelfile, and no such model"),
        (f"FROM {SMOL}\nPARAMETER warmth 1\n", "unknown parameter 'warmth'"),
        (f"FROM {SMOL}\nTEMPLATE {{{{ .Foo\n", "400 Bad Request: template error: line 1: unclosed action"),
    ],
)
def test_a_wrong_modelfile_is_one_clear_line(shell: Shell, tmp_path: Path, modelfile: str, error: str) -> None:
    path = tmp_path / "Modelfile"
    path.write_text(modelfile)
    assert shell.error("create", "bad", "-f", str(path)).splitlines()[-1] == f"Error: {error}"


def test_a_second_server_says_that_the_port_is_taken(shell: Shell, server: Server) -> None:
    assert shell.error("serve").endswith(f"Error: listen tcp 127.0.0.1:{server.port}: bind: address already in use\n")
    assert shell.error("up").startswith(f"Error: a server already answers at {server.url}: ")


def test_a_conversation_in_a_terminal(shell: Shell, server: Server) -> None:
    with chatting("quick", shell.environment) as terminal:
        terminal.type("Grüße, 你好 🦙\r/set verbose\r")  # the command is typed before the answer is there
        terminal.wait_for("Set 'verbose' mode.", PATIENCE_S)
        terminal.type("\x1b[200~one\ntwo\x1b[201~\r")  # pasted
        terminal.wait_for("eval rate:", PATIENCE_S)
        terminal.type("/save kept\r")
        terminal.wait_for("Created new model 'kept'")
        terminal.type("/load nope\r")
        terminal.wait_for("Couldn't find model 'nope'")
        terminal.type("/set parameter num_predict -1\r")
        terminal.wait_for("Set parameter")
        terminal.type("/set parameter temperature 2\r")
        terminal.wait_for("Set parameter")
        terminal.type("Count to a million.\r")
        terminal.wait_for("million.")
        terminal.wait_for("\n")
        terminal.type("\x03")
        terminal.wait_for("Send a message", PATIENCE_S)
    with chatting("kept", shell.environment) as terminal:
        terminal.type("\x1b[A")  # Up: the last line of the session before
        terminal.wait_for("Count to a million.")
        terminal.type("\x15")
    kept = server.post("/api/show", {"model": "kept"}).json["messages"]
    assert [message["content"] for message in kept if message["role"] == "user"] == ["Grüße, 你好 🦙", "one\ntwo"]


def test_without_a_server_commands_bring_their_own_and_leave_nothing(
    alone: Shell, tiny_llama: Path, tmp_path: Path
) -> None:
    make(alone, "tiny", tiny_llama, tmp_path)
    answers = [alone.start("run", "tiny", text) for text in ("one", "two")]
    seen: set[psutil.Process] = set()
    while any(process.poll() is None for process in answers):
        for process in answers:
            try:
                seen.update(psutil.Process(process.pid).children(recursive=True))
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.02)
    for process in answers:
        out, err = process.communicate()
        assert process.returncode == 0
        assert out.strip()
        assert err.count("\n") == 1
        assert err.startswith("no server answers at ")
    assert len(seen) >= 4  # two servers, two engines
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in seen)


def test_without_a_server_a_broken_store_is_named(alone: Shell, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    _, err = alone.puna("list", status=1, PUNA_MODELS=str(tmp_path / "file"))
    assert err.splitlines()[1] == (
        "Error: the embedded runtime did not start: "
        "could not make the model folder, ensure path elements are traversable: Not a directory"
    )


class Page(BaseHTTPRequestHandler):
    """Any other web server."""

    def do_GET(self) -> None:
        self.send_error(404)

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def test_another_kind_of_server_is_told_in_one_line(alone: Shell) -> None:
    with HTTPServer(("127.0.0.1", 0), Page) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        error = alone.error("list", PUNA_HOST=f"127.0.0.1:{web.server_port}")
        web.shutdown()
    assert error == "Error: a web page came back (Not Found): is the address that of a model server?\n"


def welcomed(shell: Shell, **more: str) -> str:
    """What `puna up --show-answer` prints; Ctrl-C ends it when the welcome is complete."""
    process = shell.start("up", "--show-answer", **more)
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "/openapi.json" in line:
            break
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in err) == (0, False)
    assert not any(child.is_running() for child in children)
    assert "path=/api/chat" not in err
    return "".join(lines) + out


def test_up_shows_an_answer_of_the_packaged_model_and_how_to_chat(alone: Shell) -> None:
    out = welcomed(alone)
    assert out.startswith(f"\n{SMOL} >>> ")
    assert " tokens/s)\n" in out
    assert f"PUNA_HOST={alone.environment['PUNA_HOST']} puna run {SMOL}\n" in out


def test_up_speaks_to_itself_where_others_need_a_key(alone: Shell, tiny_llama: Path, tmp_path: Path) -> None:
    make(alone, "tiny", tiny_llama, tmp_path)
    alone.puna("key", "create", "reader", "--right", "read")
    out = welcomed(alone)
    assert out.startswith("\ntiny:latest >>> ")
    assert " tokens/s)\n" in out


def test_up_lets_the_newest_model_that_can_talk_answer(
    alone: Shell, tiny_llama: Path, tiny_embedder: Path, tmp_path: Path
) -> None:
    make(alone, "tiny", tiny_llama, tmp_path)
    make(alone, "embedder", tiny_embedder, tmp_path)
    out = welcomed(alone)
    assert out.startswith("\ntiny:latest >>> ")
    assert "puna run tiny:latest\n" in out


def test_up_without_any_model_says_so(alone: Shell) -> None:
    out = welcomed(alone, PUNA_EMBEDDED_MODEL="0")
    assert out.startswith("\nNo model that can answer is here yet: ")
    assert "puna run" not in out
