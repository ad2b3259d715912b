"""Trying again what may pass (contract meter §2): four attempts, pauses of 1, 2 and 4 seconds."""

from __future__ import annotations

import aiohttp
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential

from puna.client import ClientError

ATTEMPTS = 4
FIRST_PAUSE_S = 1.0
STATUSES = frozenset({429, 500, 502, 503, 504})


class Incomplete(ClientError):
    """The stream ended before the answer did."""

    def __init__(self) -> None:
        super().__init__("Stream ended without completion")


def retrying() -> AsyncRetrying:
    """`async for attempt in retrying(): with attempt: …`; the last attempt's error is raised as it is."""
    return AsyncRetrying(
        retry=retry_if_exception(may_pass),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=FIRST_PAUSE_S),
        reraise=True,
    )


def may_pass(error: BaseException) -> bool:
    """Whether trying again is worth it: a busy or broken server, a lost connection; never a timeout or a refusal."""
    if not isinstance(error, ClientError) or isinstance(error.__cause__, TimeoutError):
        return False
    lost = isinstance(error.__cause__, aiohttp.ClientError)
    return lost or isinstance(error, Incomplete) or error.answered in STATUSES
