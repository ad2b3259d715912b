"""Programming languages by file name, and how each writes a comment.

Pygments knows them. It is loaded when the first file is asked about.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from puna.prompts.fim import CommentStyle

if TYPE_CHECKING:
    from pygments.lexer import Lexer

_STYLES: Final = (
    CommentStyle("#"),
    CommentStyle("//"),
    CommentStyle("--"),
    CommentStyle(";"),
    CommentStyle("%"),
    CommentStyle("'"),
    CommentStyle("REM"),
    CommentStyle("<!--", "-->"),
    CommentStyle("/*", "*/"),
    CommentStyle("(*", "*)"),
    CommentStyle("{-", "-}"),
)
"""In the order in which they are tried; a language takes the first that its lexer reads as nothing but a comment."""

_MAX_NAME: Final = 255  # characters; nothing longer is the name of a file or a language


@dataclass(frozen=True, slots=True)
class Language:
    name: str  # "Python"; empty = unknown
    id: str  # "python"


UNKNOWN: Final = Language("", "")

_PREFERRED: Final = {".sql": Language("SQL", "sql"), ".pl": Language("Perl", "perl"), ".r": Language("R", "r")}
"""Endings that several lexers claim, and the language that programmers mean."""


def language_of(path: str) -> Language:
    """The language of a file, told by its name alone; `UNKNOWN` when no language claims it (contract §1.4 A4)."""
    name = file_name(path)
    return _language_of_name(name) if 0 < len(name) <= _MAX_NAME else UNKNOWN


def comment_style(language: str) -> CommentStyle:
    """How `language`, a name or an id, writes a comment of one line; `#` where nobody knows."""
    return _comment_style(language) if 0 < len(language) <= _MAX_NAME else CommentStyle()


def file_name(path: str) -> str:
    """The last part of a path of either system."""
    return path.replace("\\", "/").rpartition("/")[2]


@lru_cache(maxsize=256)
def _language_of_name(name: str) -> Language:
    preferred = _PREFERRED.get(PurePosixPath(name).suffix.lower())
    if preferred is not None:
        return preferred
    from pygments.lexers import find_lexer_class_for_filename

    lexer = find_lexer_class_for_filename(name) or find_lexer_class_for_filename(name.lower())
    if lexer is None:
        return UNKNOWN
    return Language(lexer.name, lexer.aliases[0] if lexer.aliases else "")


@lru_cache(maxsize=64)
def _comment_style(language: str) -> CommentStyle:
    lexer = _lexer(language)
    if lexer is None:
        return CommentStyle()
    return next((style for style in _STYLES if _is_comment(lexer, style.wrap("Path: x"))), CommentStyle())


def _lexer(language: str) -> Lexer | None:
    from pygments.lexers import get_all_lexers, get_lexer_by_name

    wanted = language.lower()
    for name, aliases, _, _ in get_all_lexers(plugins=False):
        if aliases and (wanted == name.lower() or wanted in aliases):
            return get_lexer_by_name(aliases[0], startinline=True)  # PHP's option: a snippet has no `<?php`
    return None


def _is_comment(lexer: Lexer, line: str) -> bool:
    from pygments.token import Comment, is_token_subtype

    kinds = [kind for kind, text in lexer.get_tokens(line) if text.strip()]
    return bool(kinds) and all(
        is_token_subtype(kind, Comment) and not is_token_subtype(kind, Comment.Preproc) for kind in kinds
    )
