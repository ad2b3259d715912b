"""A chat request, checked in the order of the document: the first thing that is wrong is the answer (contract §1.3).

History; instances present; per instance in order object, model, id, the six settings; their number; duplicates. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from puna.arena.conversation import Message, cut, read_conversation
from puna.arena.failures import Refused, unknown_endpoint
from puna.arena.instances import Instance, check_count_and_ids, named_models, read_instances


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operator allows in one request."""

    messages: int = 40
    instances: int = 8


@dataclass(frozen=True, slots=True)
class ChatRequest:
    messages: tuple[Message, ...]
    instances: tuple[Instance, ...]
    legacy: bool  # models were named, and answers are keyed by their names
    stream: bool

    @property
    def key(self) -> str:
        """What a line of the stream is labelled with (S1)."""
        return "model" if self.legacy else "instance_id"


def read_chat(body: Mapping[str, Any], limits: Limits, endpoints: Collection[str] = ()) -> ChatRequest:
    """Raises `Refused`. `endpoints` are the names that an instance may give for where it runs (C4)."""
    messages = read_conversation(body)
    asked = body.get("model_instances")
    legacy = not (isinstance(asked, list) and asked)
    instances = named_models(_models(body)) if legacy else read_instances(asked or ())
    check_count_and_ids(instances, limits.instances)
    for instance in instances:
        if instance.endpoint and instance.endpoint not in endpoints:
            raise unknown_endpoint(endpoints)
    return ChatRequest(cut(messages, limits.messages), instances, legacy, body.get("stream") is True)


def _models(body: Mapping[str, Any]) -> list[Any]:
    """The names of the legacy format: a list, one name, or the older field `model`. Raises `Refused`."""
    for field in ("models", "model"):
        value = body.get(field)
        if isinstance(value, list) and value and field == "models":
            return value
        if isinstance(value, str) and value:
            return [value]
    raise Refused("No models selected")
