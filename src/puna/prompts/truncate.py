"""What is left out of a prompt that is too long (contract ollama-http §4.5). Pure plans; the caller counts tokens."""

from __future__ import annotations

from collections.abc import Sequence

from puna.prompts.messages import Message


def droppable(messages: Sequence[Message]) -> int:
    """How many messages may be dropped from the front: all but the last one."""
    return max(len(messages) - 1, 0)


def without(messages: Sequence[Message], dropped: int) -> tuple[Message, ...]:
    """`messages` without the oldest `dropped` ones; the system messages among those stay, in front.

    More dropped is never longer, so the fewest that fit can be found by halving (`dropped` from 0 to `droppable`).
    """
    kept = (message for message in messages[:dropped] if message.role == "system")
    return (*kept, *messages[dropped:])


def cut_prompt(tokens: Sequence[int], n_ctx: int, keep: int) -> list[int]:
    """`tokens` fit for a context of `n_ctx`: the first `keep` (BOS included) and the newest, with room to answer.

    The rest of the context is filled by half, so that the engine need not shift at once. `keep` negative = all. Fewer
    than `n_ctx` tokens come back as they are.
    """
    if len(tokens) < n_ctx:
        return list(tokens)
    kept = min(len(tokens) if keep < 0 else keep, max(n_ctx - 1, 0))
    total = n_ctx - max((n_ctx - kept) // 2, 1)
    tail = max(total - kept, 0)
    return [*tokens[:kept], *tokens[len(tokens) - tail :]]
