"""The rules Z1 to Z8 (contract code-completion §4.3): what is shown of what a model says, however its text is cut (S5, S6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puna.code.cursor import Cursor
from puna.code.endings import Endings, Stops
from puna.code.shape import shape_of

PY = "def area(width, height):\n    "
"""A cursor in a function's body."""


def said(text: str | Sequence[str], endings: Endings) -> str:
    shown = ""
    for piece in text:
        shown += endings.feed(piece)
        if endings.done:
            break
    return shown + endings.finish()


def ending(
    text: str,
    prefix: str = "",
    suffix: str = "",
    *,
    stop: Iterable[str] = (),
    ends: Iterable[str] = (),
    off: Iterable[str] = (),
    trim: bool = True,
    **cursor: Any,
) -> tuple[str, tuple[str, ...]]:
    """What is shown of `text` at once and character by character, which is the same, and the rules that cut."""
    found = []
    for pieces in ([text], list(text)):
        where = Cursor(prefix, suffix, **{"shape": shape_of("auto", prefix, suffix, ""), **cursor})
        endings = Endings(where, Stops(tuple(ends), tuple(stop)), frozenset(off), trim=trim)
        found.append((said(pieces, endings), endings.trims))
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize(
    "text",
    [
        "return width<|endoftext|>more",
        "return width\ndiff --git a/x b/x\n+more",
        "return width\n```\nmore",
        "return width\n    ```",
        "return width\n# Path: other.py\nmore",
        "return width\n// language: Go\nmore",
    ],
)
def test_Z1_what_is_no_code_of_this_file_ends_it(text: str) -> None:
    assert ending(text, PY, ends=["<|endoftext|>"]) == ("return width", ("Z1",))


def test_Z1_a_fence_is_text_in_markdown() -> None:
    text = "Run it:\n```sh\nls\n```"
    assert ending(text, "# Title\n", language="Markdown", max_lines=99)[0] == text


def test_Z1_a_comment_that_only_begins_like_a_header_is_code() -> None:
    text = "# Pathological cases first\n    return 1"
    assert ending(text, PY) == (text, ())


def test_Z1_the_stop_that_is_complete_first_wins() -> None:
    assert ending("abcd", stop=["bcd", "bc"])[0] == "a"
    assert ending("xab", stop=["ab", "xabc"])[0] == "x"


def test_a_client_stop_is_told_from_the_familys() -> None:
    for text, by_client in (("a;b", True), ("a<end>b", False)):
        endings = Endings(Cursor(""), Stops(("<end>",), (";",)))
        assert said(text, endings) == "a"
        assert endings.by_client is by_client


def test_Z2_a_line_ends_at_the_first_newline_after_visible_text() -> None:
    assert ending("a + b\n    return 2", "x = ", "  # sum\n") == ("a + b", ("Z2",))


def test_Z2_a_line_put_in_front_of_another_keeps_its_newline() -> None:
    assert ending("    b,\n    c,", "f(\n    a,\n", "    d,\n)")[0] == "    b,\n"


@pytest.mark.parametrize(
    ("prefix", "suffix", "text", "shown"),
    [
        ("foo(\n    a,\n    ", "", "b,\n    c)\nbar()", "b,\n    c"),  # opened on an earlier line
        ("print(", ")", '"x")\nmore', '"x"'),  # the suffix closes it
        ("print(", "", '"x")\nmore()', '"x")\nmore()'),  # nobody else closes it
        ("    print(", "\n}", "x);\n    y();\n}\n", "x);\n    y();"),
        ("x = ", "", "f(a[1], {2: 3})", "f(a[1], {2: 3})"),
        ("x = ", "", 'f(")")', 'f(")")'),  # in a string
        ("x = ", "", 'f("\\")")', 'f("\\")")'),
        ("// don", "", "'t (do) it", "'t (do) it"),
        ("if (x) {", "\n}\n", "\n  y;\n}\nz", "\n  y;"),
        ("  if (x) {", "\n}\n", "\n    y;\n  }\n", "\n    y;\n  }"),  # the suffix's belongs further out
    ],
)
def test_Z3_a_bracket_that_was_not_opened_ends_the_block(prefix: str, suffix: str, text: str, shown: str) -> None:
    assert ending(text, prefix, suffix, shape="block")[0] == shown


def test_Z3_a_block_has_so_many_lines_and_more_while_brackets_are_open() -> None:
    lines = [f"x{n}" for n in range(20)]
    assert ending("\n".join(lines), max_lines=3) == ("x0\nx1\nx2", ("Z3",))
    assert ending("f(\n" + "\n".join(lines[:5]) + "\n)\nmore", max_lines=3)[0] == "f(\n" + "\n".join(lines[:5]) + "\n)"


@pytest.mark.parametrize(
    ("prefix", "text", "shown"),
    [
        (PY, "return width\n\n\ndef other():\n    pass", "return width"),
        ("def area(width):", "\n    return width\n\nprint(area(1))", "\n    return width"),
        ("if a:", "\n    b\nelif c:\n    d\nelse:\n    e\nf", "\n    b\nelif c:\n    d\nelse:\n    e"),
        ("    if a:\n        ", "b\n    else:\n        c", "b"),
        ("\tx = ", "1\n\ty = 2\nz = 3", "1\n\ty = 2"),
        ("x = ", "1\ny = 2", "1\ny = 2"),
        (
            "class A:\n",
            "    def a(self):\n        pass\n\n    b = 1\nc = 2",
            "    def a(self):\n        pass\n\n    b = 1",
        ),
        ("def f(", "\n    a,\n):\n    return a\n\ng()", "\n    a,\n):\n    return a\n\ng()"),  # no line opened a block
    ],
)
def test_Z3_a_line_further_left_ends_the_block(prefix: str, text: str, shown: str) -> None:
    assert ending(text, prefix)[0] == shown


def test_Z4_the_next_line_of_the_suffix_ends_it_also_when_it_is_only_nearly_the_same() -> None:
    suffix = "\n    print(total, average)\n"
    assert ending("total = 1\n    print(total, average)\n    x", PY, suffix) == ("total = 1", ("Z4",))
    assert ending("total = 1\n    print(total, averages)\n    x", PY, suffix) == ("total = 1", ("Z4",))
    assert ending("total = 1\n    print(total)", PY, suffix) == ("total = 1\n    print(total)", ())


def test_Z4_a_line_of_brackets_counts_with_its_indentation() -> None:
    text = "if (a) {\n    b;\n  }"
    assert ending(text, "{\n  ", "\n}\n")[0] == text


@pytest.mark.parametrize(
    ("prefix", "suffix", "text", "shown"),
    [
        ("foo(", ")\n", "a, b)", "a, b"),
        ("foo(", ", c)\n", "a, b, c)", "a, b"),
        ("print(", ")\n", "len(x)", "len(x)"),  # its own bracket
        ("print(", ")\n", "len(x))", "len(x)"),
        ("a = [", "]\nb = 2\n", "1, 2]\nb = 2\n", "1, 2"),
        ("a\n", "\nb = 2\nc\n", "x = 1\n\nb = 2", "x = 1\n"),  # the blank line is the completion's, the rest is there
        ("a\n", "\nb = 2\nc\n", "x = 1\nb", "x = 1\nb"),  # not a whole line of the suffix
    ],
)
def test_Z5_the_end_that_the_suffix_begins_with_is_cut(prefix: str, suffix: str, text: str, shown: str) -> None:
    assert ending(text, prefix, suffix, shape="block", off=["Z3", "Z4"])[0] == shown


def test_Z6_what_was_typed_on_the_line_is_not_written_again() -> None:
    assert ending("    total = sum(x)", "x = 1\n    total = ") == ("sum(x)", ("Z6",))
    assert ending("total = sum(x)", "x = 1\n    total = ")[0] == "sum(x)"
    assert ending("total", "x = 1\n    total = ")[0] == "total"
    assert ending("[1], [2]]", "[")[0] == "[1], [2]]"


def test_Z7_blanks_are_no_completion() -> None:
    assert ending("   \n \n", PY) == ("", ("Z7",))


def test_Z7_the_line_above_once_more_is_no_completion() -> None:
    prefix = "    self.a = 1\n    "
    assert ending("self.a = 1", prefix) == ("", ("Z7",))
    assert ending("self.a = 1\n", prefix) == ("", ("Z7",))
    assert ending("self.a = 1\n    self.b = 2", prefix)[0] == "self.a = 1\n    self.b = 2"
    assert ending("self.a = 1\n    more", prefix, shape="line") == ("", ("Z7",))


def test_Z7_a_model_that_repeats_itself_is_stopped_and_its_repetitions_are_left_out() -> None:
    assert ending("a()\nx()\nx()\nx()\nx()") == ("a()\nx()", ("Z7",))
    assert ending("a()\nx()\nx()\nb()")[0] == "a()\nx()\nx()\nb()"


def test_Z8_blanks_at_line_ends_and_carriage_returns_go() -> None:
    assert ending("a  \r\nb \t\nc ") == ("a\nb\nc", ("Z8",))
    assert ending("a  \r\nb", "x\r\n") == ("a\r\nb", ("Z8",))
    assert ending("  a ", "", " b", shape="block")[0] == "  a"  # the suffix has the blank


def test_Z8_the_first_line_keeps_its_indentation() -> None:
    assert ending("    return 1", "def f():\n")[0] == "    return 1"


@pytest.mark.parametrize(
    ("rule", "also_off", "text", "prefix", "suffix"),
    [
        ("Z1", "", "a\n```", "", ""),
        ("Z2", "", "a\nb", "x = ", "# c"),
        ("Z3", "", "a\nb", "    ", ""),
        ("Z4", "Z5", "a\nsame", "", "\nsame\n"),
        ("Z5", "", "a)", "f(", ")"),
        ("Z6", "", "total = 1", "total = ", ""),
        ("Z7", "Z8", "  ", "x", "y"),
        ("Z8", "", "a \nb", "", ""),
    ],
)
def test_every_rule_has_a_switch(rule: str, also_off: str, text: str, prefix: str, suffix: str) -> None:
    shown, trims = ending(text, prefix, suffix)
    assert shown != text
    assert rule in trims
    assert ending(text, prefix, suffix, off={rule, also_off})[0] == text


def test_without_trimming_only_stops_count() -> None:
    text = "a  \r\n```\n)"
    assert ending(f"{text};b", "x", ")", stop=[";"], trim=False)[0] == text
    assert ending(f"{text};b", "x", ")", stop=[";"], shape="raw")[0] == text


def test_I4_a_line_with_too_few_blanks_in_front_ends_it() -> None:
    assert ending("a\n    b\n  c", shape="block", min_indent=4)[0] == "a\n    b"


def test_marks_that_broke_markers_in_the_prompt_are_taken_out_again() -> None:
    assert ending("<\u2060|fim_prefix|>")[0] == "<|fim_prefix|>"


CODE = st.text(alphabet=st.sampled_from("ab)(]{}x:#`\"' \t\r\n"), max_size=40)


@settings(max_examples=300, deadline=None)
@given(text=CODE, prefix=CODE, suffix=CODE, cuts=st.sets(st.integers(0, 40)), shape=st.sampled_from(["line", "block"]))
def test_S6_the_pieces_joined_do_not_depend_on_how_the_text_is_cut(
    text: str, prefix: str, suffix: str, cuts: set[int], shape: Any
) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    pieces = [text[start:end] for start, end in pairwise(edges)]
    shown = [
        said(given, Endings(Cursor(prefix, suffix, shape=shape, max_lines=3), Stops(("ab:",), ("#x",))))
        for given in (pieces, [text], list(text))
    ]
    assert shown[0] == shown[1] == shown[2]


def test_S5_what_could_be_cut_is_held_back_until_it_is_decided() -> None:
    endings = Endings(Cursor("foo(", ", c)\n", shape="block"), Stops(client=("STOP",)))
    assert [endings.feed(piece) for piece in ("a", ", ", "c", "d ST", "AR")] == ["a", "", "", ", cd", " STAR"]
