"""Answers on the wire: exactly the keys of the document in the basic profile, more in the extended one.

Contract arena Q1 to Q5 and S1 to S3, and §2.1.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Container, Iterable
from time import monotonic
from typing import Any

from puna.arena.asking import Done, Event, Failed, Silence, Status, Thinking, Token
from puna.arena.failures import ArenaError, MissingModel, UpstreamFailed
from puna.arena.instances import Instance
from puna.arena.metrics import Metrics
from puna.arena.request import ChatRequest
from puna.serving.wire import line

Json = dict[str, Any]

_NOTHING = Metrics()


def event_line(event: Event, key: str) -> bytes:
    """One line of the stream; `key` says what the instance is called by. A silence is an empty line (S6).

    Phases and thoughts are none of this profile's: they give no line.
    """
    match event:
        case Status() | Thinking():
            return b""
        case Silence():
            return b"\n"
        case Token(instance_id, text):
            return line({key: instance_id, "token": text, "done": False})
        case Done(instance_id, metrics):
            counts = {"tokens": metrics.tokens, "duration_s": metrics.duration_s}
            return line({key: instance_id, "token": "", "done": True, "metrics": counts})
        case Failed(instance_id, reason):
            return line({key: instance_id, "token": "", "done": True, "error": reason})


class ExtendedLines:
    """The lines of one stream in the extended profile (§2.1); times count from its making.

    `truncated` are the ids of instances that did not get their whole history.
    """

    def __init__(self, instances: Iterable[Instance], truncated: Container[str] = ()) -> None:
        self._models = {instance.id: instance.model for instance in instances}
        self._truncated = truncated
        self._numbers = dict.fromkeys(self._models, 0)
        self._began = monotonic()

    def line(self, event: Event) -> bytes:
        """A silence is an empty line (S6)."""
        match event:
            case Silence():
                return b"\n"
            case Status(instance_id, state):
                return self._line("status", instance_id, state=state)
            case Thinking(instance_id, text):
                return self._line("thinking", instance_id, thinking=text)
            case Token(instance_id, text):
                return self._line("token", instance_id, token=text, done=False)
            case Done(instance_id, metrics, timings):
                return self._line(
                    "done", instance_id, token="", done=True, metrics=metrics_wire(metrics), timings=timings.wire(),
                    done_reason=timings.done_reason, stopped=timings.stopped,
                    history_truncated=instance_id in self._truncated,
                )  # fmt: skip
            case Failed(instance_id, reason):
                return self._line("done", instance_id, token="", done=True, error=reason)

    def _line(self, event: str, instance_id: str, **more: Any) -> bytes:
        number = self._numbers[instance_id]
        self._numbers[instance_id] += 1
        head = {
            "event": event,
            "seq": number,
            "t_ms": round((monotonic() - self._began) * 1000),
            "instance_id": instance_id,
            "model": self._models[instance_id],
        }
        return line(head | more)


def metrics_wire(metrics: Metrics) -> Json:
    """As the extended profile has them, who also says when nobody counted (X3)."""
    return _metrics(metrics) | ({"estimated": True} if metrics.estimated else {})


class Collected:
    """What each instance said and how it ended, once all of them have."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._thoughts: dict[str, list[str]] = {}
        self._ends: dict[str, Done | Failed] = {}

    @classmethod
    async def gather(cls, events: AsyncIterable[Event]) -> Collected:
        found = cls()
        async for event in events:
            match event:
                case Token(instance_id, text):
                    found._texts.setdefault(instance_id, []).append(text)
                case Thinking(instance_id, text):
                    found._thoughts.setdefault(instance_id, []).append(text)
                case Done(instance_id) | Failed(instance_id):
                    found._ends[instance_id] = event
        return found

    def answer(self, chat: ChatRequest) -> Json:
        """Raises `MissingModel` (Q3) or `UpstreamFailed` (Q3, Q5) when no instance answered."""
        ends = [self._ends[instance.id] for instance in chat.instances]
        failures = [end for end in ends if isinstance(end, Failed)]
        if len(ends) > 1:
            results = {instance.id: self._entry(instance.id, chat) for instance in chat.instances}
            if len(failures) == len(ends):
                raise UpstreamFailed(failures[0].reason, {"results": results})
            return {"results": results}
        if failures:
            raise _alone(failures[0])
        (instance,) = chat.instances
        return {"model": instance.model, "instance_id": instance.id, **self._entry(instance.id, chat)}

    def _entry(self, instance_id: str, chat: ChatRequest) -> Json:
        end = self._ends[instance_id]
        if isinstance(end, Failed):
            return {"response": "", "metrics": _metrics(_NOTHING), "error": end.reason}
        response = "".join(self._texts.get(instance_id, ()))
        if not chat.extended:
            return {"response": response, "metrics": _metrics(end.metrics)}
        return {
            "response": response,
            "thinking": "".join(self._thoughts.get(instance_id, ())),
            "metrics": metrics_wire(end.metrics),
            "timings": end.timings.wire(),
            "done_reason": end.timings.done_reason,
            "stopped": end.timings.stopped,
            "history_truncated": instance_id in chat.truncated,
        }


def _metrics(found: Metrics) -> Json:
    return {"tokens": found.tokens, "duration_s": found.duration_s, "tokens_per_sec": found.tokens_per_sec}


def _alone(failure: Failed) -> ArenaError:
    return MissingModel(failure.reason) if failure.missing else UpstreamFailed(failure.reason)
