"""What `make` installs is pinned by version and hash, and may come from any index."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.tree import ROOT, kept_files, read

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PINNED = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^\s;]+)(?: ; [^\\]+?)?(?: +--hash=sha256:[0-9a-f]{64})+"
)


def entries(lock: Path) -> list[str]:
    """The lock's requirements, each on one line, comments left out."""
    lines = lock.read_text(encoding="utf-8").replace("\\\n", "").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def pins(lock: Path) -> set[tuple[str, str]]:
    """Name and version of each entry; one name may be there twice, for two systems."""
    return {(match["name"], match["version"]) for match in map(PINNED.fullmatch, entries(lock)) if match}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_line_is_a_version_with_hashes(lock: Path) -> None:
    assert [line[:80] for line in entries(lock) if not PINNED.fullmatch(line)] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_no_line_holds_an_address_or_an_index_option(lock: Path) -> None:
    assert re.findall(r"\S+://\S+|--(?:extra-)?index-url|--find-links", lock.read_text(encoding="utf-8")) == []


def test_the_development_lock_holds_the_run_lock() -> None:
    """`make` relies on it: after `make setup` there is nothing left to install for `make run`."""
    assert pins(ROOT / "requirements/run.txt") <= pins(ROOT / "requirements/dev.txt")


@pytest.mark.parametrize("group", ["run", "dev"])
def test_what_pyproject_asks_for_is_locked(group: str) -> None:
    pyproject = tomllib.loads(read("pyproject.toml"))
    extra = pyproject["dependency-groups"]["build" if group == "run" else "dev"]
    locked = dict(pins(ROOT / f"requirements/{group}.txt"))
    wanted = [Requirement(text) for text in pyproject["project"]["dependencies"] + extra]
    stale = [str(need) for need in wanted if not need.specifier.contains(locked.get(canonicalize_name(need.name), "0"))]
    missing = [str(need) for need in wanted if canonicalize_name(need.name) not in locked]
    assert (missing, stale) == ([], []), "run `make lock`"


NPM_LOCKS = sorted(path for path in kept_files() if path.name == "package-lock.json")


@pytest.mark.parametrize("lock", NPM_LOCKS, ids=lambda path: path.parent.name)
def test_every_package_of_a_javascript_lock_has_a_version_and_a_hash_but_no_address(lock: Path) -> None:
    packages = json.loads(lock.read_bytes())["packages"]
    packages.pop("")  # the folder itself
    assert packages
    assert [name for name, entry in packages.items() if not {"version", "integrity"} <= entry.keys()] == []
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
    assert re.findall(r"https?://[^\"]+", lock.read_text(encoding="utf-8")) == [], "run `make lock`: npm adds sponsors"
