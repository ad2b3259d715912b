"""What is left out when a prompt is too long (contract ollama-http §4.5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.prompts import Message, cut_prompt, droppable, without

MESSAGES = [Message(role, role) for role in ("system", "user", "assistant", "system", "user", "assistant", "user")]


def roles(dropped: int) -> str:
    return "".join(message.role[0] for message in without(MESSAGES, dropped))


def test_the_oldest_go_and_system_messages_stay_in_front() -> None:
    assert [roles(dropped) for dropped in range(droppable(MESSAGES) + 1)] == [
        "suasuau", "suasuau", "sasuau", "ssuau", "ssuau", "ssau", "ssu",
    ]  # fmt: skip


def test_the_last_message_always_stays() -> None:
    assert droppable([]) == 0
    assert droppable(MESSAGES[:1]) == 0
    assert without(MESSAGES, droppable(MESSAGES))[-1] == MESSAGES[-1]


@pytest.mark.parametrize(
    ("n_ctx", "keep", "expected"),
    [
        (21, 4, [*range(20)]),
        (20, 4, [0, 1, 2, 3, *range(12, 20)]),
        (10, 4, [0, 1, 2, 3, 17, 18, 19]),
        (10, 0, [15, 16, 17, 18, 19]),
        (10, 9, [*range(9)]),
        (10, 99, [*range(9)]),
        (10, -1, [*range(9)]),
        (1, 4, []),
    ],
)
def test_the_middle_of_the_tokens_is_cut(n_ctx: int, keep: int, expected: list[int]) -> None:
    assert cut_prompt(range(20), n_ctx, keep) == expected


@given(st.integers(0, 300), st.integers(1, 200), st.integers(-1, 300))
def test_a_cut_prompt_leaves_room_to_answer(count: int, n_ctx: int, keep: int) -> None:
    tokens = cut_prompt(range(count), n_ctx, keep)
    assert len(tokens) == count if count < n_ctx else len(tokens) < n_ctx
    assert tokens == sorted(set(tokens))
