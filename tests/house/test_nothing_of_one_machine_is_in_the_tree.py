"""A clone works anywhere: no address of a package index and no path of the machine that a change was written on."""

from __future__ import annotations

import pytest

from tests.house.tree import ROOT, kept_files

# Spelled in pieces, so that this file does not hold what it looks for.
INDEX_HOSTS = [
    ".".join(labels)
    for labels in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
        ("maven", "apache", "org"),
        ("deb", "debian", "org"),
    )
]
MACHINE_PATHS = ["/".join(["", name, ""]) for name in ("work", "farm")] + ["/".join(["", "tmp", "lab"])]


@pytest.mark.parametrize("text", INDEX_HOSTS + MACHINE_PATHS)
def test_no_file_names(text: str) -> None:
    found = [str(path.relative_to(ROOT)) for path in kept_files() if text.encode() in path.read_bytes()]
    assert found == []
