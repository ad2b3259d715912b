"""What of a long file the model gets to see (contract code-completion §1.5 `code.window`, §4.2)."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from puna.code.analysis import Parts
from puna.code.types import ContextFile
from puna.code.window import fit
from tests.code.asking import complete, completing
from tests.code.scripted import LAST, Scripted

LINES = "".join(f"line {number:03}\n" for number in range(100))  # of 9 bytes each


def cut(prefix: str, suffix: str = "", window: int = 400, *extra: ContextFile) -> Parts:
    return fit(Parts("P1", prefix, suffix, extra=extra), window)[0]


def test_what_fits_stays_as_it_is() -> None:
    parts = Parts("P1", "a\n", "\nb", extra=(ContextFile("c", "d"),))
    assert fit(parts, 100) == (parts, False)


def test_prefix_and_suffix_share_the_window_three_to_one_and_are_cut_on_lines() -> None:
    parts = cut(LINES + "here", "rest\n" + LINES)
    assert parts.prefix.startswith("line ")
    assert parts.prefix.endswith("\nhere")
    assert parts.suffix.startswith("rest\nline 000\n")
    assert parts.suffix.endswith("\n")
    assert 180 <= len(parts.prefix) <= 300
    assert 90 <= len(parts.suffix) <= 100


def test_what_one_side_does_not_need_is_the_others() -> None:
    assert len(cut(LINES, "").prefix) > 290
    assert len(cut("x", LINES).suffix) > 380


def test_the_prefix_begins_with_the_same_line_for_a_quarter_of_the_window() -> None:
    """Hysteresis: no new beginning with every new line."""
    starts = [cut(LINES[: 9 * count], "\n").prefix[:8] for count in range(50, 100)]
    changes = sum(one != other for one, other in pairwise(starts))
    assert changes == 9 * 49 // 100


def test_context_files_keep_a_quarter_and_the_oldest_go_first() -> None:
    files = [ContextFile(f"{name}.py", name * 36) for name in "abcd"]  # of 40 bytes each
    assert cut(LINES, LINES, 400, *files).extra == tuple(files[2:])
    assert cut("x", "", 400, *files).extra == tuple(files)
    assert cut("x", "", 100, *files).extra == tuple(files[2:])


def test_one_long_line_is_cut_through() -> None:
    parts = cut("x" * 1000, "y" * 1000)
    assert 0 < len(parts.prefix) <= 300
    assert len(parts.suffix) == 100


@given(st.text(max_size=300), st.text(max_size=300), st.integers(1, 400))
def test_whatever_is_cut_keeps_the_text_around_the_cursor_and_fits(prefix: str, suffix: str, window: int) -> None:
    parts = cut(prefix, suffix, window)
    assert prefix.endswith(parts.prefix)
    assert suffix.startswith(parts.suffix)
    assert len((parts.prefix + parts.suffix).encode()) <= window


async def test_a_long_file_is_cut_to_the_window_and_the_answer_tells() -> None:
    server = Scripted()
    async with completing(server, window=100) as completer:
        _, outcome = await complete(completer, LINES)
    assert outcome.truncated
    assert len(server.prompts[0]) < 400


async def test_how_many_bytes_a_token_has_is_learned_from_the_model() -> None:
    server = Scripted(last={**LAST, "prompt_eval_count": 300})
    async with completing(server, window=1000) as completer:
        await complete(completer, LINES * 4)  # 3,000 bytes, as the model has not said yet what a token is worth
        await complete(completer, LINES * 40)
    assert 2000 < len(server.prompts[0]) < 3100
    assert len(server.prompts[1]) > 6000


async def test_a_smaller_context_makes_a_smaller_window() -> None:
    server = Scripted()
    async with completing(server) as completer:
        await complete(completer, LINES * 9, sampling={"num_ctx": 512})
    assert len(server.prompts[0]) < 3 * 512
