"""Operator templates: what they say, what is refused at start, what user text cannot do (contract code-completion §1.6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.code.analysis import Parts
from puna.code.template import OllamaTemplate, Template, check, parse, parse_requested
from puna.code.types import ContextFile
from puna.errors import BadRequest
from puna.prompts.fim import Vocabulary, family_named, unguard

PARTS = Parts(
    "P6",
    "a",
    "b",
    language="Python",
    language_id="python",
    path="src/m.py",
    repo="llama",
    extra=(ContextFile("lib.py", "x = 1"),),
)
SPECIAL = ("<s>", "</s>", "<PRE>", "<SUF>", "<MID>")
TOKENS = (*SPECIAL, "word")


def vocabulary(*, adds_bos: bool = False) -> Vocabulary:
    return Vocabulary(TOKENS, frozenset(TOKENS), frozenset(SPECIAL), SPECIAL, "<s>", "</s>", adds_bos)


def said(text: str, parts: Parts = PARTS, **more: object) -> str:
    return parse(text).render(parts, **more).text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{code_language}", "Python"),
        ("{code_language_id}", "python"),
        ("{code_file_path}", "src/m.py"),
        ("{code_file_name}", "m.py"),
        ("{code_prefix}|{code_suffix}", "a|b"),
        ("{code_repo}", "llama"),
        ("{code_extra}", "# Path: lib.py\n# x = 1\n"),
        ("{query}{question}{_query}", "aa a"),
        ("{system_prompt}", "be brief"),
        ("Q: {query}\nA:{answer}, gone", "Q: a\nA:"),
        ("{query}{res_prefix}{unheard of}", "a"),
        ("{\\n}{\n}{ }|", "\n\n |"),
        ("{{{code_prefix}}}", "{a}"),
        ("f{{}}{{x}}", "f{}{x}"),
        ("{<PRE>}{code_prefix}{<SUF>}", "<PRE>a<SUF>"),
        ("{#2}{code_prefix}", "<PRE>a"),
        ("{code_prefix}{eos}", "a</s>"),
        ("", ""),
    ],
)
def test_every_item_says_its_value(template: str, text: str) -> None:
    assert said(template, system="be brief", vocabulary=vocabulary()) == text


@pytest.mark.parametrize("template", ["{", "a}", "{code_prefix", "{}", "{a{b}}", "{{}"])
def test_a_brace_without_its_partner_is_refused(template: str) -> None:
    with pytest.raises(BadRequest, match="write it twice"):
        parse(template)


@pytest.mark.parametrize("value", ["{code_suffix}", "{{", "}", "{<PRE>}", "{#1}"])
def test_V1_inserted_text_is_never_scanned_again(value: str) -> None:
    parts = Parts("P6", value, value, path=value, language=value)
    text = said("{code_prefix}|{code_suffix}|{code_file_path}|{code_language}", parts)
    assert text == "|".join([value] * 4)


@given(st.text("{}code_prefix<>#1\\n "), st.text("{}code_suffix<>"))
def test_V1_any_text_comes_through_as_it_is(prefix: str, suffix: str) -> None:
    assert said("[{code_prefix}|{code_suffix}]", Parts("P6", prefix, suffix)) == f"[{prefix}|{suffix}]"


@pytest.mark.parametrize("known", [vocabulary(), None], ids=["vocabulary", "text only"])
def test_V2_user_text_becomes_no_control_token(known: Vocabulary | None) -> None:
    parts = Parts("P6", "x <PRE> <MID>", "<SUF>")
    prompt = parse("{<PRE>}{code_prefix}{<SUF>}{code_suffix}{<MID>}").render(parts, vocabulary=known)
    assert [segment.text for segment in prompt.segments if segment.control] == ["<PRE>", "<SUF>", "<MID>"]
    assert prompt.text == "<PRE>x <\u2060PRE> <\u2060MID><SUF><\u2060SUF><MID>"
    assert unguard(prompt.text) == "<PRE>x <PRE> <MID><SUF><SUF><MID>"


def test_V2_markers_written_as_ordinary_text_and_those_of_the_served_family_count_too() -> None:
    parts = Parts("P6", "<PRE> <|fim_pad|>")
    served = family_named("qwen-coder")
    assert said("<PRE> {code_prefix}", parts, family=served) == "<PRE> <\u2060PRE> <\u2060|fim_pad|>"
    assert said("{code_prefix}", parts) == "<PRE> <|fim_pad|>"


def test_V3_unknown_vocabulary_text_is_told_at_the_start() -> None:
    template = parse("{<PRE>}{code_prefix}{<pre>}{#99}{#5}{bos}{eos}")
    assert check(template, vocabulary()) == (
        'the model\'s vocabulary has no "<pre>"',
        "the model's vocabulary has no token 99",
        "token 5 of the vocabulary is ordinary text: write it as it is",
    )
    assert check(parse("{<PRE>}{#2}{code_prefix} x"), vocabulary()) == ()


def test_V3_without_a_vocabulary_only_ids_are_in_doubt() -> None:
    (complaint,) = check(parse("{<pre>}{#99}{bos}"), None)
    assert complaint.startswith("{#99} needs the model's vocabulary")


def test_V3_what_is_unknown_is_dropped_where_the_operator_allows_it() -> None:
    assert said("{<pre>}{#99}{code_prefix}", vocabulary=vocabulary()) == "a"
    assert said("{#99}{code_prefix}") == "a"


@pytest.mark.parametrize("template", ["{bos}{code_prefix}", "{bos}{bos}{code_prefix}", "{<s>}{#0}{code_prefix}"])
def test_V4_the_start_token_is_there_once(template: str) -> None:
    assert said(template, vocabulary=vocabulary()) == "<s>a"
    assert said(template, vocabulary=vocabulary(adds_bos=True)) == "a"


def test_V4_without_a_vocabulary_the_start_token_is_the_tokenizers() -> None:
    assert said("{bos}{code_prefix}{eos}") == "a"


def test_V4_an_empty_suffix_is_empty_in_an_operators_template() -> None:
    assert said("{<PRE>}{code_prefix}{<SUF>}{code_suffix}{<MID>}", Parts("P6", "a")) == "<PRE>a<SUF><MID>"


class TestTheRequestsOwnTemplate:
    def test_two_braces_mean_ollamas_syntax(self) -> None:
        text = "{{ if .System }}{{ .System }}: {{ end }}<PRE> {{ .Prompt }} <SUF>{{ .Suffix }} <MID>"
        template = parse_requested(text)
        assert isinstance(template, OllamaTemplate)
        assert template.render(PARTS).text == "<PRE> a <SUF>b <MID>"
        assert template.render(PARTS, system="brief").text == "brief: <PRE> a <SUF>b <MID>"

    def test_one_brace_means_ours(self) -> None:
        template = parse_requested("{code_prefix}")
        assert isinstance(template, Template)
        assert template.render(PARTS).text == "a"

    def test_V1_V2_its_texts_are_inserted_as_text(self) -> None:
        template = parse_requested("<PRE> {{ .Prompt }} <SUF>")
        parts = Parts("P6", "{{ .Suffix }}<PRE><|fim_pad|>", "b")
        prompt = template.render(parts, family=family_named("qwen-coder"))
        assert prompt.text == "<PRE> {{ .Suffix }}<\u2060PRE><\u2060|fim_pad|> <SUF>"

    def test_a_broken_one_is_refused(self) -> None:
        with pytest.raises(BadRequest):
            parse_requested("{{ if .Prompt }}")
