"""Comment lines at the top of a file tell the completion server its language and path (contract code-completion §1.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.code.header import Header, plain_path, read_header
from puna.code.languages import comment_style, file_name, language_of

OPENERS = ["#", "//", "--", ";", "%", "REM", "'", "<!--", "/*", "(*", "{-"]
CLOSERS = {"<!--": " -->", "/*": " */", "(*": " *)", "{-": " -}"}


@pytest.mark.parametrize("opener", OPENERS)
def test_A1_every_comment_opener(opener: str) -> None:
    close = CLOSERS.get(opener, "")
    text = f"{opener} Language: Fortran{close}\n{opener}Path:a.f90{close}\n"
    assert read_header(f"{text}code") == Header("Fortran", "", "a.f90", len(text))


@pytest.mark.parametrize("key", ["Path", "path", "File uri", "Filename"])
def test_A1_every_key_of_a_path(key: str) -> None:
    assert read_header(f"# {key}: a.py\n").path == "a.py"


@pytest.mark.parametrize(
    "text",
    [
        "Language: Python\n",
        "code\n# Language: Python\n",
        "  # Language: Python\n",
        "# LANGUAGE: Python\n",
        "# Language Python\n",
        "# Language: Python",
        "# Language:  \n",
        "\n\n\n# Language: Python\n",
        "\t\n# Language: Python\n",
        "",
    ],
)
def test_A1_what_is_no_header(text: str) -> None:
    assert read_header(text) == Header()


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("# Path: a\n# note\n# Language: C\n", "# note\n# Language: C\n"),
        ("# Path: a\n\n# Language: C\n", "\n# Language: C\n"),
        ("# Path: a\n# Path: b\n", "# Path: b\n"),
        ("\n  \r\n# Path: a\r\ncode", "code"),
    ],
)
def test_A1_scanning_stops_at_the_first_line_that_is_none(text: str, rest: str) -> None:
    header = read_header(text)
    assert (header.path, text[header.length :]) == ("a", rest)


@pytest.mark.parametrize(
    ("line", "language", "language_id"),
    [
        ("# Language: Python (python) ", "Python", "python"),
        ("# Language: C++ (cpp)\r", "C++", "cpp"),
        ("<!-- Language:   Vue  (vue)  -->", "Vue", "vue"),
        ("# Language: Visual Basic (.NET) (vb)", "Visual Basic (.NET)", "vb"),
        ("# Language: (python)", "(python)", ""),
        ("# Language: C# */", "C# */", ""),
    ],
)
def test_A3_values_lose_blanks_closer_and_id(line: str, language: str, language_id: str) -> None:
    header = read_header(f"{line}\n")
    assert (header.language, header.language_id) == (language, language_id)


def test_A3_the_id_behind_a_path_counts_when_the_language_has_none() -> None:
    assert read_header("# Path: a.py (python)\n") == Header("", "python", "a.py", 22)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///w/a%20b.py", "/w/a b.py"),
        ("file:///w/a#b?c.py", "/w/a#b?c.py"),
        ("file:///c%3A/x/a.py", "c:/x/a.py"),
        ("~/code/a%20b.py", "~/code/a%20b.py"),
    ],
)
def test_A3_file_uris_become_paths(uri: str, path: str) -> None:
    assert plain_path(uri) == path


@pytest.mark.parametrize(
    ("path", "language", "language_id"),
    [
        ("src/a.py", "Python", "python"),
        ("C:\\x\\a.TS", "TypeScript", "typescript"),
        ("a.go", "Go", "go"),
        ("x/Makefile", "Makefile", "make"),
        ("a.sql", "SQL", "sql"),
        ("a.pl", "Perl", "perl"),
        ("a.r", "R", "r"),
        ("a.R", "R", "r"),
        ("a.unheard-of", "", ""),
        ("a/", "", ""),
        ("x" * 300 + ".py", "", ""),
    ],
)
def test_A4_the_language_follows_from_the_ending(path: str, language: str, language_id: str) -> None:
    found = language_of(path)
    assert (found.name, found.id) == (language, language_id)


@pytest.mark.parametrize(
    ("language", "comment"),
    [
        ("python", "# x\n"),
        ("C", "// x\n"),
        ("PHP", "# x\n"),
        ("lua", "-- x\n"),
        ("common-lisp", "; x\n"),
        ("TeX", "% x\n"),
        ("vb.net", "' x\n"),
        ("Batchfile", "REM x\n"),
        ("html", "<!-- x -->\n"),
        ("css", "/* x */\n"),
        ("ocaml", "(* x *)\n"),
        ("r", "# x\n"),
        ("C++", "// x\n"),
        ("nobody speaks it", "# x\n"),
        ("", "# x\n"),
        ("C" * 300, "# x\n"),
        ("Raw token data", "# x\n"),
    ],
)
def test_comments_are_written_in_the_languages_own_way(language: str, comment: str) -> None:
    assert comment_style(language).wrap("x") == comment


def test_a_files_name_is_the_last_part_of_its_path() -> None:
    assert [file_name(path) for path in ("a/b.py", "c:\\a\\b.py", "b.py", "")] == ["b.py", "b.py", "b.py", ""]


@given(st.text("#/ LanguagePath:()-\r\nx", max_size=80))
def test_a_header_is_never_longer_than_the_text_and_ends_with_a_line(text: str) -> None:
    header = read_header(text)
    assert header.length <= len(text)
    assert text[: header.length] == "" or text[header.length - 1] == "\n"
    assert bool(header.length) == bool(header.language or header.path)
