"""A thought that runs free before an answer that is held to a schema (contract ollama-http §4.7).

The engine constrains a whole answer or nothing, so it is asked twice: for the thought, up to its closing tag, and then
for the answer, with the thought in the prompt. One stream comes out, as if the model had written all of it at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

from puna.engine.answer import Batches
from puna.engine.llama import LlamaDriver
from puna.engine.types import Chunk, Completion, Final

_AFTER = "\n\n"


async def thought_first(driver: LlamaDriver, ask: Completion, tags: tuple[str, str], *, inside: bool) -> Batches:
    """The answer to `ask`, which has a constraint, behind a thought between `tags`.

    `inside`: the prompt has opened the thought. Where it has not, the model is free not to think. Counters are those of
    both parts. Raises `BadRequest` for a constraint that cannot be followed before anything is said.
    """
    if ask.constraint is not None:
        await driver.prove(ask.constraint)
    opening, closing = tags
    said, final = "", None
    held: list[Chunk] = []  # until it is clear that this is a thought
    free = replace(ask, constraint=None, sampling=replace(ask.sampling, stop=(closing,)))
    async with aclosing(driver.complete(free)) as thinking:
        async for batch in thinking:
            said += "".join(chunk.text for chunk in batch)
            final = batch[-1].final
            held += [replace(chunk, final=None) for chunk in batch]
            inside = inside or said.lstrip().startswith(opening)
            if inside:
                yield held
                held = []
            elif not opening.startswith(said.lstrip()):
                break
    if not inside:
        said, final = "", None
    elif final is not None:
        left = ask.sampling.num_predict - final.output_tokens
        if final.reason == "length" or left <= 0 <= ask.sampling.num_predict:
            yield [Chunk(final=replace(final, reason="length"))]
            return
        ask = replace(ask, sampling=replace(ask.sampling, num_predict=left if left > 0 else -1))
        said += closing + _AFTER
        yield [Chunk(text=closing + _AFTER)]
    async with aclosing(driver.complete(replace(ask, prompt=await _behind(driver, ask.prompt, said)))) as answering:
        async for batch in answering:
            yield [_with_counters(chunk, final) for chunk in batch]


async def _behind(driver: LlamaDriver, prompt: str | Sequence[int], said: str) -> str | Sequence[int]:
    if isinstance(prompt, str):
        return prompt + said
    return [*prompt, *(await driver.tokenize(said))] if said else prompt


def _with_counters(chunk: Chunk, thought: Final | None) -> Chunk:
    """The counters of both parts on the last chunk: what was prompted before the thought, all that was said after."""
    if chunk.final is None or thought is None:
        return chunk
    both = replace(
        chunk.final,
        prompt_tokens=thought.prompt_tokens,
        cached_tokens=thought.cached_tokens,
        prompt_ns=thought.prompt_ns + chunk.final.prompt_ns,
        output_tokens=thought.output_tokens + chunk.final.output_tokens,
        output_ns=thought.output_ns + chunk.final.output_ns,
    )
    return replace(chunk, final=both)
