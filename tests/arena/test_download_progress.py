"""What the lines of an upstream say about a download (contract arena §2.2)."""

from __future__ import annotations

from typing import Any

import pytest

from puna.arena.downloads import Download

Json = dict[str, Any]


def test_what_was_here_before_is_no_speed() -> None:
    download = Download("m", "here")
    for second, completed in enumerate((900, 910, 920)):
        download.hear({"digest": "sha256:ab", "total": 1000, "completed": completed}, second)
    assert download.wire()["bytes_per_s"] == 10
    assert (download.wire()["completed"], download.wire()["total"]) == (920, 1000)


def test_the_speed_is_that_of_the_last_seconds() -> None:
    download = Download("m", "here")
    for second in range(30):
        completed = second if second < 20 else 20 + 50 * (second - 20)
        download.hear({"digest": "sha256:ab", "total": 10_000, "completed": completed}, second)
    assert download.wire()["bytes_per_s"] == 50


@pytest.mark.parametrize("line", [{"total": -1}, {"total": "x"}, {"digest": 7, "total": 1}, {"status": ["x"]}])
def test_T23_lines_that_make_no_sense_change_nothing(line: Json) -> None:
    download = Download("m", "here")
    download.hear({"digest": "sha256:ab", **line}, 1.0)
    assert (download.wire()["total"], download.wire()["detail"]) == (None, None)
