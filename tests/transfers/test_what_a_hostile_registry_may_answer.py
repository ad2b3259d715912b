"""Threats T08: whatever a listed registry answers, a pull ends in one line within a minute, and the server stays small.

Some lies take their time (a byte per second), so all pulls run at once, while the other files of this room are tested.
"""

from __future__ import annotations

import pytest

from tests.transfers.hostilepulls import HostilePulls
from tests.transfers.lies import LIES
from tests.transfers.moving import assert_progress_never_runs_backwards, assert_sound, error_of, listed, outside

LIMIT_S = 60
GROWTH = 64 * 2**20  # bytes


@pytest.mark.parametrize("lie", [*LIES, "truncated TLS"])
def test_T08_a_pull_ends_in_one_line_within_a_minute(hostile_pulls: HostilePulls, lie: str) -> None:
    pull = hostile_pulls.ended[lie].result()
    assert error_of(pull.lines)
    assert_progress_never_runs_backwards(pull.lines[:-1])
    assert pull.seconds < LIMIT_S


def test_T08_the_server_answers_meanwhile_and_stays_small(hostile_pulls: HostilePulls) -> None:
    server = hostile_pulls.server
    hostile_pulls.wait()
    assert hostile_pulls.slowest_version_s < 1
    assert (hostile_pulls.largest - hostile_pulls.before) / GROWTH < 1
    assert listed(server) == {}
    assert outside(server) == hostile_pulls.files
    assert_sound(server.models)
    assert "Traceback" not in server.log
