"""The basic profile's answers: exactly the keys of the document (contract arena Q1 to Q5, S1 to S3)."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Any

from puna.arena.asking import Done, Event, Failed, Silence, Token
from puna.arena.failures import ArenaError, MissingModel, UpstreamFailed
from puna.arena.metrics import Metrics
from puna.arena.request import ChatRequest
from puna.serving.wire import line

Json = dict[str, Any]

_NOTHING = Metrics()


def event_line(event: Event, key: str) -> bytes:
    """One line of the stream; `key` says what the instance is called by. A silence is an empty line (S6)."""
    match event:
        case Silence():
            return b"\n"
        case Token(instance_id, text):
            return line({key: instance_id, "token": text, "done": False})
        case Done(instance_id, metrics):
            counts = {"tokens": metrics.tokens, "duration_s": metrics.duration_s}
            return line({key: instance_id, "token": "", "done": True, "metrics": counts})
        case Failed(instance_id, reason):
            return line({key: instance_id, "token": "", "done": True, "error": reason})


class Collected:
    """What each instance said and how it ended, once all of them have."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._ends: dict[str, Done | Failed] = {}

    @classmethod
    async def gather(cls, events: AsyncIterable[Event]) -> Collected:
        found = cls()
        async for event in events:
            match event:
                case Token(instance_id, text):
                    found._texts.setdefault(instance_id, []).append(text)
                case Done(instance_id) | Failed(instance_id):
                    found._ends[instance_id] = event
        return found

    def answer(self, chat: ChatRequest) -> Json:
        """Raises `MissingModel` (Q3) or `UpstreamFailed` (Q3, Q5) when no instance answered."""
        ends = [self._ends[instance.id] for instance in chat.instances]
        failures = [end for end in ends if isinstance(end, Failed)]
        if len(ends) > 1:
            results = {instance.id: self._entry(instance.id) for instance in chat.instances}
            if len(failures) == len(ends):
                raise UpstreamFailed(failures[0].reason, {"results": results})
            return {"results": results}
        if failures:
            raise _alone(failures[0])
        (instance,) = chat.instances
        return {"model": instance.model, "instance_id": instance.id, **self._entry(instance.id)}

    def _entry(self, instance_id: str) -> Json:
        end = self._ends[instance_id]
        if isinstance(end, Failed):
            return {"response": "", "metrics": _metrics(_NOTHING), "error": end.reason}
        return {"response": "".join(self._texts.get(instance_id, ())), "metrics": _metrics(end.metrics)}


def _metrics(found: Metrics) -> Json:
    return {"tokens": found.tokens, "duration_s": found.duration_s, "tokens_per_sec": found.tokens_per_sec}


def _alone(failure: Failed) -> ArenaError:
    return MissingModel(failure.reason) if failure.missing else UpstreamFailed(failure.reason)
