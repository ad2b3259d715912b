"""What an instance is asked in one turn of a saved session (contract arena §2.2, §2.12, §1.9). Pure.

A thread is read backwards, from the question to the first one. Before a turn stands the instance's own last answer, and
before that the one before it. Where a turn follows a certain answer, that of `Turn.follows`, it is this answer that
stands before it, and the thread goes on backwards as that answer's instance would have it. So an instance that was
asked on from another's answer keeps the other's conversation as its own past from then on, with its own answers after
it; what it had said before it took this turn is no longer part of its thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from puna.arena.conversation import Message
from puna.arena.storage.session import AnswerId, Session, Turn


def thread(session: Session, turn: Turn, instance_id: str, images: Mapping[int, Sequence[str]]) -> tuple[Message, ...]:
    """The session's system prompt, the earlier turns on the way to `turn`, and its prompt.

    A turn that nothing was said in is left out: questions without answers would stand one behind the other. `images`
    are those of each turn, by its number.
    """
    messages = [_asked(turn, images)]
    last = turn.follows or AnswerId(turn.number - 1, instance_id)  # the answer that may stand next, or one before it
    for earlier in reversed(session.turns):
        answer = earlier.find(last.instance_id) if earlier.number <= last.turn else None
        if answer:
            messages += [Message("assistant", answer.text), _asked(earlier, images)] if answer.text else []
            last = earlier.follows or last
    system = [Message("system", session.system)] if session.system else []
    return (*system, *reversed(messages))


def _asked(turn: Turn, images: Mapping[int, Sequence[str]]) -> Message:
    return Message("user", turn.prompt, tuple(images.get(turn.number, ())))
