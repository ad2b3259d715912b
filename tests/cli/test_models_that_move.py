"""A model moves from one Puna to another by the command line, with a real registry between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.shells import Shell, shell_for
from tests.registries.docker import DockerRegistry
from tests.servers import Server, free_port


@dataclass(frozen=True)
class Town:
    maker: Shell  # has the model and may push it
    user: Shell  # begins with nothing
    store: Path  # the user's
    model: str


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town")
    with DockerRegistry(folder / "registry") as registry:
        listed = {"PUNA_REGISTRIES": registry.url, "PUNA_PUSH_REGISTRIES": registry.url, "PUNA_EMBEDDED_MODEL": "0"}
        with (
            Server(folder / "maker", folder / "makers-home", listed) as one,
            Server(folder / "user", folder / "users-home", listed) as other,
        ):
            maker, user = (shell_for(server.home, server.models, server.port) for server in (one, other))
            town = Town(maker, user, other.models, f"{registry.host}/town/tiny")
            publish(town, tiny_llama, "the first")
            yield town


def publish(town: Town, gguf: Path, system: str) -> str:
    """Make a version of the model and push it; what the push prints on stderr."""
    path = Path(town.maker.environment["HOME"]) / "Modelfile"
    path.write_text(f"FROM {gguf}\nPARAMETER num_predict 4\nSYSTEM {system}\n")
    town.maker.puna("create", town.model, "-f", str(path))
    out, err = town.maker.puna("push", town.model)
    assert out == f"\nYou can find your model at:\n\n\t{town.model}:latest\n"
    return err


def identity(shell: Shell) -> str:
    return shell.puna("list")[0].splitlines()[1].split()[1]


def weights(store: Path) -> Path:
    return max((store / "blobs").glob("sha256-*"), key=lambda path: path.stat().st_size)


def test_run_pulls_what_is_missing_and_the_pulled_model_answers(town: Town) -> None:
    out, err = town.user.puna("run", town.model, "hello")
    assert out.strip()
    lines = err.splitlines()
    assert lines[0] == "pulling manifest"
    assert lines[-3:] == ["verifying sha256 digest", "writing manifest", "success"]
    assert len(set(lines)) == len(lines)
    assert identity(town.user) == identity(town.maker)


def test_a_newer_version_is_listed_and_pulled(town: Town, tiny_llama: Path) -> None:
    town.user.puna("pull", town.model)
    assert town.user.puna("pull", "--all") == ("every pulled model is up to date\n", "")
    err = publish(town, tiny_llama, "the second")
    assert err.splitlines()[0] == "retrieving manifest"
    row = town.user.puna("list", "--outdated")[0].splitlines()[1].split()
    assert row == [f"{town.model}:latest", identity(town.user), identity(town.maker)]
    assert town.user.puna("pull", "--all")[0] == f"updated {town.model}:latest\n"
    assert identity(town.user) == identity(town.maker)
    assert town.user.puna("list", "--outdated")[0].count("\n") == 1


def test_what_is_damaged_on_the_disk_is_found_and_repaired(town: Town) -> None:
    town.user.puna("pull", town.model)
    out, _ = town.user.puna("verify", town.model)
    assert out.endswith(" blobs of 1 model are good\n")
    blob = weights(town.store)
    with blob.open("r+b") as file:
        file.seek(1000)
        file.write(b"damage")
    _, err = town.user.puna("verify", status=1)
    digest = blob.name.replace("-", ":")
    last = err.splitlines()[-2:]
    assert last[0] == "Error: 1 blob is damaged: run puna verify --repair"
    assert last[1].startswith(f"damaged {digest}")
    assert town.user.puna("verify", "--repair")[0].endswith(" blobs of 1 model are good, 1 repaired\n")
    assert town.user.puna("verify")[0].endswith(" blobs of 1 model are good\n")


def test_without_a_server_pull_brings_its_own(town: Town, tmp_path: Path) -> None:
    alone = shell_for(tmp_path / "home", tmp_path / "models", free_port())
    registries = {"PUNA_REGISTRIES": f"http://{town.model.partition('/')[0]}", "PUNA_EMBEDDED_MODEL": "0"}
    _, err = alone.puna("pull", town.model, **registries)
    assert err.splitlines()[0].endswith("starting one for this command")
    assert err.splitlines()[-1] == "success"
    assert identity(alone) == identity(town.maker)


def test_what_cannot_be_pulled_is_one_clear_line(town: Town) -> None:
    host = town.model.partition("/")[0]
    _, err = town.user.puna("pull", f"{host}/town/nothing", status=1)
    assert err == "pulling manifest\nError: pull model manifest: file does not exist\n"
    error = town.user.error("pull", "nothing")
    assert error.endswith("registry.ollama.ai is not one that may be used: add it to PUNA_REGISTRIES to allow it\n")
