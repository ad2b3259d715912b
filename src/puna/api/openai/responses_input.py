"""The input items of `/v1/responses` as messages (contract ollama-http §6.6). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from puna.api.openai.media import image_of
from puna.api.openai.messages import call_arguments
from puna.api.openai.responses_schema import ResponsesItem, ResponsesPart
from puna.api.openai.responses_tools import qualified
from puna.errors import FieldRefused
from puna.prompts.messages import Message, ToolCall

_ROLES = {"developer": "system"}  # the newer name of one role; templates know the old one


def input_messages(instructions: str, items: Sequence[ResponsesItem]) -> list[Message]:
    """`instructions` as the leading system message, then what the items say, in order.

    Raises `FieldRefused` that names the item or the part of it.
    """
    turns = _Turns([Message("system", instructions)] if instructions else [])
    for number, item in enumerate(items):
        turns.add(item, f"input[{number}]")
    turns.close()
    return turns.messages


class _Turns:
    """Items come one by one; several of them can make one message: reasoning, text and calls of the assistant."""

    def __init__(self, messages: list[Message]) -> None:
        self.messages = messages
        self._thinking = ""  # of the assistant's message that is to come
        self._names: dict[str, str] = {}  # call id → the function that was called

    def add(self, item: ResponsesItem, where: str) -> None:
        match item.type or ("message" if item.role else ""):
            case "message":
                self._message(item, where)
            case "reasoning":
                self._thinking += item.encrypted_content or "".join(part.text for part in item.summary)
            case "function_call":
                self._call(item, where)
            case "function_call_output":
                self._output(item, where)
            case "web_search_call":
                pass
            case "":
                raise FieldRefused(f"{where}: input item missing required 'type' field", where)
            case other:
                raise FieldRefused(f'{where}: unknown input item type: "{other[:64]}"', where)

    def close(self) -> None:
        """Reasoning that no text or call followed is a message of its own."""
        if self._thinking:
            self._assistant(Message("assistant"))

    def _message(self, item: ResponsesItem, where: str) -> None:
        role = item.role.lower()
        message = _with_parts(Message(_ROLES.get(role, role)), item.content, f"{where}.content")
        if role == "assistant":
            self._assistant(message)
        else:
            self.close()
            self.messages.append(message)

    def _call(self, item: ResponsesItem, where: str) -> None:
        name = qualified(item.namespace, item.name)
        self._names[item.call_id] = name
        if not self.messages or self.messages[-1].role != "assistant":
            self._assistant(Message("assistant"))
        last = self.messages[-1]
        call = ToolCall(item.call_id, name, call_arguments(item.arguments, f"{where}.arguments"), len(last.tool_calls))
        self.messages[-1] = replace(last, thinking=last.thinking + self._thinking, tool_calls=(*last.tool_calls, call))
        self._thinking = ""

    def _output(self, item: ResponsesItem, where: str) -> None:
        self.close()
        name = qualified(item.namespace, item.name) or self._names.get(item.call_id, "")
        message = Message("tool", tool_name=name, tool_call_id=item.call_id)
        self.messages.append(_with_parts(message, item.output, f"{where}.output"))

    def _assistant(self, message: Message) -> None:
        self.messages.append(replace(message, thinking=self._thinking))
        self._thinking = ""


def _with_parts(message: Message, parts: Sequence[ResponsesPart], where: str) -> Message:
    """Texts joined, images attached."""
    text: list[str] = []
    images: list[bytes] = []
    for number, part in enumerate(parts):
        place = f"{where}[{number}]"
        match part.type:
            case "input_text" | "output_text":
                text.append(part.text)
            case "input_image" if not part.file_id:
                images.append(image_of(part.image_url, f"{place}.image_url"))
            case "input_image" | "input_file":
                raise FieldRefused("file inputs are not currently supported", place)
            case other:
                raise FieldRefused(f'{place}: unknown content type: "{other[:64]}"', place)
    return replace(message, content="".join(text), images=tuple(images))
