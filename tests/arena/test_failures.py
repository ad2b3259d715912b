"""The reasons that stand in `details` and in failed entries (contract arena G8)."""

from __future__ import annotations

import pytest

from puna.arena.failures import reason, shortened
from puna.client import ClientError, Endpoint, OllamaClient


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("open /root/.ollama/models/blobs/sha256-ab: no such file", "open … no such file"),
        (r"open C:\Users\me\x.gguf failed", "open … failed"),
        ('read "~/models/x": denied', 'read "…": denied'),
        ("could not connect to http://lab:11434/v1: no route", "could not connect to http://lab:11434/v1: no route"),
        ("model 'hf.co/org/Model:Q4' not found", "model 'hf.co/org/Model:Q4' not found"),
        ("wrong header Authorization: Bearer abc.def", "wrong header Authorization: Bearer …"),
        ("two\n  lines\there", "two lines here"),
    ],
)
def test_G8_paths_tokens_and_line_breaks_stay_here(text: str, told: str) -> None:
    assert shortened(text) == told
    assert reason(ClientError(text, status=500)) == told


def test_G8_a_reason_is_short() -> None:
    assert len(shortened("x" * 100_000)) == 300


async def test_G8_a_refused_connection_is_called_that() -> None:
    for host in ("127.0.0.1", "localhost"):
        async with OllamaClient(Endpoint(host=host, port=1)) as client:
            with pytest.raises(ClientError) as caught:
                await client.tags()
        assert reason(caught.value) == "Connection refused"
