"""Request bodies of the native routes, as the reference reads them (contract ollama-http §1.2, §3).

What all bodies have in common is said in `puna.api.schemas`.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from puna.api.schemas import AdapterBody, TopLogprobs, Wire
from puna.units import parse_keep_alive_ns

THINK_LEVELS = ("high", "medium", "low", "max")


def _decode_image(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError("images must be base64 strings")
    text = value.replace("\r", "").replace("\n", "")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        alphabet = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
        position = next((index for index, char in enumerate(text) if char not in alphabet), len(text))
        raise ValueError(f"illegal base64 data at input byte {position}") from None


def _check_think(value: object) -> object:
    choices = '"high", "medium", "low", "max", true, or false'
    if isinstance(value, bool) or value in THINK_LEVELS:
        return value
    if isinstance(value, str):
        raise ValueError(f'invalid think value: "{value}" (must be {choices})')
    raise ValueError(f"think must be a boolean or string ({choices})")


def _keep_alive(value: object) -> int | None:
    return parse_keep_alive_ns(value)


Image = Annotated[bytes, BeforeValidator(_decode_image, json_schema_input_type=str)]
KeepAlive = Annotated[int | None, BeforeValidator(_keep_alive, json_schema_input_type=str | float)]
Think = Annotated[bool | str | None, BeforeValidator(_check_think, json_schema_input_type=bool | str)]


class _Inference(Wire):
    model: str = ""
    stream: bool = True
    format: Any = None
    keep_alive: KeepAlive = None
    options: dict[str, Any] = Field(default_factory=dict)
    think: Think = None
    truncate: bool = True
    shift: bool | None = None
    logprobs: bool = False
    top_logprobs: TopLogprobs = 0
    adapters: list[AdapterBody] = Field(default_factory=list)
    debug_render_only: bool = Field(default=False, alias="_debug_render_only")

    @property
    def keep_alive_is_zero(self) -> bool:
        return self.keep_alive == 0

    def common(self) -> dict[str, Any]:
        """The fields of `engine.requests.InferenceRequest`."""
        return {
            "options": self.options,
            "keep_alive_ns": self.keep_alive,
            "format": self.format,
            "think": self.think,
            "truncate": self.truncate,
            "shift": self.shift,
            "n_probs": self.top_logprobs if self.logprobs else -1,
            "render_only": self.debug_render_only,
        }


class GenerateBody(_Inference):
    prompt: str = ""
    suffix: str = ""
    system: str = ""
    template: str = ""
    context: list[int] | None = None
    raw: bool = False
    images: list[Image] = Field(default_factory=list)


class ToolFunction(Wire):
    name: str = ""
    arguments: dict[str, Any] = Field(default_factory=dict)
    index: int = 0


class ToolCallBody(Wire):
    id: str = ""
    function: ToolFunction = Field(default_factory=ToolFunction)


class MessageBody(Wire):
    role: str = ""
    content: str = ""
    thinking: str = ""
    images: list[Image] = Field(default_factory=list)
    tool_calls: list[ToolCallBody] = Field(default_factory=list)
    tool_name: str = ""
    tool_call_id: str = ""


class ChatBody(_Inference):
    messages: list[MessageBody] = Field(default_factory=list)
    tools: list[dict[str, Any]] = Field(default_factory=list)


class EmbedBody(Wire):
    model: str = ""
    input: Any = None
    truncate: bool = True
    dimensions: int = 0
    keep_alive: KeepAlive = None
    options: dict[str, Any] = Field(default_factory=dict)


class EmbeddingsBody(Wire):
    model: str = ""
    prompt: str = ""
    keep_alive: KeepAlive = None
    options: dict[str, Any] = Field(default_factory=dict)


class TokenizeBody(Wire):
    """Puna's own."""

    model: str = ""
    content: str = ""


class DetokenizeBody(Wire):
    """Puna's own. An id that no vocabulary can have is refused here, one that this model has not by the engine."""

    model: str = ""
    tokens: list[Annotated[int, Field(ge=0, lt=1 << 31)]] = Field(default_factory=list)


class NamedBody(Wire):
    """`model`, or its old alias `name`; `model` wins."""

    model: str = ""
    name: str = ""

    @property
    def target(self) -> str:
        return self.model or self.name


class ShowBody(NamedBody):
    verbose: bool = False
    system: str = ""
    template: str = ""
    options: dict[str, Any] = Field(default_factory=dict)


class CopyBody(Wire):
    source: str = ""
    destination: str = ""


class DeleteBody(NamedBody):
    pass


class TransferBody(NamedBody):
    """A pull or a push. `username` and `password` of old clients are ignored like any unknown key (§3.13)."""

    insecure: bool = False
    stream: bool = True


class VerifyBody(NamedBody):
    """Puna's own; no name means every model."""

    repair: bool = False
    insecure: bool = False
    stream: bool = True


class OutdatedBody(Wire):
    """Puna's own; no list means every model that was pulled."""

    models: list[str] | None = None


class CreateBody(NamedBody):
    stream: bool = True
    from_: str = Field(default="", alias="from")
    files: dict[str, str] = Field(default_factory=dict)
    adapters: dict[str, str] = Field(default_factory=dict)
    draft_files: dict[str, str] = Field(default_factory=dict)
    draft_quantize: str = ""
    template: str = ""
    system: str = ""
    license: str | list[str] = Field(default_factory=list)
    parameters: dict[str, Any] = Field(default_factory=dict)
    messages: list[dict[str, Any]] = Field(default_factory=list)
    quantize: str = ""
    quantization: str = ""
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    remote_host: str = ""
    info: dict[str, Any] = Field(default_factory=dict)
    path: str = ""  # seed 002: a Modelfile on the server's disk
    modelfile: str = ""  # the text of a Modelfile
