"""A person at a shell: the real `puna` as a program of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 90
NO_REGISTRY = "registry.invalid"  # nothing is asked from the world outside


@dataclass(frozen=True)
class Shell:
    """Runs `puna` as a program of its own, with a home, a store and a port that belong to this file."""

    environment: Mapping[str, str]

    def start(self, *words: str, stdin: int = subprocess.DEVNULL, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "puna.cli", *words],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.environment, **more},
        )

    def puna(self, *words: str, stdin: str = "", status: int = 0, **more: str) -> tuple[str, str]:
        """stdout and stderr of a command that ends with `status`."""
        with self.start(*words, stdin=subprocess.PIPE, **more) as process:
            out, err = process.communicate(stdin, timeout=PATIENCE_S)
            assert process.returncode == status, out + err
        assert "Traceback" not in err
        return out, err

    def error(self, *words: str, **more: str) -> str:
        """The lines of a command that fails, which says nothing else."""
        out, err = self.puna(*words, status=1, **more)
        assert out == ""
        return err


def shell_for(home: Path, models: Path, port: int) -> Shell:
    return Shell(
        {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PUNA_HOST": f"127.0.0.1:{port}",
            "PUNA_MODELS": str(models),
            "PUNA_REGISTRIES": NO_REGISTRY,
        }
    )
