"""What is asked of the upstream, and what its lines say: Ollama's documented routes (contract code-completion §1.13).

It is always asked to stream (X2): closing the stream is how it learns that nobody listens any more.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal

from puna.client import ClientError, OllamaClient, ServerUnreachable
from puna.code.failures import CodeError, Overloaded, TooLong, UpstreamFailed

Json = dict[str, Any]

DEFAULTS: Mapping[str, Any] = {"temperature": 0, "seed": 1234}  # §1.3
_BYTES_PER_TOKEN = 3.0  # of source code, a little low so that a first prompt is rather too short than too long
_LEARNED_FROM = 256  # tokens: shorter prompts say little
_DRIFT = 0.2  # a smaller difference changes nothing, or every window would start on another line


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for text."""

    route: Literal["generate", "chat"]
    body: Json
    prompt: str  # what the model gets, as far as we know it


@dataclass(frozen=True, slots=True)
class Final:
    """Counts of tokens and nanoseconds of the last line; 0 where the upstream does not say."""

    reason: str
    input_tokens: int
    output_tokens: int
    load_ns: int
    prompt_ns: int
    output_ns: int
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    final: Final | None = None


class Upstream:
    """Raises the errors of `puna.code.failures` only."""

    def __init__(self, client: OllamaClient) -> None:
        self._client = client
        self._tokenizes = True  # until it says otherwise
        self._bytes_per_token: dict[str, float] = {}  # by model

    async def speak(self, ask: Ask) -> AsyncGenerator[Line]:
        """The lines of an answer, the last one with `final`. Leave it through `aclosing`: that ends the work."""
        raw = self._client.generate(ask.body) if ask.route == "generate" else self._client.chat(ask.body)
        try:
            async with aclosing(raw) as lines:
                async for value in lines:
                    line = _line(value)
                    if line.final is not None:
                        self._learn(ask, line.final)
                    yield line
                    if line.final is not None:
                        return
        except ClientError as error:
            raise translated(error) from error
        raise UpstreamFailed("the model's endpoint ended its answer in the middle")

    def bytes_for(self, model: str, tokens: int) -> int:
        """About how much text makes so many tokens. Learned from the model's answers, three bytes a token before."""
        return int(tokens * self._bytes_per_token.get(model, _BYTES_PER_TOKEN))

    async def count(self, model: str, prompt: str) -> int:
        """The tokens of a prompt: exactly where the upstream is Puna, which has a route for it, else about so many."""
        if self._tokenizes:
            try:
                tokens = await self._client.tokenize(model, prompt)
            except ClientError:
                self._tokenizes = False
            else:
                return len(tokens)
        return max(1, round(len(prompt.encode()) / self._bytes_per_token.get(model, _BYTES_PER_TOKEN)))

    def _learn(self, ask: Ask, final: Final) -> None:
        if final.input_tokens < _LEARNED_FROM:
            return
        model = str(ask.body["model"])
        found = len(ask.prompt.encode()) / final.input_tokens
        known = self._bytes_per_token.get(model, _BYTES_PER_TOKEN)
        if abs(found - known) > _DRIFT * known:
            self._bytes_per_token[model] = found


def translated(error: ClientError) -> CodeError:
    """An error of the upstream's as one of ours (§1.11)."""
    if isinstance(error, ServerUnreachable):
        return UpstreamFailed(error.text)
    if error.status == 503:
        return Overloaded()
    if error.status == 400 and "context" in error.text:
        return TooLong(error.text)
    return UpstreamFailed(f"the model's endpoint says: {error.text}")


def _line(value: Json) -> Line:
    message = value.get("message")
    text = message.get("content") if isinstance(message, dict) else value.get("response")
    return Line(text if isinstance(text, str) else "", _final(value) if value.get("done") is True else None)


def _final(value: Json) -> Final:
    return Final(
        reason=str(value.get("done_reason", "stop")),
        input_tokens=_number(value, "prompt_eval_count"),
        output_tokens=_number(value, "eval_count"),
        load_ns=_number(value, "load_duration"),
        prompt_ns=_number(value, "prompt_eval_duration"),
        output_ns=_number(value, "eval_duration"),
        cached_tokens=_number(value, "prompt_eval_cached_count"),  # Puna's own
    )


def _number(value: Json, key: str) -> int:
    number = value.get(key)
    return number if isinstance(number, int) and number > 0 else 0
