"""What `make bench` says about pulls: what it needs before it starts, and which sides stand beside each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.transfers import Fetch, Pull, Turn, figures_of, require

MIB = 1 << 20
DIRECT: list[Turn] = [(Pull(2.0, 1.5, 300 * MIB, [0.004, 0.006]), Fetch(1.0, 3.0))] * 2
DELAYED: list[Turn] = [(Pull(3.0, 1.5, 300 * MIB, [0.05]), Fetch(1.5, 3.0))]
SILENT: list[Turn] = [(Pull(12.0, 1.5, 300 * MIB, [0.004]), Fetch(1.0, 3.0))]


def test_a_missing_program_ends_the_run_before_it_begins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="docker-registry is missing"):
        require(1)


def test_a_disk_that_is_too_full_ends_the_run_before_it_begins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for program in ("docker-registry", "curl", "sha256sum"):
        tmp_path.joinpath(program).touch(mode=0o755)
    with pytest.raises(SystemExit, match=r"GB of free space; TMPDIR"):
        require(10**18)


def test_a_pull_stands_beside_curl_of_the_same_way() -> None:
    rows = {(figure.what, figure.case): figure for figure in figures_of(10**9, 250 * MIB, DIRECT, DELAYED, SILENT)}
    checked = rows["pull of 1 GB ÷ curl and sha256sum", "loopback"]
    assert (checked.value, checked.met) == (0.5, True)
    assert rows["pull of 1 GB ÷ curl", "loopback"].value == 2.0
    assert rows["pull of 1 GB ÷ curl", "20 ms away"].value == 2.0
    assert rows["pull of 1 GB ÷ curl", "loopback, one connection falls silent"].value == 12.0
    assert rows["pull of 1 GB, CPU time of the server", "loopback"].value == 1.5
    assert rows["pull of 1 GB, most memory of the server, added", "loopback"].value == 50.0
    assert rows["pull of what is here", "loopback"].value == 5.0
