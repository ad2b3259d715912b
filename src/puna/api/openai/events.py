"""Streamed answers as server-sent events (contract ollama-http §6.2, §6.3): `feed` words one batch of one choice. Pure.

The head that all chunks of a stream share is encoded once, so that a plain piece of text costs one small encoding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from puna.api.errors import openai_error
from puna.api.openai import answers
from puna.api.openai.answers import Wire
from puna.engine import Answer, Chunk, Final
from puna.errors import PunaError
from puna.serving.wire import encode

DONE = b"data: [DONE]\n\n"


def error_event(error: PunaError) -> bytes:
    """The last event of a stream that failed (an extension which the SDKs understand, §6.1)."""
    return b"data: " + encode(openai_error(error)) + b"\n\n"


class Events(ABC):
    """One stream of several choices. The last one to end brings the usage, where it is asked for, and the end."""

    def __init__(self, head: Wire, choices: int, per_prompt: int, include_usage: bool) -> None:
        self._head = b"data: " + encode(head)[:-1]
        self._finals: list[Final | None] = [None] * choices
        self._dropped = [0] * choices
        self._per_prompt = per_prompt
        self._include_usage = include_usage

    def feed(self, index: int, batch: Sequence[Chunk], answer: Answer) -> bytes:
        """The events of the next chunks of choice `index`, for one write; empty where they say nothing here."""
        events = [event for chunk in batch for event in self._events(index, chunk)]
        if batch[-1].final is not None:
            self._finals[index] = batch[-1].final
            self._dropped[index] = answer.dropped_tokens
            if None not in self._finals:
                events.append(self._end())
        return b"".join(events)

    @abstractmethod
    def _events(self, index: int, chunk: Chunk) -> Iterator[bytes]: ...

    def _event(self, choices: list[Wire], **more: object) -> bytes:
        return self._head + b"," + encode({"choices": choices, **more})[1:] + b"\n\n"

    def _end(self) -> bytes:
        if not self._include_usage:
            return DONE
        dropped = sum(self._dropped[:: self._per_prompt])
        return self._event([], usage=answers.usage(self._finals, self._per_prompt, dropped)) + DONE


class ChatEvents(Events):
    """Chunks of a chat: the role first, calls whole, the reason to end on a chunk of its own."""

    def __init__(self, model: str, choices: int, include_usage: bool) -> None:
        super().__init__(answers.head("chatcmpl", "chat.completion.chunk", model), choices, choices, include_usage)
        self._begun = [False] * choices
        self._called = [False] * choices
        before = b',"choices":[{"index":%d,"delta":{"content":'
        self._text = [self._head + before % index for index in range(choices)]

    def _events(self, index: int, chunk: Chunk) -> Iterator[bytes]:
        if self._begun[index] and not (chunk.thinking or chunk.tool_calls or chunk.logprobs or chunk.final):
            yield self._text[index] + encode(chunk.text) + b'},"finish_reason":null}]}\n\n'
            return
        yield from self._said(index, chunk)
        if chunk.final is not None:
            reason = answers.finish_reason(chunk.final, self._called[index])
            yield self._event([{"index": index, "delta": {}, "finish_reason": reason}])

    def _said(self, index: int, chunk: Chunk) -> Iterator[bytes]:
        """What the chunk says, split into reasoning and the rest; its logprobs go with the last of them."""
        deltas: list[Wire] = [{"content": "", "reasoning": chunk.thinking}] if chunk.thinking else []
        if chunk.tool_calls:
            self._called[index] = True
            deltas += [{"content": chunk.text}] if chunk.text else []
            deltas.append({"content": "", "tool_calls": answers.tool_calls(chunk.tool_calls)})
        elif chunk.text or (not deltas and (chunk.logprobs or not self._begun[index])):
            deltas.append({"content": chunk.text})
        for number, delta in enumerate(deltas):
            if not self._begun[index]:
                self._begun[index] = True
                delta = {"role": "assistant", **delta}
            choice: Wire = {"index": index, "delta": delta, "finish_reason": None}
            if chunk.logprobs and number == len(deltas) - 1:
                choice["logprobs"] = answers.chat_logprobs(chunk.logprobs)
            yield self._event([choice])


class TextEvents(Events):
    """Chunks of plain completions; reasoning is not told (§6.3). With usage asked for, every chunk has an empty one."""

    def __init__(self, model: str, before: Sequence[str], per_prompt: int, include_usage: bool) -> None:
        """`before` is what stands in front of each choice's text: the prompt for `echo`, or nothing."""
        head = answers.head("cmpl", "text_completion", model)
        super().__init__(head, len(before), per_prompt, include_usage)
        self._before = list(before)
        self._offsets = [0] * len(before)
        self._more = {"usage": answers.NO_USAGE} if include_usage else {}

    def loaded(self) -> bytes:
        """The whole stream for an empty prompt, which only loads the model."""
        choice = answers.text_choice(0, "", "load")
        return self._event([choice], **self._more) + self._end()

    def _events(self, index: int, chunk: Chunk) -> Iterator[bytes]:
        text = self._before[index] + chunk.text
        self._before[index] = ""
        logprobs = answers.text_logprobs(chunk.logprobs, self._offsets[index])
        self._offsets[index] += sum(len(entry.token) for entry in chunk.logprobs)
        reason = answers.finish_reason(chunk.final, False)
        if text or logprobs or reason:
            yield self._event([answers.text_choice(index, text, reason, logprobs)], **self._more)
