"""Messages in, one message out: what `/api/chat` means (contract ollama-http §3.6, §4.3, §4.5).

A Go template is rendered and its answer parsed here; a Jinja template is the engine's, which also parses reasoning and
tool calls. What is held to a schema, a forced call or a `format`, is always rendered first and continued as raw text:
one compiler for every schema, and only that route writes no blanks where none are needed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

from puna.engine.answer import Answer, Batches, format_constraint, parsed
from puna.engine.calls import ForcedCall, as_call, first_call_only
from puna.engine.fitting import fit_tokens, fitted, fitting_messages, prompt_length
from puna.engine.media import check_senses
from puna.engine.requests import ChatRequest
from puna.engine.scheduler import Lease
from puna.engine.subject import Subject
from puna.engine.thought import thought_first
from puna.engine.types import ChatCompletion, Completion, SamplingOptions
from puna.prompts import (
    Message,
    assemble_chat,
    closing_thought,
    normalise_tools,
    output_parser,
    render_messages,
    thinking_tags,
    told_of_tools,
)


@asynccontextmanager
async def answer_chat(
    lease: Lease, subject: Subject, request: ChatRequest, sampling: SamplingOptions
) -> AsyncIterator[Answer]:
    """Yields one `Answer`; what follows the yield cleans up. Raises what the engine refuses before the first chunk."""
    conversation = _Conversation(lease, subject, request, sampling)
    check_senses(subject.model.name, lease.runner.props, _media(conversation.messages))
    if request.render_only:
        images = len(_media(conversation.messages))
        yield Answer(lease.load_ns, rendered=await conversation.render(conversation.messages), image_count=images)
        return
    answer = Answer(lease.load_ns)
    first = await conversation.answered()
    batches = fitted(first, conversation.shortened if request.truncate else None, answer)
    if conversation.forced is not None:
        batches = as_call(batches, conversation.forced)
    elif not request.parallel_tool_calls:
        batches = first_call_only(batches)
    answer.batches = batches
    async with aclosing(batches):
        yield answer


class _Conversation:
    """One request: how its messages become a prompt, and the answer to that."""

    def __init__(self, lease: Lease, subject: Subject, request: ChatRequest, sampling: SamplingOptions) -> None:
        self._lease = lease
        self._driver = lease.driver
        self._choice = subject.choice
        self._go = subject.choice.go
        self._tools = normalise_tools(request.tools)
        self._think = subject.thinks(request)
        self.messages: Sequence[Message] = assemble_chat(subject.model, request.messages)
        self.forced = ForcedCall.of(request.tools, self._tools, request.must_call)
        constraint = format_constraint(request.format)
        if self.forced is not None:
            constraint = (
                self.forced.constraint
            )  # a call says nothing that `format` could be about, nor may `stop` cut it
            sampling = replace(sampling, stop=())
            self._prepare(self.forced)
        self._raw = Completion("", sampling, constraint=constraint, n_probs=request.n_probs)
        self._thought = thinking_tags(self._choice) if constraint and self._think else None  # it comes first (§4.7)
        self._chat = ChatCompletion(self.messages, sampling, self._tools, self._think, request.n_probs)

    def _prepare(self, forced: ForcedCall) -> None:
        """The call is constrained from its first token, so there is no room for a thought."""
        self._think = False if self._think else self._think
        go = self._go
        if not (self._lease.runner.props.supports_tools if go is None else go.mentions("tools")):
            shows_system = go is None or go.mentions("messages") or go.mentions("system")
            self.messages = told_of_tools(self.messages, forced.tools, system=shows_system)
            self._tools = ()

    async def render(self, messages: Sequence[Message]) -> str:
        if self._go is not None:
            text = render_messages(self._go, messages, self._tools, self._think)
        else:
            text = await self._driver.apply_template(messages, self._tools, self._think)
        if self._raw.constraint is None or self._thought is not None:
            return text
        return text + closing_thought(self._choice, text)

    async def answered(self) -> Batches:
        if self._templated:
            return self._driver.chat(self._chat)
        if self.forced is not None:
            await self.forced.prove(self._driver)
        text = await self.render(self.messages)
        return self._continued(text, text, _media(self.messages))

    async def shortened(self, n_ctx: int) -> tuple[Batches, int]:
        """The answer to as many of the newest messages as fit, and the tokens of their prompt."""
        fewer = await fitting_messages(self._driver, self.messages, self.render, n_ctx)
        text, media = await self.render(fewer), _media(fewer)
        tokens = await self._driver.tokenize(text, bos=True)
        # What the engine still finds too long, it refuses where there are images (§4.5): they cannot be cut.
        if self._templated and (media or len(tokens) < n_ctx):
            return self._driver.chat(replace(self._chat, messages=fewer)), prompt_length(tokens, len(media))
        if media:
            return self._continued(text, text, media), prompt_length(tokens, len(media))
        cut = fit_tokens(self._lease, tokens, n_ctx, self._raw.sampling.num_keep)
        return self._continued(text, cut), len(cut)

    @property
    def _templated(self) -> bool:
        """The engine renders the messages and parses the answer itself."""
        return self._go is None and self._raw.constraint is None

    def _continued(self, text: str, prompt: str | Sequence[int], media: tuple[bytes, ...] = ()) -> Batches:
        """The answer to the rendered `text`, taken apart here. `prompt` is what of it goes to the engine."""
        ask = replace(self._raw, prompt=prompt, media=media)
        batches = self._driver.complete(ask)
        if self._thought is not None:
            inside = text.rstrip().endswith(self._thought[0])
            batches = thought_first(self._driver, ask, self._thought, inside=inside)
        if self.forced is not None:
            return batches
        names = [tool["function"]["name"] for tool in self._tools]
        parser = output_parser(self._choice, text, self._think, tools=bool(self._tools), tool_names=names)
        return parsed(batches, parser)


def _media(messages: Sequence[Message]) -> tuple[bytes, ...]:
    return tuple(image for message in messages for image in message.images)
