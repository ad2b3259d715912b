"""What a model wrote as HTML that does nothing but read well (contract arena §2.13 R3, R6, R7; threats T25). Pure.

Raw HTML is text here, and so are pictures, for nothing is to be loaded. Links stay where they lead to a page or a
letter, and say whose. Code has no class and a cell no style.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup, escape

MOST = 100_000
"""Characters of a text whose marks are read; a longer one is shown as it was written."""

_LEADS_SOMEWHERE = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
_UNDER_THE_NAME = 2  # levels: a card has headings of its own above
_LOWEST = 6


def rendered(text: str) -> Markup:
    if len(text) > MOST:
        return Markup("<pre>{}</pre>").format(text)
    return Markup(_reader().render(text))  # noqa: S704 - of a reader that takes HTML for text


@cache
def _reader() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable(["table", "strikethrough"])
    reader.disable("image")
    reader.validateLink = _leads_somewhere  # type: ignore[method-assign]
    return reader


def _leads_somewhere(url: str) -> bool:
    return _LEADS_SOMEWHERE.match(url) is not None and _host(url) is not None


def _host(url: str) -> str | None:
    """Where a link leads, empty for a letter; None where nobody can tell."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or None) if parts.scheme != "mailto" else ""
    except ValueError:
        return None


class _Renderer(RendererHTML):
    """Without what the usual one takes over from the text: classes of code, styles of cells."""

    def render(self, tokens: Sequence[Token], options: OptionsDict, env: EnvType) -> str:
        for token in _all(tokens):
            _tame(token)
        return super().render(tokens, options, env)

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f"<pre><code>{escape(tokens[idx].content)}</code></pre>\n"

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return '<div class="scroll" role="region" aria-label="Table" tabindex="0"><table>\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return "</table></div>\n"

    def link_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """The host stands behind the link, whatever its words say."""
        opened = next(token for token in reversed(tokens[:idx]) if token.type == "link_open")
        host = _host(str(opened.attrs["href"])) if opened.info != "auto" else ""
        return f'</a> <span class="host">({escape(host)})</span>' if host else "</a>"


def _all(tokens: Iterable[Token]) -> Iterable[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or ())


def _tame(token: Token) -> None:
    match token.type:
        case "heading_open" | "heading_close":
            token.tag = f"h{min(_LOWEST, int(token.tag[1:]) + _UNDER_THE_NAME)}"
        case "s_open" | "s_close":
            token.tag = "del"
        case "link_open":
            token.attrs["rel"] = "noopener noreferrer nofollow"
        case "th_open" | "td_open":
            side = str(token.attrs.pop("style", "")).removeprefix("text-align:")
            token.attrs |= {"align": side} if side else {}
