"""Reasoning and answer come apart, however the text arrives (contract ollama-store §5.7, ollama-http §4.8)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puna.prompts import GoTemplate, ThinkingParser, infer_tags
from tests.prompts.splits import cut_texts


def parsed(pieces: list[str], *, inside: bool = False) -> tuple[str, str]:
    parser = ThinkingParser("<think>", "</think>", inside=inside)
    steps = [*(parser.feed(piece) for piece in pieces), parser.finish()]
    return "".join(thinking for thinking, _ in steps), "".join(content for _, content in steps)


@pytest.mark.parametrize(
    ("text", "thinking", "content"),
    [
        ("<think>why</think>because", "why", "because"),
        (" \n<think>\n why \n</think>\n\n because \n", "why \n", "because \n"),
        ("no thoughts", "", "no thoughts"),
        ("  no thoughts", "", "  no thoughts"),
        ("a <think>b</think>", "", "a <think>b</think>"),
        ("<thinking>b</thinking>", "", "<thinking>b</thinking>"),
        ("<think>never closed", "never closed", ""),
        ("<think>almost </thin", "almost </thin", ""),
        ("<think>a </th </think>b</think>c", "a </th ", "b</think>c"),
        ("<think></think>x", "", "x"),
        ("<thi", "", "<thi"),
        ("", "", ""),
        ("   ", "", "   "),
    ],
)
def test_text_is_split_at_its_tags(text: str, thinking: str, content: str) -> None:
    assert parsed([text]) == (thinking, content)
    assert parsed(list(text)) == (thinking, content)


def test_an_answer_can_begin_inside() -> None:
    assert parsed(["\nwhy</think>\n", "so"], inside=True) == ("why", "so")


def test_text_is_given_out_as_soon_as_no_tag_can_come() -> None:
    parser = ThinkingParser("<think>", "</think>")
    assert parser.feed("<think>abc</") == ("abc", "")
    assert parser.feed("b></think") == ("</b>", "")
    assert parser.feed("> \nx") == ("", "x")
    assert parser.feed("<think>y") == ("", "<think>y")


PARTS = st.sampled_from(["<think>", "</think>", "<thi", "nk>", "</", "think", " ", "\n", "a", "bc", "<", ">"])


@settings(max_examples=200, deadline=None)
@given(cut_texts(st.lists(PARTS, max_size=10).map("".join)), st.booleans())
def test_every_split_gives_the_same(pieces: list[str], inside: bool) -> None:
    assert parsed(pieces, inside=inside) == parsed(["".join(pieces)], inside=inside)


@pytest.mark.parametrize(
    ("template", "tags"),
    [
        ("{{ range .Messages }}{{ if .Thinking }}<a>{{ .Thinking }}</a>{{ end }}{{ end }}", ("<a>", "</a>")),
        ("{{ range .Messages }}x{{ if .Thinking }} <a>\n{{ .Thinking }}\n </a>{{ end }}y{{ end }}", ("<a>", "</a>")),
        ("{{ range $i, $m := $.Messages }}{{ with $m.Thinking }}{{ end }}(t){{ $m.Thinking }}(/t){{ end }}", None),
        ("{{ range $i, $m := $.Messages }}(t){{ $m.Thinking }}(/t){{ end }}", ("(t)", "(/t)")),
        ("{{ range .Others }}<a>{{ .Thinking }}</a>{{ end }}{{ .Messages }}", None),
        ("{{ range .Messages }}{{ range .Parts }}<a>{{ .Thinking }}</a>{{ end }}{{ end }}", None),
        ("<a>{{ .Thinking }}</a>{{ .Messages }}", None),
        ("{{ range .Messages }}{{ .Thinking }}</a>{{ end }}", None),
        ("{{ range .Messages }}<a>{{ .Content }}</a>{{ end }}", None),
    ],
)
def test_tags_are_the_texts_around_the_thinking_of_messages(template: str, tags: tuple[str, str] | None) -> None:
    assert infer_tags(GoTemplate.parse(template)) == tags
