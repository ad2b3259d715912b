"""OpenAI's bodies as the engine's plain requests (contract ollama-http §6.2, §6.3). Pure.

`temperature` and `top_p` are 1.0 when they are not given: OpenAI's defaults, over the model's own parameters.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from puna.api.openai.effort import think_of
from puna.api.openai.messages import conversation, go_type
from puna.api.openai.schemas import (
    MAX_CHOICES,
    OpenAIChatBody,
    OpenAICompletionBody,
    OpenAIResponseFormat,
)
from puna.api.openai.toolchoice import offer
from puna.engine.requests import ChatRequest, GenerateRequest
from puna.errors import FieldRefused

ASK = TypeVar("ASK", ChatRequest, GenerateRequest)


def chat_request(body: OpenAIChatBody) -> ChatRequest:
    """Raises `BadRequest` for no messages, `FieldRefused` for a field that is wrong or cannot be honoured."""
    messages = conversation(body.messages)
    offered = offer(body.tools, body.tool_choice)
    if body.top_logprobs and not body.logprobs:
        raise FieldRefused("top_logprobs needs logprobs: true", "top_logprobs")
    limit = body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens
    return ChatRequest(
        messages=messages,
        tools=offered.tools,
        must_call=offered.must_call,
        parallel_tool_calls=body.parallel_tool_calls,
        format=_format(body.response_format),
        think=_think(body),
        options=_given(
            num_predict=limit,
            temperature=1.0 if body.temperature is None else body.temperature,
            top_p=1.0 if body.top_p is None else body.top_p,
            seed=body.seed,
            frequency_penalty=body.frequency_penalty,
            presence_penalty=body.presence_penalty,
            stop=_texts(body.stop) or None,
        ),
        logit_bias=body.logit_bias,
        n_probs=body.top_logprobs if body.logprobs else -1,
        truncate=body.truncate,
        render_only=body.debug_render_only,
    )


def completion_requests(body: OpenAICompletionBody) -> list[GenerateRequest]:
    """One request per prompt. Raises `FieldRefused`."""
    prompts = _prompts(body.prompt)
    if len(prompts) * body.n > MAX_CHOICES:
        raise FieldRefused(f"prompt: at most {MAX_CHOICES} choices fit into one request", "prompt")
    if body.best_of is not None and body.best_of != body.n:
        raise FieldRefused("best_of must be equal to n: answers are not compared here", "best_of")
    if body.echo and body.logprobs is not None:
        raise FieldRefused("echo with logprobs is not supported: a prompt has no logprobs here", "echo")
    options = _given(
        num_predict=body.max_tokens,
        temperature=1.0 if body.temperature is None else body.temperature,
        top_p=body.top_p or 1.0,
        seed=body.seed,
        frequency_penalty=body.frequency_penalty or 0.0,
        presence_penalty=body.presence_penalty or 0.0,
        stop=_strict_texts(body.stop) or None,
    )
    return [
        GenerateRequest(
            prompt=prompt,
            suffix=body.suffix,
            options=options,
            logit_bias=body.logit_bias,
            n_probs=-1 if body.logprobs is None else body.logprobs,
            truncate=body.truncate,
        )
        for prompt in prompts
    ]


def repeated(ask: ASK, n: int) -> list[ASK]:
    """`ask` once per choice. A seed counts up, or all choices would be the same."""
    seed = ask.options.get("seed", -1)
    if n == 1 or seed == -1:
        return [ask] * n
    return [replace(ask, options={**ask.options, "seed": (seed + index) % 2**63}) for index in range(n)]


def _think(body: OpenAIChatBody) -> bool | str | None:
    """The object wins over the plain field."""
    if body.reasoning.effort:
        return think_of(body.reasoning.effort, "reasoning.effort")
    return think_of(body.reasoning_effort, "reasoning_effort")


def _format(wanted: OpenAIResponseFormat) -> Any:
    match wanted.type:
        case "" | "text":
            return None
        case "json_object":
            return "json"
        case "json_schema" if wanted.json_schema.json_schema is not None:
            return wanted.json_schema.json_schema
        case "json_schema":
            raise FieldRefused("response_format.json_schema.schema is required", "response_format.json_schema.schema")
        case other:
            raise FieldRefused(
                f'response_format "{other[:64]}" is not supported: use "text", "json_object" or "json_schema"',
                "response_format.type",
            )


def _texts(stop: object) -> list[str]:
    """What is no text is dropped, as the reference does on the chat route."""
    given = stop if isinstance(stop, list) else [stop]
    return [text for text in given if isinstance(text, str)]


def _strict_texts(stop: object) -> list[str]:
    texts: list[str] = []
    for text in stop if isinstance(stop, list) else [] if stop is None else [stop]:
        if not isinstance(text, str):
            raise FieldRefused(f"invalid type for 'stop' field: {go_type(text)}", "stop")
        texts.append(text)
    return texts


def _prompts(prompt: object) -> list[str]:
    given = prompt if isinstance(prompt, list) else [prompt]
    texts = [text for text in given if isinstance(text, str)]
    if not texts or len(texts) < len(given):
        raise FieldRefused("prompt must be a string or a list of strings; tokens are not accepted", "prompt")
    if len(texts) > 1 and not all(texts):
        raise FieldRefused("prompt: a text of the list is empty", "prompt")
    return texts


def _given(**options: object) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
