"""A response's output items, grown chunk by chunk, and the events that tell of it (contract ollama-http §6.6). Pure.

The items of a whole answer and of a streamed one come from here, so they are the same. Text that a model says before
it calls a function is an item too; what it says after a call is left out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import orjson

from puna.api.openai.answers import Wire, chat_logprobs
from puna.api.openai.responses_tools import Toolbox
from puna.engine import Chunk, Logprob
from puna.prompts.messages import ToolCall

Event = dict[str, Any]  # has `type`; its number in the stream is put in by whoever sends it


class Output:
    """`feed` takes chunks, `finish` closes what is open; `items` holds what is complete."""

    def __init__(self, token: str, toolbox: Toolbox) -> None:
        self.items: list[Wire] = []
        self._token = token
        self._toolbox = toolbox
        self._open: _Growing | None = None
        self._answered = False  # there is a text
        self._called = False

    def feed(self, chunk: Chunk) -> list[Event]:
        events: list[Event] = []
        if chunk.thinking:
            events += self._grow(_Reasoning, chunk.thinking)
        if chunk.text and not self._called:
            events += self._grow(_Message, chunk.text, chunk.logprobs)
        for call in chunk.tool_calls:
            events += self._call(call)
        return events

    def finish(self) -> list[Event]:
        """An answer of nothing, or of nothing but reasoning, ends with an empty message."""
        events = [] if self._answered or self._called else self._grow(_Message, "")
        return events + self._close()

    def _grow(self, kind: type[_Growing], text: str, logprobs: Sequence[Logprob] = ()) -> list[Event]:
        events: list[Event] = []
        item = self._open
        if not isinstance(item, kind):
            events += self._close()
            self._open = item = kind(self._token, len(self.items))
            events += item.opening()
        self._answered = self._answered or kind is _Message
        return [*events, item.grow(text, logprobs)] if text else events

    def _close(self) -> list[Event]:
        if (item := self._open) is None:
            return []
        self._open = None
        self.items.append(item.whole())
        return item.closing()

    def _call(self, call: ToolCall) -> list[Event]:
        events = self._close()
        self._called = True
        index = len(self.items)
        item = _function_call(call, self._toolbox, f"fc_{self._token}_{index}")
        self.items.append(item)
        where = {"item_id": item["id"], "output_index": index}
        arguments = item["arguments"]
        return [
            *events,
            _added(index, {**item, "arguments": "", "status": "in_progress"}),
            {"type": "response.function_call_arguments.delta", **where, "delta": arguments},
            {"type": "response.function_call_arguments.done", **where, "arguments": arguments},
            _done(index, item),
        ]


class _Growing(ABC):
    """An item whose text comes in pieces."""

    prefix: ClassVar[str]

    def __init__(self, token: str, index: int) -> None:
        self.id = f"{self.prefix}_{token}_{index}"
        self.index = index
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    @abstractmethod
    def opening(self) -> list[Event]: ...

    @abstractmethod
    def grow(self, text: str, logprobs: Sequence[Logprob]) -> Event: ...

    @abstractmethod
    def closing(self) -> list[Event]: ...

    @abstractmethod
    def whole(self) -> Wire: ...


class _Reasoning(_Growing):
    prefix = "rs"

    def opening(self) -> list[Event]:
        return [_added(self.index, {"id": self.id, "type": "reasoning", "summary": []})]

    def grow(self, text: str, logprobs: Sequence[Logprob]) -> Event:
        self._pieces.append(text)
        return self._event("delta", delta=text)

    def closing(self) -> list[Event]:
        return [self._event("done", text=self.text), _done(self.index, self.whole())]

    def whole(self) -> Wire:
        """The reasoning in the clear, twice: clients send `encrypted_content` back to go on with it."""
        text = self.text
        summary = [{"type": "summary_text", "text": text}]
        return {"id": self.id, "type": "reasoning", "summary": summary, "encrypted_content": text}

    def _event(self, step: str, **fields: Any) -> Event:
        kind = f"response.reasoning_summary_text.{step}"
        return {"type": kind, "item_id": self.id, "output_index": self.index, "summary_index": 0, **fields}


class _Message(_Growing):
    prefix = "msg"

    def __init__(self, token: str, index: int) -> None:
        super().__init__(token, index)
        self._logprobs: list[Wire] = []
        self._where = {"item_id": self.id, "output_index": index, "content_index": 0}

    def opening(self) -> list[Event]:
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        return [
            _added(self.index, self._item("in_progress", [])),
            {"type": "response.content_part.added", **self._where, "part": part},
        ]

    def grow(self, text: str, logprobs: Sequence[Logprob]) -> Event:
        self._pieces.append(text)
        entries = chat_logprobs(logprobs)["content"]
        self._logprobs += entries
        return {"type": "response.output_text.delta", **self._where, "delta": text, "logprobs": entries}

    def closing(self) -> list[Event]:
        part = self._part()
        return [
            {"type": "response.output_text.done", **self._where, "text": part["text"], "logprobs": self._logprobs},
            {"type": "response.content_part.done", **self._where, "part": part},
            _done(self.index, self.whole()),
        ]

    def whole(self) -> Wire:
        return self._item("completed", [self._part()])

    def _item(self, status: str, content: list[Wire]) -> Wire:
        return {"id": self.id, "type": "message", "status": status, "role": "assistant", "content": content}

    def _part(self) -> Wire:
        return {"type": "output_text", "text": self.text, "annotations": [], "logprobs": self._logprobs}


def _function_call(call: ToolCall, toolbox: Toolbox, item_id: str) -> Wire:
    """A function of a name space is told by both of its names: agents look it up by them."""
    namespace, name = toolbox.parted(call.name)
    item = {"id": item_id, "type": "function_call", "status": "completed", "call_id": call.id or f"call_{item_id}"}
    if namespace:
        item["namespace"] = namespace
    return {**item, "name": name, "arguments": orjson.dumps(dict(call.arguments)).decode()}


def _added(index: int, item: Wire) -> Event:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def _done(index: int, item: Wire) -> Event:
    return {"type": "response.output_item.done", "output_index": index, "item": item}
