"""Which models a `--model` target means (contract meter §13, C4)."""

from __future__ import annotations


def match_model(name: str, target: str, *, family: bool = False) -> bool:
    """With a tag the target means exactly that model, without one every tag of the name.

    `:latest` is the tag of a name without one. `family` ignores the target's tag, as the reference always does.
    """
    if not target:
        return False
    if name == target:
        return True
    base, _, tag = name.partition(":")
    wanted, colon, wanted_tag = target.partition(":")
    if base != wanted:
        return False
    return family or not colon or (tag or "latest") == wanted_tag
