"""How the bench reads a stream: its first text and its count of tokens, in the server's events and in the runner's."""

from __future__ import annotations

import pytest
from bench.dialects import ANTHROPIC, NATIVE, OPENAI, Dialect

ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
WORD = b'data: {"choices":[{"index":0,"delta":{"content":" sky"}}]}\n\n'
BLOCK = b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
DELTA = b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" sky"}}\n\n'
START = b'data: {"type":"message_start","message":{"usage":{"input_tokens":3,"output_tokens":0}}}\n\n'


@pytest.mark.parametrize(
    ("dialect", "before", "first", "end"),
    [
        (
            NATIVE,
            b'{"message":{"content":""},"done":false}\n',
            b'{"message":{"content":" sky"}}\n',
            b'{"eval_count":7}',
        ),
        (NATIVE, ROLE, WORD, b'data: {"choices":[],"timings":{"predicted_n":7}}\n\ndata: [DONE]\n\n'),
        (OPENAI, ROLE, WORD, b'data: {"choices":[],"usage":{"completion_tokens":7,"total_tokens":9}}\n\n'),
        (OPENAI, ROLE, WORD, b'data: {"choices":[],"timings":{"predicted_n":7}}\n\ndata: [DONE]\n\n'),
        (ANTHROPIC, START + BLOCK, DELTA, b'data: {"type":"message_delta","usage":{"output_tokens":7}}\n\n'),
    ],
)
def test_the_first_text_and_the_tokens_are_found(dialect: Dialect, before: bytes, first: bytes, end: bytes) -> None:
    assert dialect.text.search(before) is None
    assert dialect.text.search(first)
    assert dialect.count.findall(before + first + end)[-1] == b"7"
