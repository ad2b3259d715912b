"""Request bodies of OpenAI's routes (contract ollama-http §6.2, §6.3, §6.5), read as leniently as §1.2 says.

Every field of OpenAI's own is honoured or refused by its name. Unknown keys here, so accepted without effect, are those
that no answer depends on: `user`, `store`, `metadata`, `service_tier`, `safety_identifier`, `prompt_cache_…`.
`truncate` is Puna's own: False refuses a prompt that does not fit instead of cutting it. So is `adapters`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from puna.api.schemas import AdapterBody, TopLogprobs, Wire
from puna.engine.options import OPTIONS
from puna.errors import PunaError

MAX_N = 8  # choices of one prompt
MAX_CHOICES = 32  # choices of one request: each takes a place in the queue

_TOKEN_ID = re.compile(r"[0-9]{1,9}")


def _refused(why: str) -> BeforeValidator:
    """A field that cannot be honoured here: given at all, it is a 400 with its name."""

    def refuse(value: object, info: ValidationInfo) -> object:
        raise ValueError(f"{info.field_name} is not supported: {why}")

    return BeforeValidator(refuse)


def _option(name: str) -> AfterValidator:
    """A number within the range of the engine's option `name`."""

    def check(value: float, info: ValidationInfo) -> Any:
        try:
            return OPTIONS[name].read(info.field_name or name, value)
        except PunaError as error:
            raise ValueError(error.message) from None

    return AfterValidator(check)


def _logit_bias(value: object) -> dict[int, object]:
    """Token ids are texts in JSON. The engine checks the biases."""
    if not isinstance(value, dict):
        raise ValueError("logit_bias must be an object of token ids and biases")
    for token in value:
        if not _TOKEN_ID.fullmatch(token):
            raise ValueError(f"logit_bias: {token[:20]!r} is not a token id")
    return {int(token): bias for token, bias in value.items()}


def _only_text(value: list[str]) -> list[str]:
    if other := [modality for modality in value if modality != "text"]:
        raise ValueError(f'modalities: "{other[0]}" is not supported, models answer in text here')
    return value


def _only_medium(value: str) -> str:
    if value != "medium":
        raise ValueError("verbosity is not supported: ask for a short or a long answer in the prompt")
    return value


Choices = Annotated[int, Field(ge=1, le=MAX_N)]
LogitBias = Annotated[dict[int, float], BeforeValidator(_logit_bias, json_schema_input_type=dict[str, float])]
MaxTokens = Annotated[int, _option("num_predict")]
Temperature = Annotated[float, _option("temperature")]
TopP = Annotated[float, _option("top_p")]
Penalty = Annotated[float, _option("presence_penalty")]
Seed = Annotated[int, _option("seed")]


class OpenAIFunctionCall(Wire):
    name: str = ""
    arguments: str = ""


class OpenAIToolCall(Wire):
    id: str = ""
    function: OpenAIFunctionCall = Field(default_factory=OpenAIFunctionCall)


class OpenAIMessage(Wire):
    role: str = ""
    content: Any = None  # a text, or a list of parts
    reasoning: str = ""
    refusal: str = ""
    tool_calls: list[OpenAIToolCall] | None = None
    name: str = ""
    tool_call_id: str = ""
    audio: Annotated[Any, _refused("models answer in text here")] = None
    function_call: Annotated[Any, _refused("send tool_calls")] = None


class OpenAIStreamOptions(Wire):
    include_usage: bool = False


class OpenAIReasoning(Wire):
    effort: str = ""


class OpenAIJsonSchema(Wire):
    """`name`, `description` and `strict` need no answer: a schema is always followed."""

    json_schema: dict[str, Any] | None = Field(default=None, alias="schema")


class OpenAIResponseFormat(Wire):
    type: str = ""
    json_schema: OpenAIJsonSchema = Field(default_factory=OpenAIJsonSchema)


class _Sampled(Wire):
    """What chat and plain completions have in common."""

    model: str = ""
    stream: bool = False
    stream_options: OpenAIStreamOptions = Field(default_factory=OpenAIStreamOptions)
    max_tokens: MaxTokens | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    seed: Seed | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    stop: Any = None  # a text, or a list of texts
    n: Choices = 1
    logit_bias: LogitBias = Field(default_factory=dict)
    truncate: bool = True
    adapters: list[AdapterBody] = Field(default_factory=list)


class OpenAIChatBody(_Sampled):
    messages: list[OpenAIMessage] = Field(default_factory=list)
    max_completion_tokens: MaxTokens | None = None
    response_format: OpenAIResponseFormat = Field(default_factory=OpenAIResponseFormat)
    reasoning_effort: str = ""
    reasoning: OpenAIReasoning = Field(default_factory=OpenAIReasoning)
    tools: list[dict[str, Any]] = Field(default_factory=list)
    tool_choice: Any = None
    parallel_tool_calls: bool = True
    logprobs: bool = False
    top_logprobs: TopLogprobs = 0
    debug_render_only: bool = Field(default=False, alias="_debug_render_only")
    modalities: Annotated[list[str], AfterValidator(_only_text)] = Field(default_factory=list)
    verbosity: Annotated[str, AfterValidator(_only_medium)] = "medium"
    audio: Annotated[Any, _refused("models answer in text here")] = None
    prediction: Annotated[Any, _refused("an answer is not compared with a predicted one here")] = None
    web_search_options: Annotated[Any, _refused("nothing is fetched from the web here; offer a tool that does")] = None
    moderation: Annotated[Any, _refused("nothing is moderated here")] = None
    functions: Annotated[Any, _refused("send tools")] = None
    function_call: Annotated[Any, _refused("send tool_choice")] = None


class OpenAICompletionBody(_Sampled):
    prompt: Any = ""  # a text, or a list of texts
    suffix: str = ""
    echo: bool = False
    best_of: int | None = None
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None


class OpenAIEmbeddingsBody(Wire):
    model: str = ""
    input: Any = None  # a text, or a list of texts
    encoding_format: str = "float"
    dimensions: int = 0
    truncate: bool = True
