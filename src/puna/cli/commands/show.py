"""`puna show`: what a model is made of (contract ollama-store §6.2, §6.4)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from puna.cli.connection import reached
from puna.cli.summary import summary
from puna.cli.terminal import shown
from puna.client.client import OllamaClient
from puna.client.endpoint import Endpoint
from puna.errors import BadRequest

SELECTORS = ("license", "modelfile", "parameters", "system", "template")
_BARE = ("system", "template")  # printed without a newline of their own, so that they can be compared byte by byte


def show(model: str, selectors: list[str], *, verbose: bool) -> int:
    """Print the summary, or one of `SELECTORS`."""
    if len(selectors) > 1:
        names = ", ".join(f"'--{name}'" for name in SELECTORS[:-1])
        raise BadRequest(f"only one of {names}, or '--{SELECTORS[-1]}' can be specified")
    answer = asyncio.run(_ask(reached(), model, verbose))
    if not selectors:
        text = summary(answer, verbose=verbose)
    else:
        text = str(answer.get(selectors[0]) or "") + ("" if selectors[0] in _BARE else "\n")
    sys.stdout.write(shown(text, sys.stdout))
    return 0


async def _ask(endpoint: Endpoint, model: str, verbose: bool) -> Mapping[str, Any]:
    async with OllamaClient(endpoint) as client:
        return await client.show(model, verbose=verbose)
