"""What an instance is asked in one turn of a saved session (contract arena §2.2, §1.9). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from puna.arena.conversation import Message
from puna.arena.storage.session import Session, Turn


def thread(session: Session, turn: Turn, instance_id: str, images: Mapping[int, Sequence[str]]) -> tuple[Message, ...]:
    """The session's system prompt, the earlier turns that this instance answered, and the prompt of `turn`.

    Nobody reads the others' answers. A turn that the instance said nothing in is left out: questions without answers
    would stand one behind the other. `images` are those of each turn, by its number.
    """
    messages = [Message("system", session.system)] if session.system else []
    for earlier in session.turns:
        if earlier.number >= turn.number:
            break
        text = next((answer.text for answer in earlier.answers if answer.instance_id == instance_id), "")
        if text:
            messages += [_asked(earlier, images), Message("assistant", text)]
    return (*messages, _asked(turn, images))


def _asked(turn: Turn, images: Mapping[int, Sequence[str]]) -> Message:
    return Message("user", turn.prompt, tuple(images.get(turn.number, ())))
