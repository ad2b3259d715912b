"""`puna run`: chat with a model, or get one answer (contract ollama-store §6.5)."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack, aclosing
from dataclasses import replace
from typing import Any

from puna.cli.answer import AnswerPrinter, metrics
from puna.cli.commands.pull import NO_MANIFEST, NOT_IN_REGISTRY, pull_model
from puna.cli.connection import server
from puna.cli.media import CAPABILITIES, attach
from puna.cli.options import RunOptions, think_for
from puna.cli.progress import spinner
from puna.cli.terminal import note, width
from puna.client.client import Json, OllamaClient
from puna.client.endpoint import Endpoint
from puna.client.errors import ClientError
from puna.errors import BadRequest, NotFound, PunaError


def run(model: str, words: Sequence[str], options: RunOptions, *, insecure: bool = False) -> int:
    """Interactive when stdin and stdout are terminals and no prompt is given; else one answer, or only a load."""
    piped = "" if sys.stdin.isatty() else sys.stdin.buffer.read().decode(errors="replace")
    prompt = " ".join([piped, *words] if piped else words)
    interactive = sys.stdin.isatty() and sys.stdout.isatty() and not words
    with server() as endpoint:
        info = asyncio.run(_found(endpoint, model, insecure=insecure))
        try:
            asyncio.run(_run(endpoint, model, info, prompt, options, interactive=interactive))
        except KeyboardInterrupt:
            print()  # stopping an answer is no failure
    return 0


async def _found(endpoint: Endpoint, model: str, *, insecure: bool) -> Json:
    """What `show` says about the model, which is pulled first when it is missing. Raises `PunaError`."""
    async with OllamaClient(endpoint) as client:
        try:
            return await client.show(model)
        except ClientError as error:
            if error.status != 404:
                raise
        try:
            await pull_model(client, model, insecure=insecure)
        except ClientError as error:
            raise await _nowhere(client, model, error) from None
        return await client.show(model)


async def _nowhere(client: OllamaClient, model: str, error: ClientError) -> PunaError:
    """The error for a model that is not here and could not be pulled.

    Where the registry did not even begin to send it, the name may be a misspelt one of a model that is here.
    """
    if not (error.text.startswith(NO_MANIFEST) or error.status == 403):
        return error
    text = f"model '{model}' not found" if error.text.startswith(NOT_IN_REGISTRY) else str(error)
    names = ", ".join(str(found.get("name")) for found in await client.tags())
    return NotFound(f"{text}\n" + (f"the models here are: {names}" if names else "no models are here yet"))


async def _run(
    endpoint: Endpoint, model: str, info: Json, prompt: str, options: RunOptions, *, interactive: bool
) -> None:
    async with OllamaClient(endpoint) as client:
        capabilities = info.get("capabilities") or []
        if "image" in capabilities:
            raise BadRequest("image generation models are not currently supported")
        if "rerank" in capabilities and "completion" not in capabilities:
            raise BadRequest(f"{model} sorts documents by a query and does not chat: send them to /api/rerank")
        if "embedding" in capabilities and "completion" not in capabilities:
            await _embed(client, model, prompt, options)
            return
        if interactive:
            from puna.cli.chat.repl import chat

            await chat(client, model, info, options)
        else:
            options = replace(options, think=think_for(options.think, capabilities))
            await _answer(client, model, prompt, options, media=bool(CAPABILITIES.intersection(capabilities)))


async def _answer(client: OllamaClient, model: str, prompt: str, options: RunOptions, *, media: bool) -> None:
    request: dict[str, Any] = {"model": model, "prompt": prompt, **options.request()}
    if media:
        attached = attach(prompt)
        request |= {"prompt": attached.text, "images": attached.files}
        for text in attached.notes:
            note(text)
    printer = AnswerPrinter(sys.stdout, width=width(), wrap=options.wordwrap, hide_thinking=options.hide_thinking)
    final: dict[str, Any] = {}
    with ExitStack() as waiting:
        waiting.enter_context(spinner())
        async with aclosing(client.generate(request)) as lines:
            async for line in lines:
                waiting.close()  # the spinner goes before the first text comes
                printer.feed(line.get("response", ""), line.get("thinking", ""), line.get("tool_calls"))
                final = line
    printer.finish()
    if prompt:
        print("\n")
    if options.verbose:
        sys.stderr.write(metrics(final))


async def _embed(client: OllamaClient, model: str, text: str, options: RunOptions) -> None:
    if not text:
        raise BadRequest(f'embedding models require input text. Usage: puna run {model} "your text here"')
    request: dict[str, Any] = {"model": model, "input": text}
    fields = {"keep_alive": options.keep_alive, "truncate": options.truncate, "dimensions": options.dimensions}
    request |= {name: value for name, value in fields.items() if value is not None}
    answer = await client.embed(request)
    for vector in answer.get("embeddings") or ():
        print(json.dumps(vector, separators=(",", ":")))
