"""Making a prompt fit the context: oldest messages first, then tokens from the middle (contract ollama-http §4.5).

Nothing is counted until the engine says that a prompt is too long, so the common request pays nothing for this.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing

from puna.engine.answer import Answer, Batches
from puna.engine.llama import ContextExceeded, LlamaDriver
from puna.engine.scheduler import Lease
from puna.errors import BadRequest
from puna.prompts import Message, cut_prompt, droppable, without

Render = Callable[[Sequence[Message]], Awaitable[str]]
Shorten = Callable[[int], Awaitable[tuple[Batches, int]]]
"""The context in tokens → the answer to the request, made to fit it, and the tokens that its prompt has now."""

_TOKENS_PER_IMAGE = 768  # the reference's estimate

_TOO_LONG = (
    "the prompt is longer than the context length currently available to the model; shorten the prompt, "
    "adjust the context length in settings, or use a model with a longer context length"
)


async def fitted(batches: Batches, shorten: Shorten | None, answer: Answer) -> Batches:
    """`batches`, or those of the shorter form when the request is too long. Raises what the engine refuses.

    What was left out is in `answer` when the first batch is handed out.
    """
    try:
        stream = await _started(batches)
    except ContextExceeded as error:
        if shorten is None:
            raise
        shorter, n_prompt_tokens = await shorten(error.n_ctx)
        stream = await _started(shorter)
        answer.dropped_tokens = max(error.n_prompt_tokens - n_prompt_tokens, 0)
    async with aclosing(stream):
        async for batch in stream:
            yield batch


async def _started(stream: Batches) -> Batches:
    """`stream` with its first batch already here: what the engine refuses outright is raised now."""
    first = await anext(stream, None)

    async def whole() -> Batches:
        async with aclosing(stream):
            if first is not None:
                yield first
            async for batch in stream:
                yield batch

    return whole()


async def fitting_messages(
    driver: LlamaDriver, messages: Sequence[Message], render: Render, n_ctx: int
) -> Sequence[Message]:
    """The longest tail of `messages` that renders to at most `n_ctx` tokens; systems and the last one always stay.

    A binary search over how many to drop: counting costs two calls each, and fewer messages are never longer.
    """
    low, high = 1, droppable(messages)
    while low < high:
        middle = (low + high) // 2
        fewer = without(messages, middle)
        tokens = await driver.tokenize(await render(fewer))
        length = prompt_length(tokens, sum(len(message.images) for message in fewer))
        low, high = (low, middle) if length < n_ctx else (middle + 1, high)
    return without(messages, high)


def prompt_length(tokens: Sequence[int], images: int) -> int:
    """Tokens of a prompt with images, which count as an estimate each."""
    return len(tokens) + _TOKENS_PER_IMAGE * images


def fit_tokens(lease: Lease, tokens: list[int], n_ctx: int, num_keep: int) -> list[int]:
    """`tokens`, cut in the middle when there are too many. Raises `BadRequest` where shifting is off.

    A token that the tokenizer puts in front is kept besides the `num_keep` (§4.1).
    """
    if len(tokens) < n_ctx:
        return tokens
    if not lease.load.shift:
        raise BadRequest(_TOO_LONG)
    return cut_prompt(tokens, n_ctx, num_keep + lease.runner.props.adds_bos if num_keep >= 0 else num_keep)
