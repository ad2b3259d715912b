"""Trying again what may pass: pauses that double, and an end to it (contract ollama-store §3.3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from tenacity import AsyncRetrying, RetryError, retry_if_exception_type, stop_after_attempt, wait_exponential

from puna.errors import Interrupted, RegistryError
from puna.registry.patience import Patience

P = ParamSpec("P")
T = TypeVar("T")


async def tried(patience: Patience, work: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """`work(…)`, again after each `Interrupted`. Raises `RegistryError` with the last one's text in the end."""
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(Interrupted),
        stop=stop_after_attempt(patience.tries),
        wait=wait_exponential(multiplier=patience.first_pause_s, max=patience.longest_pause_s),
    )
    try:
        return await retrying(work, *args, **kwargs)
    except RetryError as error:
        raise RegistryError(f"max retries exceeded: {error.last_attempt.exception()}") from None
