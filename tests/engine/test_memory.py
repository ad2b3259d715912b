"""How much memory is free: the system's, within a container's limit."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from puna.engine.memory import gpus, system_memory
from puna.environment import child_environment

MIB = 2**20


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_without_a_cgroup_the_systems_memory_counts(tmp_path: Path) -> None:
    memory = system_memory(tmp_path)
    assert memory.total == psutil.virtual_memory().total
    assert 0 < memory.free <= memory.total
    assert memory.budget == memory.free


@pytest.mark.parametrize(
    "files",
    [
        {
            "proc/self/cgroup": "0::/app.slice\n",
            "sys/fs/cgroup/app.slice/memory.max": f"{64 * MIB}\n",
            "sys/fs/cgroup/app.slice/memory.current": f"{40 * MIB}\n",
            "sys/fs/cgroup/app.slice/memory.stat": f"anon 1\ninactive_file {10 * MIB}\n",
        },
        {
            "proc/self/cgroup": "0::/not/visible/from/inside\n",
            "sys/fs/cgroup/memory.max": f"{64 * MIB}\n",
            "sys/fs/cgroup/memory.current": f"{30 * MIB}\n",
        },
        {
            "proc/self/cgroup": "9:cpu,cpuacct:/x\n8:memory:/docker/1\n",
            "sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes": f"{64 * MIB}\n",
            "sys/fs/cgroup/memory/docker/1/memory.usage_in_bytes": f"{35 * MIB}\n",
            "sys/fs/cgroup/memory/docker/1/memory.stat": f"total_inactive_file {5 * MIB}\n",
        },
    ],
    ids=["v2", "v2 in a container", "v1"],
)
def test_a_cgroup_limit_is_respected(tmp_path: Path, files: dict[str, str]) -> None:
    memory = system_memory(tree(tmp_path, files))
    assert (memory.total, memory.free) == (64 * MIB, 34 * MIB)


def test_a_cgroup_without_a_limit_changes_nothing(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/memory.current": "5\n"}
    assert system_memory(tree(tmp_path, files)).total == psutil.virtual_memory().total


async def test_the_engine_is_asked_for_gpus_in_a_child() -> None:
    assert all(gpu.total >= gpu.free >= 0 and gpu.name for gpu in await gpus(child_environment()))
