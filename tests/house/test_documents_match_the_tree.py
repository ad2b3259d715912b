"""Documents that describe the code are compared with it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import pytest

from tests.house.tree import ROOT, kept_files, read

DOCUMENTS = sorted(str(path.relative_to(ROOT)) for path in kept_files() if path.suffix == ".md")
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)")


def entries(*folders: str) -> set[str]:
    """Names directly in a folder of the repository."""
    base = ROOT.joinpath(*folders)
    return {path.relative_to(base).parts[0] for path in kept_files() if path.is_relative_to(base)}


def test_the_readme_lists_every_setting() -> None:
    command = [sys.executable, str(ROOT / "tools/settings_table.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_the_readme_shows_every_folder_with_a_comment() -> None:
    readme = read("README.md")
    shown = {line.split("/")[0].split()[0] for line in re.findall(r"^\S.* # .+$", readme, re.MULTILINE)}
    assert entries() - {".gitignore", "README.md"} <= shown


def test_the_readme_shows_every_room_with_a_comment() -> None:
    shown = set(re.findall(r"^  ([\w.]+)/? +# .+$", read("README.md"), re.MULTILINE))
    assert entries("src", "puna") - {"__init__.py", "py.typed"} <= shown


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_between_documents_lead_somewhere(document: str) -> None:
    folder = (ROOT / document).parent
    assert [link for link in LINK.findall(read(document)) if not (folder / link).exists()] == []


def test_decisions_are_numbered_without_gaps_and_titled_by_their_number() -> None:
    pages = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert [page.name[:4] for page in pages] == [f"{number:04}" for number in range(1, len(pages) + 1)]
    assert [page.name for page in pages if not page.read_text().startswith(f"# {page.name[:4]} ")] == []


def test_the_architecture_page_lists_every_decision() -> None:
    listed = set(re.findall(r"\(decisions/([\w.-]+)\)", read("docs/architecture.md")))
    assert listed == entries("docs", "decisions")


def test_the_changelog_has_a_place_for_the_next_change() -> None:
    headings = re.findall(r"^## (.+)$", read("CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == "[Unreleased]"


def test_the_licence_is_the_one_that_the_package_names() -> None:
    assert tomllib.loads(read("pyproject.toml"))["project"]["license"] == "Apache-2.0"
    text = read("LICENSE")
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
