"""Votes as pairs for preference training: `prompt, chosen, rejected, meta`, one JSON object a line (contract §2.11)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from puna.arena.ballots import Ballot
from puna.arena.storage.votes import Vote
from puna.serving.wire import line


def lines(votes: Iterable[Vote]) -> Iterator[bytes]:
    """A line for each comparison that has a winner and whose answers are known. Ties and bad answers make none.

    In a longer conversation the prompts are joined: the answers before the last ones were different on either side.
    """
    for vote in votes:
        prompts = _prompts(vote.details)
        if vote.ballot is not None and prompts:
            for chosen, rejected in _decided(vote.ballot):
                texts = _answer(vote.details, chosen), _answer(vote.details, rejected)
                if all(texts) and texts[0] != texts[1]:
                    meta = _meta(vote, vote.ballot, chosen, rejected) | {"turns": len(prompts)}
                    yield line({"prompt": "\n\n".join(prompts), "chosen": texts[0], "rejected": texts[1], "meta": meta})


def _decided(ballot: Ballot) -> Iterator[tuple[str, str]]:
    """Slots: who won, who lost."""
    for one, other, score in ballot.verdict.scores("drop"):
        if score != 0.5:
            yield (one, other) if score > 0.5 else (other, one)


def _meta(vote: Vote, ballot: Ballot, chosen: str, rejected: str) -> dict[str, Any]:
    entries = {entry.slot: entry for entry in ballot.entries}
    system = vote.details.get("system")
    return {
        "vote": vote.id,
        "battle": vote.battle,
        "at": vote.at.isoformat(),
        "voter": ballot.voter,
        "blind": ballot.blind,
        "fast": ballot.fast,
        "leaked": [entries[slot].leak for slot in (chosen, rejected)],
        "categories": sorted(ballot.categories),
        "language": ballot.language,
        "system": system if isinstance(system, str) else "",
        "chosen": {"instance": entries[chosen].instance, "model": entries[chosen].model},
        "rejected": {"instance": entries[rejected].instance, "model": entries[rejected].model},
    }


def _prompts(details: Mapping[str, Any]) -> list[str]:
    """Details of an imported vote may be anything."""
    prompts = details.get("prompts", [details.get("prompt")])
    return prompts if isinstance(prompts, list) and all(isinstance(each, str) for each in prompts) else []


def _answer(details: Mapping[str, Any], slot: str) -> str:
    slots = details.get("slots")
    seat = slots.get(slot) if isinstance(slots, dict) else None
    text = seat.get("answer") if isinstance(seat, dict) else None
    return text if isinstance(text, str) else ""
