"""The response object and the stream that carries it (contract ollama-http §6.6). Pure.

`truncation` tells what was done, and so do `tools` and `store`: nothing is claimed that did not happen.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Sequence

from puna.api.errors import openai_error
from puna.api.openai.answers import Wire
from puna.api.openai.responses_output import Event, Output
from puna.api.openai.responses_schema import ResponsesBody
from puna.api.openai.responses_tools import Toolbox
from puna.engine import Chunk, Final
from puna.errors import PunaError
from puna.serving.wire import encode


class ResponseObject:
    """One response from its start to its end, for the request `body`."""

    def __init__(self, body: ResponsesBody, toolbox: Toolbox) -> None:
        token = str(secrets.randbelow(10**15))
        self.output = Output(token, toolbox)
        self._id = f"resp_{token}"
        self._created_at = int(time.time())
        self._body = body
        self._tools = [tool for tool in body.tools if tool.get("type") not in toolbox.left_out]

    def in_progress(self) -> Wire:
        return self._wire("in_progress")

    def completed(self, final: Final | None, dropped_tokens: int) -> Wire:
        """`status` is completed also after `max_output_tokens`: the SDKs' streams know no other good end (§6.6)."""
        usage = None if final is None else _usage(final, dropped_tokens)
        return self._wire("completed", completed_at=int(time.time()), output=self.output.items, usage=usage)

    def failed(self, error: PunaError) -> Wire:
        return self._wire("failed", output=self.output.items, error={"code": "server_error", "message": error.message})

    def _wire(
        self,
        status: str,
        *,
        completed_at: int | None = None,
        output: Sequence[Wire] = (),
        error: Wire | None = None,
        usage: Wire | None = None,
    ) -> Wire:
        body = self._body
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created_at,
            "completed_at": completed_at,
            "status": status,
            "incomplete_details": None,
            "model": body.model,
            "previous_response_id": None,
            "instructions": body.instructions or None,
            "output": output,
            "error": error,
            "tools": self._tools,
            "tool_choice": body.tool_choice,
            "truncation": body.truncation,
            "parallel_tool_calls": body.parallel_tool_calls,
            "text": {"format": body.text.format},
            "top_p": body.top_p,
            "presence_penalty": body.presence_penalty or 0,
            "frequency_penalty": body.frequency_penalty or 0,
            "top_logprobs": body.top_logprobs,
            "temperature": body.temperature,
            "reasoning": {"effort": body.reasoning.effort or None, "summary": body.reasoning.summary},
            "usage": usage,
            "max_output_tokens": body.max_output_tokens,
            "max_tool_calls": None,
            "store": False,
            "background": False,
            "service_tier": "default",
            "metadata": body.metadata,
            "safety_identifier": None,
            "prompt_cache_key": None,
        }


class ResponseEvents:
    """The events of one streamed response: `feed` words batch after batch, `failed` has the last word of a bad end."""

    def __init__(self, response: ResponseObject) -> None:
        self._response = response
        self._number = 0

    @property
    def started(self) -> bool:
        return self._number > 0

    def feed(self, batch: Sequence[Chunk], dropped_tokens: int) -> bytes:
        output = self._response.output
        events: list[Event] = []
        if not self.started:
            events += self._lifecycle("created", "in_progress")
        for chunk in batch:
            events += output.feed(chunk)
            if chunk.final is not None:
                events += output.finish()
                whole = self._response.completed(chunk.final, dropped_tokens)
                events.append({"type": "response.completed", "response": whole})
        return self._numbered(events)

    def failed(self, error: PunaError) -> bytes:
        """One event for two kinds of clients: agents read `response.error`, the SDKs raise where there is `error`."""
        event = {"type": "response.failed", "response": self._response.failed(error), **openai_error(error)}
        return self._numbered([event])

    def _lifecycle(self, *steps: str) -> list[Event]:
        return [{"type": f"response.{step}", "response": self._response.in_progress()} for step in steps]

    def _numbered(self, events: Iterable[Event]) -> bytes:
        lines: list[bytes] = []
        for event in events:
            kind = event["type"]
            data = encode({"type": kind, "sequence_number": self._number, **event})
            lines.append(b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n")
            self._number += 1
        return b"".join(lines)


def _usage(final: Final, dropped_tokens: int) -> Wire:
    """`puna_dropped_tokens` is there when the prompt did not fit: it says how many were left out."""
    usage: Wire = {
        "input_tokens": final.prompt_tokens,
        "input_tokens_details": {"cached_tokens": final.cached_tokens},
        "output_tokens": final.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": final.prompt_tokens + final.output_tokens,
    }
    if dropped_tokens:
        usage["puna_dropped_tokens"] = dropped_tokens
    return usage
