"""Bodies with `Content-Encoding: zstd` (contract ollama-http §8.5)."""

from __future__ import annotations

import json
import sys
import tracemalloc
from typing import Any

import pytest

from puna.errors import BadRequest
from puna.serving.zstd import MAX_TEXT, unpacked
from tests.servers import Answer, Server

if sys.version_info >= (3, 14):
    from compression.zstd import CompressionParameter, compress
else:
    from backports.zstd import CompressionParameter, compress

HI = {"model": "M", "input": "hi", "max_output_tokens": 2}


def send(server: Server, body: bytes, encoding: str = "zstd") -> Answer:
    return server.request("POST", "/v1/responses", body, headers={"Content-Encoding": encoding})


@pytest.mark.parametrize("encoding", ["zstd", "ZSTD"])
def test_a_compressed_body_is_read(server: Server, encoding: str) -> None:
    answer = send(server, compress(json.dumps(HI).encode()), encoding)
    assert (answer.status, answer.json["status"]) == (200, "completed")
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("body", [b"no frame", b"\x28\xb5\x2f\xfd", compress(b"{}" * 99)[:-3], compress(b"{}") * 2])
def test_a_bad_frame_is_a_400(server: Server, body: bytes) -> None:
    answer = send(server, body)
    assert (answer.status, "zstd" in answer.json["error"]["message"]) == (400, True)


def test_T14_a_small_body_of_a_large_text_is_refused(server: Server) -> None:
    bomb = compress(b" " * (MAX_TEXT + 1))
    assert len(bomb) < 10_000
    answer = send(server, bomb)
    assert (answer.status, answer.json["error"]["message"]) == (400, "http: request body too large")


def test_T14_a_bomb_takes_no_more_memory_than_the_limit() -> None:
    bomb = compress(b" " * (20 * MAX_TEXT))
    tracemalloc.start()
    try:
        with pytest.raises(BadRequest, match="too large"):
            unpacked(bomb)
        assert tracemalloc.get_traced_memory()[1] < 3 * MAX_TEXT
    finally:
        tracemalloc.stop()


def test_a_window_above_8_mib_is_refused() -> None:
    options: dict[Any, int] = {CompressionParameter.window_log: 24, CompressionParameter.content_size_flag: 0}
    wide = compress(b"abc" * (6 << 20), options=options)
    with pytest.raises(BadRequest, match="not a valid zstd frame"):
        unpacked(wide)
