"""Messages into the text that a model with a Go template sees (contract ollama-store §5.2 to §5.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from puna.prompts.gotemplate import GoTemplate, Value
from puna.prompts.messages import Message, Tool
from puna.prompts.templatedata import Think, messages_data, think_data, tools_data


def render_messages(
    template: GoTemplate, messages: Sequence[Message], tools: Sequence[Tool] = (), think: Think = None
) -> str:
    """The prompt for a conversation: once over all messages, or turn by turn for templates that know none.

    Images get their tags here, numbered over `messages`. Raises `BadRequest` when the template fails.
    """
    system, turns = collate(tag_images(messages))
    known = think_data(think)
    if template.mentions("messages"):
        data = {"System": system, "Messages": messages_data(turns), "Tools": tools_data(tools), "Response": ""}
        return template.execute({**data, **known})
    return _render_turns(template, turns, known)


def render_prompt(template: GoTemplate, system: str, prompt: str, think: Think = None) -> str:
    """The prompt of a generate request that brings its own template (ollama-http §4.4)."""
    head = (Message("system", system),) if system else ()
    return render_messages(template, (*head, Message("user", prompt)), (), think)


def render_suffix(template: GoTemplate, prompt: str, suffix: str, think: Think = None) -> str:
    """Fill in the middle: the template sees the two texts and no system text, messages or tools."""
    return template.execute({"Prompt": prompt, "Suffix": suffix, "Response": "", **think_data(think)})


def collate(messages: Sequence[Message]) -> tuple[str, tuple[Message, ...]]:
    """All system texts joined, and the messages with neighbours of one role merged (§5.3).

    Tool results stay apart. What a merged message has besides its text is lost, as in the reference.
    """
    turns: list[Message] = []
    for message in messages:
        if turns and turns[-1].role == message.role != "tool":
            turns[-1] = replace(turns[-1], content=f"{turns[-1].content}\n\n{message.content}")
        else:
            turns.append(message)
    system = "\n\n".join(message.content for message in messages if message.role == "system")
    return system, tuple(turns)


def tag_images(messages: Sequence[Message]) -> tuple[Message, ...]:
    """`[img-<n>]` for every image, in the place of a literal `[img]` or in front of the text (§5.5)."""
    numbers = count()
    return tuple(_tagged(message, numbers) if message.images else message for message in messages)


def _tagged(message: Message, numbers: count[int]) -> Message:
    content, front = message.content, ""
    for _ in message.images:
        tag = f"[img-{next(numbers)}]"
        if "[img]" in content:
            content = content.replace("[img]", tag, 1)
        else:
            front += tag
    return replace(message, content=front + content)


@dataclass(slots=True)
class _Turn:
    """What the turn-by-turn path has gathered for the next run of the template."""

    system: str = ""
    prompt: str = ""
    response: str = ""
    known: dict[str, Value] = field(default_factory=dict)

    def data(self) -> dict[str, Value]:
        return {"System": self.system, "Prompt": self.prompt, "Response": self.response, **self.known}


def _render_turns(template: GoTemplate, messages: Sequence[Message], known: dict[str, Value]) -> str:
    """The template once per exchange; the last run ends with the response, so that an answer can follow (§5.4)."""
    parts: list[str] = []
    turn = _Turn(known=known)

    def flush() -> _Turn:
        parts.append(template.execute(turn.data()))
        return _Turn(known=known)

    for message in messages:
        match message.role:
            case "system":
                turn = flush() if turn.prompt or turn.response else turn
                turn.system = message.content
            case "user":
                turn = flush() if turn.response else turn
                turn.prompt = message.content
            case "assistant":
                turn.response = message.content
    parts.append(template.execute_until_response(turn.data()))
    return "".join(parts)
