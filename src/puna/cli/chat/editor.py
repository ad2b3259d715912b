"""Write a message in the person's own editor."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from pathlib import Path

from puna import environment


def edit(text: str) -> str:
    """Open `text` in the editor and give what was saved; blocks. The text as it was when the editor cannot run."""
    with tempfile.TemporaryDirectory(prefix="puna-") as folder:
        path = Path(folder) / "message.txt"
        path.write_text(text, encoding="utf-8")
        try:
            done = subprocess.run([*shlex.split(environment.editor()), str(path)], check=False)
        except (OSError, ValueError):
            return text
        return path.read_text(encoding="utf-8", errors="replace").rstrip("\n") if done.returncode == 0 else text
