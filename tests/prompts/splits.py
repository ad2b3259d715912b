"""Ways to cut one text into pieces, for parsers that must not care."""

from __future__ import annotations

from hypothesis import strategies as st


@st.composite
def cut_texts(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> list[str]:
    """A text in arbitrary pieces, empty ones among them."""
    text = draw(texts)
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]
