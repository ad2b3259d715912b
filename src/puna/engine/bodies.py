"""Requests of this house as llama-server's JSON: OpenAI-shaped messages, media, sampling, constraints. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from puna.engine.options import engine_body
from puna.engine.schema import Constraint
from puna.engine.types import ChatCompletion, Completion, Props
from puna.errors import BadRequest
from puna.prompts.messages import Message, ToolCall

_MARKER = re.compile(r"\[img(?:-(\d{1,4}))?\]", re.ASCII)

# The engine repeats the whole prompt and every setting in its last event unless told what to keep.
_LAST_EVENT = ("content", "tokens", "stop", "stop_type", "stopping_word", "timings", "completion_probabilities")


def completion_body(request: Completion, props: Props) -> dict[str, Any]:
    """The body of `/completion`."""
    body = engine_body(request.sampling, props.n_ctx) | {
        "prompt": _prompt(request, props),
        "stream": True,
        "return_tokens": True,
        "response_fields": _LAST_EVENT,
    }
    if request.n_probs >= 0:
        body["n_probs"] = max(request.n_probs, 1)  # 0 would switch them off; the decoder drops the one too many
    if request.constraint is not None:
        body["json_schema"] = _grammar(request.constraint)
    return body


def _grammar(constraint: Constraint) -> dict[str, Any]:
    """The schema with the settings of the raw route's compiler.

    JSON as `json.dumps` writes it: where any blanks may stand, a small model writes blanks for ever.
    """
    style = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": ", "lenient": True}
    return {**constraint.schema, "x-guidance": style}


def proof_body(constraint: Constraint, token: int) -> dict[str, Any]:
    """The body of a `/completion` that answers with `token` exactly when nothing constrains it."""
    return {
        "prompt": [token],
        "n_predict": 1,
        "logit_bias": [[token, 1000]],
        "json_schema": _grammar(constraint),
        "return_tokens": True,
        "response_fields": ["tokens"],
    }


def chat_body(request: ChatCompletion, props: Props) -> dict[str, Any]:
    """The body of `/v1/chat/completions`."""
    body = engine_body(request.sampling, props.n_ctx) | template_body(request.messages, request.tools, request.think)
    body["stream"] = True
    if request.sampling.stop:
        body["verbose"] = True  # the last event says which one ended the answer, and repeats the prompt
    if request.n_probs >= 0:
        body |= {"logprobs": True, "top_logprobs": max(request.n_probs, 1)}
    return body


def template_body(
    messages: Sequence[Message], tools: Sequence[Mapping[str, Any]], think: bool | str | None
) -> dict[str, Any]:
    """What the Jinja template reads; alone it is the body of `/apply-template`."""
    body: dict[str, Any] = {"messages": [_message(message) for message in messages]}
    if tools:
        body["tools"] = list(tools)
    if think is not None:
        effort = {"reasoning_effort": think} if isinstance(think, str) else {}
        body["chat_template_kwargs"] = {"enable_thinking": think is not False, **effort}
    return body


def _message(message: Message) -> dict[str, Any]:
    shaped: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.images:
        text = [{"type": "text", "text": message.content}] if message.content else []
        shaped["content"] = [*map(_media_part, message.images), *text]
    if message.thinking:
        shaped["reasoning_content"] = message.thinking
    if message.tool_calls:
        shaped["tool_calls"] = [_tool_call(call) for call in message.tool_calls]
    if message.tool_name:
        shaped["name"] = message.tool_name
    if message.tool_call_id:
        shaped["tool_call_id"] = message.tool_call_id
    return shaped


def _tool_call(call: ToolCall) -> dict[str, Any]:
    arguments = orjson.dumps(call.arguments).decode()
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def sound_format(data: bytes) -> str | None:
    """`wav` or `mp3` for a recording, None for what is an image (contract ollama-http §4.6): told from the bytes."""
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "wav"
    frame = len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0 and data[1] != 0xD8  # 0xD8: a JPEG
    return "mp3" if frame or data[:3] == b"ID3" else None


def _media_part(data: bytes) -> dict[str, Any]:
    """The engine reads images by content, not by type."""
    encoded = base64.b64encode(data).decode()
    if sound := sound_format(data):
        return {"type": "input_audio", "input_audio": {"data": encoded, "format": sound}}
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}}


def _prompt(request: Completion, props: Props) -> Any:
    if not request.media:
        return request.prompt if isinstance(request.prompt, str) else list(request.prompt)
    if not isinstance(request.prompt, str):
        raise BadRequest("a prompt with images is too long for the context; shorten it or raise num_ctx")
    text, media = place_media(request.prompt, request.media, props.media_marker)
    return {"prompt_string": text, "multimodal_data": [base64.b64encode(data).decode() for data in media]}


def place_media(prompt: str, media: Sequence[bytes], marker: str) -> tuple[str, list[bytes]]:
    """`[img]` and `[img-N]` become the engine's marker; media without a marker go in front (§4.6).

    Returns the prompt and the media in the order of their markers. Markers beyond the media stay text.
    """
    waiting = dict(enumerate(media))
    placed: list[bytes] = []

    def place(match: re.Match[str]) -> str:
        number = int(match[1]) if match[1] else next(iter(waiting), -1)
        if number not in waiting:
            return match[0]
        placed.append(waiting.pop(number))
        return marker

    text = _MARKER.sub(place, prompt.replace(marker, ""))
    return marker * len(waiting) + text, [*waiting.values(), *placed]
