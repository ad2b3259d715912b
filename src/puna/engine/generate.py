"""Raw text in, text out: what `/api/generate` means (contract ollama-http §3.5, §4.3 to §4.5).

The prompt is rendered here for every model, Jinja ones too, because `context` needs its tokens. With a `format` there
is no room for a thought: the answer is constrained from its first token (§4.7).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

from puna.engine.answer import Answer, Batches, format_constraint, parsed
from puna.engine.biases import check_tokens
from puna.engine.fitting import fit_tokens, fitted, fitting_messages
from puna.engine.llama import LlamaDriver
from puna.engine.media import check_senses
from puna.engine.requests import GenerateRequest
from puna.engine.scheduler import Lease
from puna.engine.subject import Subject
from puna.engine.types import Completion, SamplingOptions
from puna.errors import BadRequest
from puna.prompts import (
    GoTemplate,
    Message,
    assemble_generate,
    closing_thought,
    output_parser,
    render_messages,
    render_prompt,
    render_suffix,
)


@asynccontextmanager
async def answer_generate(
    lease: Lease, subject: Subject, request: GenerateRequest, sampling: SamplingOptions
) -> AsyncIterator[Answer]:
    """Yields one `Answer`; what follows the yield cleans up. Raises what the engine refuses before the first chunk."""
    check_senses(subject.model.name, lease.runner.props, request.images)
    prompt = _Prompt(lease.driver, subject, request)
    text = await prompt.text()
    if request.render_only:
        yield Answer(lease.load_ns, rendered=text, image_count=len(request.images))
        return
    constraint = format_constraint(request.format)
    ask = Completion(text, sampling, constraint=constraint, n_probs=request.n_probs, media=request.images)

    async def shorten(n_ctx: int) -> tuple[Batches, int]:
        tokens = await lease.driver.tokenize(await prompt.shorter(n_ctx), bos=True)
        fitting = fit_tokens(lease, tokens, n_ctx, sampling.num_keep)
        return lease.driver.complete(replace(ask, prompt=fitting)), len(fitting)

    answer = Answer(lease.load_ns)
    answer.batches = fitted(lease.driver.complete(ask), shorten if request.truncate else None, answer)
    if not request.raw:
        parser = output_parser(subject.choice, text, subject.thinks(request), tools=False)
        answer.batches = parsed(_with_context(lease.driver, text, answer.batches, answer), parser)
    async with aclosing(answer.batches):
        yield answer


class _Prompt:
    """The text of one request, and how to make it again from fewer messages."""

    def __init__(self, driver: LlamaDriver, subject: Subject, request: GenerateRequest) -> None:
        self._driver = driver
        self._subject = subject
        self._request = request
        self._constrained = request.format not in (None, "")
        self._think = subject.thinks(request)
        if self._constrained and self._think:
            self._think = False
        self._before = ""  # the text of `context`
        self._messages: Sequence[Message] = ()

    async def text(self) -> str:
        return self._request.prompt if self._request.raw else self._closed(await self._whole())

    async def _whole(self) -> str:
        request = self._request
        if request.context:
            check_tokens(request.context, (await self._driver.props()).n_vocab, "context")
            self._before = await self._driver.detokenize(request.context)
        template = self._override() if request.template else self._subject.choice.go
        if request.suffix and template is not None:
            return self._before + render_suffix(template, request.prompt, request.suffix, self._think)
        if request.template and template is not None:
            system = request.system or self._subject.model.system
            return self._before + render_prompt(template, system, request.prompt, self._think)
        self._messages = assemble_generate(
            self._subject.model,
            system=request.system,
            prompt=request.prompt,
            images=request.images,
            with_presets=request.context is None,
        )
        return await self._render(self._messages)

    async def shorter(self, n_ctx: int) -> str:
        if not self._messages:
            return await self.text()
        fewer = await fitting_messages(self._driver, self._messages, self._render, n_ctx)
        return self._closed(await self._render(fewer))

    def _closed(self, text: str) -> str:
        return text + closing_thought(self._subject.choice, text) if self._constrained else text

    async def _render(self, messages: Sequence[Message]) -> str:
        choice = self._subject.choice
        if choice.go is not None:
            return self._before + render_messages(choice.go, messages, (), self._think)
        if choice.kind == "jinja":
            return self._before + await self._driver.apply_template(messages, (), self._think)
        return self._before + "".join(message.content for message in messages if message.role == "user")

    def _override(self) -> GoTemplate:
        try:
            return GoTemplate.parse(self._request.template)
        except BadRequest as error:
            raise BadRequest(error.message, status=500) from None  # the reference's status for an override


async def _with_context(driver: LlamaDriver, prompt: str, batches: Batches, answer: Answer) -> Batches:
    """Gather the tokens of prompt and answer for the final object (§4.4). The prompt is tokenized while chunks come."""
    produced: list[int] = []
    text: list[str] = []
    tokenized: asyncio.Task[list[int]] | None = None
    try:
        async with aclosing(batches):
            async for batch in batches:
                tokenized = tokenized or asyncio.create_task(driver.tokenize(prompt))
                for chunk in batch:
                    produced.extend(chunk.tokens)
                    text.append(chunk.text)
                if (final := batch[-1].final) is not None:
                    if len(produced) != final.output_tokens:  # a character of several tokens comes with the last only
                        produced = await driver.tokenize("".join(text))
                    answer.context = [*(await tokenized), *produced]
                yield batch
    finally:
        if tokenized is not None:
            tokenized.cancel()
