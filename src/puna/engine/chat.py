"""Messages in, one message out: what `/api/chat` means (contract ollama-http §3.6, §4.3, §4.5).

A Go template is rendered and its answer parsed here; a Jinja template is the engine's, which also parses reasoning and
tool calls.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

from puna.engine.answer import Answer, Batches, grammar_schema, parsed
from puna.engine.fitting import fit_tokens, fitted, fitting_messages
from puna.engine.requests import ChatRequest
from puna.engine.scheduler import Lease
from puna.engine.subject import Subject
from puna.engine.types import ChatCompletion, Completion, SamplingOptions
from puna.prompts import Message, assemble_chat, normalise_tools, output_parser, render_messages


@asynccontextmanager
async def answer_chat(
    lease: Lease, subject: Subject, request: ChatRequest, sampling: SamplingOptions
) -> AsyncIterator[Answer]:
    """Yields one `Answer`; what follows the yield cleans up. Raises what the engine refuses before the first chunk."""
    tools = normalise_tools(request.tools)
    messages = assemble_chat(subject.model, request.messages)
    think = subject.thinks(request)
    go = subject.choice.go

    async def render(some: Sequence[Message]) -> str:
        if go is not None:
            return render_messages(go, some, tools, think)
        return await lease.driver.apply_template(some, tools, think)

    if request.render_only:
        images = sum(len(message.images) for message in messages)
        yield Answer(lease.load_ns, rendered=await render(messages), image_count=images)
        return

    schema = grammar_schema(request.format)
    raw = Completion("", sampling, grammar_schema=schema, n_probs=request.n_probs)
    chat = ChatCompletion(messages, sampling, tools, think, schema, request.n_probs)

    def continued(text: str, prompt: str | Sequence[int], media: tuple[bytes, ...] = ()) -> Batches:
        """The answer to the rendered `text`, taken apart here. `prompt` is what of it goes to the engine."""
        names = [tool["function"]["name"] for tool in tools]
        parser = output_parser(subject.choice, text, think, tools=bool(tools), tool_names=names)
        return parsed(lease.driver.complete(replace(raw, prompt=prompt, media=media)), parser)

    async def shorten(n_ctx: int) -> Batches:
        fewer = await fitting_messages(lease.driver, messages, render, n_ctx)
        text, media = await render(fewer), _media(fewer)
        whole = replace(chat, messages=fewer)
        if media:  # what the engine still finds too long, it refuses (§4.5): images cannot be cut
            return lease.driver.chat(whole) if go is None else continued(text, text, media)
        tokens = await lease.driver.tokenize(text, bos=True)
        if go is None and len(tokens) < n_ctx:
            return lease.driver.chat(whole)
        return continued(text, fit_tokens(lease, tokens, n_ctx, sampling.num_keep))

    if go is None:
        first = lease.driver.chat(chat)
    else:
        text = await render(messages)
        first = continued(text, text, _media(messages))
    batches = fitted(first, shorten if request.truncate else None)
    async with aclosing(batches):
        yield Answer(lease.load_ns, batches)


def _media(messages: Sequence[Message]) -> tuple[bytes, ...]:
    return tuple(image for message in messages for image in message.images)
