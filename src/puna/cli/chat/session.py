"""What an interactive session knows, as one frozen value: every command makes a new one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from puna.cli.media import CAPABILITIES
from puna.cli.options import RunOptions, think_for

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Session:
    """One conversation with one model."""

    model: str
    options: RunOptions
    parent: str = ""  # the model that this one was made from, if it is known
    capabilities: frozenset[str] = frozenset()
    presets: tuple[Message, ...] = ()  # the model's own messages: shown at the start, sent by the server
    messages: tuple[Message, ...] = ()
    system: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    history: bool = True  # whether typed lines are remembered

    @property
    def sees_media(self) -> bool:
        return bool(CAPABILITIES & self.capabilities)

    @property
    def thinks(self) -> bool:
        return "thinking" in self.capabilities

    def with_model(self, model: str, info: Mapping[str, Any]) -> Session:
        """The session at the start of a conversation with another model; what was set stays set."""
        capabilities = info.get("capabilities") or []
        return replace(
            self,
            model=model,
            parent=str((info.get("details") or {}).get("parent_model") or ""),
            capabilities=frozenset(capabilities),
            presets=tuple(info.get("messages") or ()),
            messages=(),
        )

    def with_system(self, text: str) -> Session:
        """A system message from here on; one that directly precedes is replaced."""
        messages = self.messages
        if messages and messages[-1]["role"] == "system":
            messages = messages[:-1]
        return replace(self, system=text, messages=(*messages, {"role": "system", "content": text}))

    def with_parameters(self, values: Mapping[str, Any]) -> Session:
        return replace(self, parameters={**self.parameters, **values})

    def with_options(self, **changes: Any) -> Session:
        return replace(self, options=replace(self.options, **changes))

    def with_message(self, role: str, content: str, **more: Any) -> Session:
        """One more message; fields without a value are left out."""
        extra = {name: value for name, value in more.items() if value}
        return replace(self, messages=(*self.messages, {"role": role, "content": content, **extra}))

    def cleared(self) -> Session:
        """The conversation from its beginning; the session's system message stays."""
        system = ({"role": "system", "content": self.system},) if self.system else ()
        return replace(self, messages=system)

    def load_request(self) -> dict[str, Any]:
        """The body of `POST /api/generate` that brings the model into memory."""
        options = replace(self.options, think=think_for(self.options.think, self.capabilities), output_format=None)
        return {"model": self.model, **options.request()}

    def chat_request(self) -> dict[str, Any]:
        """The body of `POST /api/chat` for the next answer."""
        options = replace(self.options, think=think_for(self.options.think, self.capabilities))
        request = {"model": self.model, "messages": list(self.messages), **options.request()}
        return request | ({"options": dict(self.parameters)} if self.parameters else {})

    def create_request(self, target: str) -> dict[str, Any]:
        """The body of `POST /api/create` that stores this session as a model."""
        fields = {
            "system": self.system,
            "parameters": dict(self.parameters),
            "messages": [*self.presets, *self.messages],
        }
        base = {"model": target, "from": self.parent or self.model}
        return base | {name: value for name, value in fields.items() if value}
