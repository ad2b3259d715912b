"""How fast pulls may go: one limit for all of them together (setting `PUNA_PULL_RATE`)."""

from __future__ import annotations

from aiolimiter import AsyncLimiter


class Pace:
    """Bytes per second; 0 = no limit."""

    def __init__(self, rate: int = 0) -> None:
        self._rate = rate
        self._limiter = AsyncLimiter(rate, 1) if rate else None

    async def spend(self, size: int) -> None:
        """Wait until `size` more bytes are within the limit. What is not read meanwhile slows its sender down."""
        if self._limiter is None:
            return
        while size > 0:
            step = min(size, self._rate)
            await self._limiter.acquire(step)
            size -= step
