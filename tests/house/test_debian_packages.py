"""`make test` brings the Debian packages that tests need where it may, and never fails or asks because of them.

The script meets stand-ins for apt-get, id and sudo, which write down how they were called.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.house.test_make_targets import recipe
from tests.house.tree import ROOT

ABSENT = "absent-package:/nowhere/absent"
PRESENT = "dash:/bin/s[h]"


@dataclass
class Machine:
    """A PATH of stand-ins: who runs the script, whether sudo lets them, and which apt-get commands fail."""

    folder: Path
    user: int = 0
    sudo: bool = False
    failing: list[str] = field(default_factory=list)
    has_apt: bool = True

    def run(self, *pairs: str) -> subprocess.CompletedProcess[str]:
        self.program("id", f"echo {self.user}")
        self.program("sudo", 'test "$1" = -n && shift && exec "$@"' if self.sudo else "exit 1")
        self.program("env", 'shift && exec "$@"')
        self.program("true", "exit 0")
        self.program("ls", 'exec /bin/ls "$@"')
        if self.has_apt:
            cases = "".join(f"*' {command} '*) exit 100;; " for command in self.failing)
            self.program("apt-get", f'echo "$*" >> {self.folder}/calls\ncase " $* " in {cases}esac')
        command = ["/bin/sh", str(ROOT / "tools/debian_packages.sh"), *pairs]
        environment = {"PATH": str(self.folder)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=True)

    def program(self, name: str, script: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        """The apt-get commands that were run, from the verb on."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line[line.index(verb) :] for line in lines for verb in ("update", "install") if f" {verb}" in line]


@pytest.mark.parametrize("target", ["test", "bench", "soak"])
def test_packages_come_before_the_programs_that_need_them(target: str) -> None:
    packages, program = recipe("-n", target).splitlines()[-2:]
    assert packages == (
        "sh tools/debian_packages.sh docker-registry:/usr/bin/docker-registry prometheus:/usr/bin/promtool "
        "postgresql:/usr/lib/postgresql/*/bin/postgres chromium:/usr/bin/chromium "
        "json-schema-test-suite:/usr/share/json-schema-test-suite/tests/draft7/type.json"
    )
    assert program.startswith(".venv/bin/python -m ")


def test_nothing_is_said_or_done_when_everything_is_there(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    result = machine.run(PRESENT)
    assert (result.stdout, result.stderr, machine.calls) == ("", "", [])


@pytest.mark.parametrize(("user", "sudo"), [(0, False), (1000, True)])
def test_what_is_missing_is_installed_and_nothing_else(tmp_path: Path, user: int, sudo: bool) -> None:
    machine = Machine(tmp_path, user=user, sudo=sudo)
    result = machine.run(PRESENT, ABSENT)
    assert result.stdout == "Installing the Debian packages that tests need: absent-package ...\n"
    assert machine.calls == ["install --no-install-recommends --no-upgrade absent-package"]


def test_the_lists_of_packages_are_fetched_when_the_first_try_fails(tmp_path: Path) -> None:
    machine = Machine(tmp_path, failing=["install"])
    result = machine.run(ABSENT)
    assert [call.split()[0] for call in machine.calls] == ["install", "update", "install"]
    assert result.stdout.splitlines()[-1] == (
        "The installation failed: the tests that need absent-package will fail; "
        "Debian and Ubuntu: apt install absent-package"
    )


def test_offline_the_tests_go_on(tmp_path: Path) -> None:
    machine = Machine(tmp_path, failing=["install", "update"])
    assert "The installation failed: " in machine.run(ABSENT).stdout
    assert [call.split()[0] for call in machine.calls] == ["install", "update"]


def test_a_user_without_sudo_is_told_what_to_install(tmp_path: Path) -> None:
    machine = Machine(tmp_path, user=1000)
    assert machine.run(ABSENT).stdout.startswith("Only root may install packages: the tests that need absent-package")
    assert machine.calls == []


def test_another_system_than_debian_goes_on(tmp_path: Path) -> None:
    assert Machine(tmp_path, has_apt=False).run(ABSENT).stdout.startswith("This system has no apt-get: ")
