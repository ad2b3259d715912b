"""An editor's prompt is understood whatever way it was made (contract code-completion §1.4, the rows by their ids)."""

from __future__ import annotations

from typing import Any

import pytest

from puna.code.analysis import Parts, analyse
from puna.code.failures import EmptyRequest
from puna.code.types import CompletionRequest, ContextFile
from puna.prompts.fim import MARKER_SETS, Family, family_named, render

QWEN_PROMPT = "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>"


def family(name: str) -> Family:
    found = family_named(name)
    assert found is not None
    return found


QWEN, CODELLAMA, STARCODER2 = family("qwen-coder"), family("codellama"), family("starcoder2")


def ask(prompt: str, served: Family | None = None, *, template: bool = False, **more: Any) -> Parts:
    return analyse(CompletionRequest(prompt, **more), served, template)


@pytest.mark.parametrize("raw", [False, True])
def test_P1_a_suffix_settles_it(raw: bool) -> None:
    parts = ask("# Path: a.py\nx = <SUF> ", QWEN, suffix=")<|fim_suffix|>", raw=raw)
    assert (parts.row, parts.prefix, parts.suffix) == ("P1", "x = <SUF> ", ")<|fim_suffix|>")
    assert (parts.path, parts.language, parts.verbatim) == ("a.py", "Python", None)


def test_P2_raw_with_the_served_familys_markers_goes_byte_for_byte() -> None:
    for prompt in (
        QWEN_PROMPT,
        f"# Path: a.py\n{QWEN_PROMPT}",
        "<|fim_prefix|> # Language: C\n<|fim_suffix|>b<|fim_middle|> ",
        "<|fim_suffix|>b<|fim_prefix|>a<|fim_middle|>",
    ):
        parts = ask(prompt, QWEN, raw=True)
        assert (parts.row, parts.verbatim) == ("P2", prompt)


def test_P2_not_with_an_operator_template_or_an_incomplete_set() -> None:
    parts = ask(QWEN_PROMPT, QWEN, raw=True, template=True)
    assert (parts.row, parts.verbatim, parts.prefix, parts.suffix) == ("P3", None, "a", "b")
    parts = ask("a <SUF>b <MID>", CODELLAMA, raw=True)
    assert (parts.row, parts.verbatim, parts.prefix, parts.suffix) == ("P3", None, "a", "b")


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("served", [CODELLAMA, STARCODER2, None], ids=["codellama", "starcoder2", "none"])
def test_P3_foreign_markers_are_translated(served: Family | None, raw: bool) -> None:
    parts = ask(QWEN_PROMPT, served, raw=raw)
    assert (parts.row, parts.verbatim, parts.prefix, parts.suffix) == ("P3", None, "a", "b")


def test_P3_own_markers_without_a_header_stay_byte_for_byte() -> None:
    for prompt in (
        QWEN_PROMPT,
        f"<|repo_name|>r\n<|file_sep|>m.py\n{QWEN_PROMPT}",
        "<|fim_prefix|> a <|fim_suffix|><|fim_middle|>",
    ):
        parts = ask(prompt, QWEN)
        assert (parts.row, parts.verbatim) == ("P3", prompt)
    assert ask("<PRE> a <SUF>b <MID>", CODELLAMA).verbatim == "<PRE> a <SUF>b <MID>"


@pytest.mark.parametrize(
    ("prompt", "served", "rendered"),
    [
        (f"# Path: a.py\n{QWEN_PROMPT}", QWEN, QWEN_PROMPT),
        ("<|fim_prefix|># Path: a.py\na<|fim_suffix|>b<|fim_middle|>", QWEN, QWEN_PROMPT),
        ("<|fim_suffix|>b<|fim_prefix|>a<|fim_middle|>", QWEN, QWEN_PROMPT),
        ("a <SUF> b", CODELLAMA, "<PRE> a <SUF>b <MID>"),
        (QWEN_PROMPT, CODELLAMA, "<PRE> a <SUF>b <MID>"),
    ],
)  # fmt: skip
def test_P3_a_header_the_other_order_and_missing_markers_are_put_right(
    prompt: str, served: Family, rendered: str
) -> None:
    parts = ask(prompt, served)
    assert parts.verbatim is None
    assert render(served, parts.fim()).text == rendered


@pytest.mark.parametrize("raw", [False, True])
def test_P4_header_lines_without_markers(raw: bool) -> None:
    parts = ask("# Language: Python\nx =", QWEN, raw=raw)
    assert (parts.row, parts.prefix, parts.suffix, parts.language) == ("P4", "x =", "", "Python")
    assert parts.verbatim is None


def test_P5_raw_text_goes_byte_for_byte_as_a_continuation() -> None:
    parts = ask("def f(", QWEN, raw=True)
    assert (parts.row, parts.prefix, parts.suffix, parts.verbatim) == ("P5", "def f(", "", "def f(")


def test_P6_anything_else_is_the_prefix() -> None:
    parts = ask("def f(", QWEN)
    assert (parts.row, parts.prefix, parts.suffix, parts.verbatim) == ("P6", "def f(", "", None)


def test_exact_parts_are_not_looked_into() -> None:
    parts = ask("# Path: a.py\n<PRE> a <SUF>", QWEN, exact=True, suffix="b")
    assert (parts.prefix, parts.suffix, parts.path) == ("# Path: a.py\n<PRE> a <SUF>", "b", "")
    assert ask(QWEN_PROMPT, QWEN, exact=True, raw=True).prefix == QWEN_PROMPT


def test_A1_a_bare_line_is_code_and_scanning_stops_at_the_first_other_line() -> None:
    assert ask("Language: x\ny").prefix == "Language: x\ny"
    assert ask("# Language: C\nint x;\n# Path: a.c\n").prefix == "int x;\n# Path: a.c\n"


def test_A2_header_lines_leave_the_prefix_and_the_template_puts_them_back() -> None:
    parts = ask("# Language: Python\n# Path: m.py\nx = ", suffix="1")
    assert parts.prefix == "x = "
    assert render(QWEN, parts.fim()).text == "<|fim_prefix|>x = <|fim_suffix|>1<|fim_middle|>"
    mellum = "<filename>m.py\n<fim_suffix>1<fim_prefix>x = <fim_middle>"
    assert render(family("mellum"), parts.fim()).text == mellum


def test_A3_ids_and_uris() -> None:
    parts = ask("// Language: Visual Basic (vb) \n// File uri: file:///c%3A/my%20x.vb\ncode")
    assert (parts.language, parts.language_id, parts.path) == ("Visual Basic", "vb", "c:/my x.vb")


def test_A4_the_language_follows_from_the_path_or_stays_empty() -> None:
    assert (ask("# Path: a.go\nx").language, ask("# Path: a.go\nx").language_id) == ("Go", "go")
    assert ask("# Path: a.go (golang)\nx").language_id == "golang"
    assert ask("# Path: a.nothing\nx").language == ""
    assert (ask("x").language, ask("x").path) == ("", "")
    assert ask("# Path: a.go\n# Language: Rust\nx").language == "Rust"


def test_A4_what_the_client_says_beside_the_prompt_wins() -> None:
    parts = ask(
        "# Language: C (c)\n# Path: a.c\nx", path="b.rs", language="Rust", repo="r", extra=(ContextFile("e", "x"),)
    )
    assert (parts.path, parts.language, parts.language_id, parts.repo) == ("b.rs", "Rust", "", "r")
    assert parts.extra == (ContextFile("e", "x"),)


def test_A5_white_space_is_kept_but_for_codellamas_own_blanks() -> None:
    parts = ask("<PRE>  \tx =  <SUF>  \n <MID>", QWEN)
    assert (parts.prefix, parts.suffix) == (" \tx = ", " \n")
    parts = ask("<|fim_prefix|> x = <|fim_suffix|> \n<|fim_middle|>", CODELLAMA)
    assert (parts.prefix, parts.suffix) == (" x = ", " \n")


def test_A6_the_first_suffix_marker_and_the_last_middle_marker() -> None:
    parts = ask("a <SUF> b <SUF> c <MID> d")
    assert (parts.prefix, parts.suffix) == ("a", "b <SUF> c <MID> d")


def test_A7_text_before_the_first_marker() -> None:
    head = "<|repo_name|>llama\n<|file_sep|>lib.py\nx = 1\n<|file_sep|>file:///w/main.py\n"
    parts = ask(f"{head}{QWEN_PROMPT}", CODELLAMA)
    assert (parts.repo, parts.path, parts.language) == ("llama", "/w/main.py", "Python")
    assert parts.extra == (ContextFile("lib.py", "x = 1"),)
    parts = ask(f"# Path: m.py\nimport os\n\n{QWEN_PROMPT}", CODELLAMA, extra=(ContextFile("e", "y"),))
    assert (parts.path, parts.extra) == ("m.py", (ContextFile("", "import os"), ContextFile("e", "y")))
    assert ask(f"\n{QWEN_PROMPT}", CODELLAMA).extra == ()


@pytest.mark.parametrize(
    "prompt", ["", "# Path: a.py\n", "<PRE>  <SUF> <MID>", "<|fim_prefix|><|fim_suffix|><|fim_middle|>"]
)
@pytest.mark.parametrize("raw", [False, True])
def test_A8_nothing_to_complete(prompt: str, raw: bool) -> None:
    with pytest.raises(EmptyRequest):
        ask(prompt, QWEN, raw=raw)


def test_A8_a_suffix_alone_is_enough() -> None:
    assert ask("", QWEN, suffix="b").suffix == "b"


TABLE = {
    "T1": ("def quicksort(", "", "", "def quicksort(", ""),
    "T2": (
        "# Language: Python\n# Path: ~/code/sort.py\ndef quicksort( <SUF> ) <MID>",
        "Python",
        "~/code/sort.py",
        "def quicksort(",
        ")",
    ),
    "T3": ("<PRE> # Language: Python\n# Path: a.py\nx =  <SUF> \n <MID>", "Python", "a.py", "x = ", "\n"),
    "T4": ("// Language: Typescript\n// Path: src/a.ts\nconst a =", "Typescript", "src/a.ts", "const a =", ""),
    "T5": ("<!-- Language: HTML -->\n<!-- Path: i.html -->\n<p>", "HTML", "i.html", "<p>", ""),
    "T6": ("REM Language: BAT file\nREM Path: a.bat\n@echo", "BAT file", "a.bat", "@echo", ""),
    "T7a": ("a <SUF>b <MID>", "", "", "a", "b"),
    "T7b": ("a <SUF> b", "", "", "a", "b"),
    "T8": ("if x: <MID>", "", "", "if x: <MID>", ""),
    "T9": ("# Path: a.go\r\n# Language: Go\r\nfunc", "Go", "a.go", "func", ""),
    "T10": (
        "\n# Language: Python (python) \n# File uri: file:///w/a%20b.py (python) \nx",
        "Python",
        "/w/a b.py",
        "x",
        "",
    ),
    "T11": ("Language: none\nkey: 1", "", "", "Language: none\nkey: 1", ""),
    "T12 qwen": (QWEN_PROMPT, "", "", "a", "b"),
    "T12 deepseek": ("<｜fim▁begin｜>a<｜fim▁hole｜>b<｜fim▁end｜>", "", "", "a", "b"),
    "T12 codestral": ("[SUFFIX]b[PREFIX]a", "", "", "a", "b"),
    "T12 codellama spm": ("<PRE> <SUF>b <MID> a", "", "", "a", "b"),
    **{
        f"T12 {markers.id} spm": (f"{markers.suffix}b{markers.prefix}a{markers.middle}", "", "", "a", "b")
        for markers in MARKER_SETS
    },
}  # fmt: skip


@pytest.mark.parametrize("row", TABLE)
@pytest.mark.parametrize("served", [CODELLAMA, QWEN, None], ids=["codellama", "qwen", "none"])
def test_T1_to_T12_the_contracts_examples(row: str, served: Family | None) -> None:
    prompt, language, path, prefix, suffix = TABLE[row]
    parts = ask(prompt, served)
    assert (parts.language, parts.path, parts.prefix, parts.suffix) == (language, path, prefix, suffix)
