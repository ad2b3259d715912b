"""Prompts that a client rendered are taken apart again, whichever family they were made for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.prompts.fim import (
    FAMILIES,
    MARKER_SETS,
    ContextFile,
    Family,
    FimParts,
    MarkerSet,
    family_named,
    render,
    split,
)

TOKENS = [markers for markers in MARKER_SETS if markers.id not in ("CL", "MS")]
PLAIN = st.text("ab =()<>|#+é\t\n \\{}", max_size=12)  # no marker can be spelled with it
CODE = st.text("ab =\n", min_size=1, max_size=12)
PATH = st.from_regex(r"[a-z]{1,3}/[a-z]{1,5}\.[a-z]{1,2}", fullmatch=True)
BLOCKS = ("qwen-coder", "starcoder2", "deepseek-coder", "codegemma", "codestral", "mellum", "codegeex4", "mercury")


@pytest.mark.parametrize("markers", TOKENS, ids=lambda markers: markers.id)
@pytest.mark.parametrize("form", ["psm", "spm", "spm with the prefix at the end"])
def test_T12_forms_of_every_set(markers: MarkerSet, form: str) -> None:
    prefix, suffix, middle = markers.fim
    prompt = {
        "psm": f"{prefix}a{suffix}b{middle}",
        "spm": f"{suffix}b{prefix}a{middle}",
        "spm with the prefix at the end": f"{prefix}{suffix}b{middle}a",
    }[form]
    parts = split(prompt, markers)
    assert parts is not None
    assert (parts.prefix, parts.suffix, parts.order, parts.whole) == ("a", "b", form[:3], True)
    assert parts.markers == markers


@pytest.mark.parametrize(
    ("prompt", "whole"),
    [
        ("[SUFFIX]b[PREFIX]a", True),
        ("[PREFIX]a[SUFFIX]b", True),
        ("<PRE> a <SUF>b <MID>", True),
        ("<PRE>a<SUF>b<MID>", True),
        ("<PRE> <SUF>b <MID> a", True),
        ("<SUF>b <PRE> a <MID>", True),
        ("a <SUF> b", False),
        ("a <SUF>b <MID>", False),
        ("<PRE> a <SUF> b", False),
    ],
)
def test_T12_forms_of_codellama_and_codestral(prompt: str, whole: bool) -> None:
    parts = split(prompt)
    assert parts is not None
    assert (parts.prefix, parts.suffix, parts.whole) == ("a", "b", whole)


@pytest.mark.parametrize(
    "prompt",
    [
        "if x: <MID>",
        "<PRE> a <MID>",
        "<|fim_prefix|>a<|fim_suffix|>b",
        "<|fim_middle|>a<|fim_prefix|>b<|fim_suffix|>",
        "<fim_prefix>a<fim-suffix>b<|fim_middle|>",
        "[PREFIX]",
        "",
    ],
)
def test_P3_an_incomplete_set_is_code(prompt: str) -> None:
    assert split(prompt) is None


def test_P3_the_set_with_the_most_markers_wins() -> None:
    code = "s = '<SUF> [PREFIX] [SUFFIX]'"
    parts = split(f"<|fim_prefix|>{code}<|fim_suffix|>b<|fim_middle|>")
    assert parts is not None
    assert (parts.markers.id, parts.prefix) == ("QW", code)


def test_P3_sets_of_one_spelling_are_told_apart_by_their_other_markers_then_by_the_served_one() -> None:
    fim = "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>"
    by_id = {markers.id: markers for markers in MARKER_SETS}

    def found(prompt: str, served: str | None) -> str:
        parts = split(prompt, by_id[served] if served else None)
        assert parts is not None
        return parts.markers.id

    assert [found(fim, served) for served in ("QW", "CG", "SC", None)] == ["QW", "CG", "QW", "QW"]
    assert found(f"<|file_separator|>m.py\n{fim}", "QW") == "CG"
    assert found(f"<|file_sep|>m.py\n{fim}", "CG") == "QW"


def test_a_set_of_the_served_models_own_is_known_too() -> None:
    own = MarkerSet("", "<|fim_begin|>", "<|fim_hole|>", "<|fim_end|>")
    prompt = "<|fim_begin|>a<|fim_hole|>b<|fim_end|>"
    assert split(prompt) is None
    parts = split(prompt, own)
    assert parts is not None
    assert (parts.prefix, parts.suffix) == ("a", "b")
    assert split("<|fim_hole|>", MarkerSet("", "", "<|fim_hole|>", "")) is None


@pytest.mark.parametrize(
    ("prompt", "prefix", "suffix"),
    [
        ("<PRE>  a  <SUF>  b  <MID>", " a ", " b "),
        ("a\t<SUF>\tb", "a\t", "\tb"),
        ("<PRE> a <SUF> b <MID> \n\n", "a", "b"),
        ("<PRE>  <SUF>b <MID>", "", "b"),
        ("a <SUF> <MID>", "a", ""),
        ("<|fim_prefix|> a <|fim_suffix|> b <|fim_middle|>", " a ", " b "),
        ("<|fim_prefix|>a\n<|fim_suffix|>b<|fim_middle|>  ", "a\n  ", "b"),
    ],
)
def test_A5_one_blank_belongs_to_codellamas_format_and_none_to_others(prompt: str, prefix: str, suffix: str) -> None:
    parts = split(prompt)
    assert parts is not None
    assert (parts.prefix, parts.suffix) == (prefix, suffix)


@pytest.mark.parametrize(
    ("prompt", "prefix", "suffix"),
    [
        ("a <SUF> b <SUF> c <MID>", "a", "b <SUF> c"),
        ("a <SUF> b <MID> c", "a", "b <MID> c"),
        ("a <SUF> b <MID> c <MID>", "a", "b <MID> c"),
        ("a <MID> <SUF> b", "a <MID>", "b"),
        ("x = '<SUF>' <PRE> y", "x = '", "' <PRE> y"),
    ],
)
def test_A6_the_first_suffix_marker_splits_and_only_a_last_middle_marker_counts(
    prompt: str, prefix: str, suffix: str
) -> None:
    parts = split(prompt)
    assert parts is not None
    assert (parts.prefix, parts.suffix) == (prefix, suffix)


@pytest.mark.parametrize("family", BLOCKS)
def test_A7_blocks_become_repository_files_and_path(family: str) -> None:
    known = family_named(family)
    assert known is not None
    files = (ContextFile("lib/one.py", "x = 1\n\ny"), ContextFile("two.py", "z\n"))
    told = FimParts("a", "b", path="src/main.py", language="Python", repo="llama", extra=files)
    parts = split(render(known, told).text, known.markers)
    assert parts is not None
    assert (parts.prefix, parts.suffix, parts.extra, parts.head) == ("a", "b", files, "")
    assert parts.path == ("" if family == "codestral" else "src/main.py")
    assert parts.repo == ("llama" if family in ("qwen-coder", "starcoder2") else "")
    assert parts.language == ("Python" if family == "codegeex4" else "")


def test_A7_what_is_no_block_is_left_for_the_reader_of_headers() -> None:
    parts = split("# Path: a.py\nimport os\n<PRE> a <SUF>b <MID>")
    assert parts is not None
    assert (parts.head, parts.prefix) == ("# Path: a.py\nimport os\n", "a")
    parts = split("#include <x.h>\n# note\n#src/a.c\n<｜fim▁begin｜>a<｜fim▁hole｜>b<｜fim▁end｜>")
    assert parts is not None
    assert (parts.head, parts.path) == ("#include <x.h>\n# note\n", "src/a.c")


def test_A7_the_first_line_of_starcoder2s_prefix_is_a_path_only_when_it_looks_like_one() -> None:
    for line, path in (("src/a.py", "src/a.py"), ("import os.path", ""), ("f(x.y)", "")):
        parts = split(f"<file_sep><fim_prefix>{line}\ncode<fim_suffix>b<fim_middle>")
        assert parts is not None
        assert (parts.path, parts.prefix) == (path, "code" if path else f"{line}\ncode")


@pytest.mark.parametrize(
    "head", ["#" + "a/" * 200_000 + " ", "#a/b\n" * 100_000, "+++++ " * 100_000, "<｜fim▁begin｜>" * 50_000]
)
def test_a_long_head_takes_no_longer_than_its_length(head: str) -> None:
    """A pattern that backtracks would not come to an end here."""
    parts = split(f"{head}\n<｜fim▁begin｜>a<｜fim▁hole｜>b<｜fim▁end｜>")
    assert parts is not None
    assert parts.suffix == "b"


@given(st.sampled_from(FAMILIES), PLAIN, PLAIN)
def test_P3_what_is_rendered_is_split_into_the_same_texts(family: Family, prefix: str, suffix: str) -> None:
    if family.markers.id == "CL":
        suffix = suffix.removeprefix(" ").lstrip(" ")  # that blank is the format's (A5)
    parts = split(render(family, FimParts(prefix, suffix)).text, family.markers)
    assert parts is not None
    assert (parts.prefix, parts.suffix) == (prefix, suffix or "\n")
    assert (parts.markers, parts.whole, parts.head.strip()) == (family.markers, True, "")


@given(st.sampled_from(BLOCKS), CODE, CODE, PATH, st.lists(st.builds(ContextFile, PATH, CODE), max_size=3))
def test_P3_context_files_survive_the_way_there_and_back(
    name: str, prefix: str, suffix: str, path: str, files: list[ContextFile]
) -> None:
    family = family_named(name)
    assert family is not None
    told = FimParts(prefix, suffix, path=path, extra=tuple(files))
    parts = split(render(family, told).text, family.markers)
    assert parts is not None
    assert (parts.prefix, parts.suffix, parts.extra) == (prefix, suffix, tuple(files))
    assert parts.path in ("", path)


@given(st.lists(st.sampled_from([text for markers in MARKER_SETS for text in markers.controls] + ["a", " ", "\n"])))
def test_P3_any_mixture_of_markers_is_split_or_left_alone(pieces: list[str]) -> None:
    prompt = "".join(pieces)
    parts = split(prompt)
    assert parts is None or len(parts.prefix) + len(parts.suffix) < len(prompt)
