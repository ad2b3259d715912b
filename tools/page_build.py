"""Hatch asks this before it makes a wheel: the arena's page is in it, built by Node.js where it is not there yet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageBuild(BuildHookInterface[Any]):
    """An editable installation is left alone: `make` builds the page beside it, and again when it changes."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Raises `CalledProcessError`, after npm's own words, where the page cannot be built."""
        house = Path(self.root)
        if version == "editable" or (house / "src/puna/arena/page/index.html").exists():
            return
        for command in (["ci"], ["run", "build"]):
            npm = ["sh", "../tools/node.sh", "npm", *command, "--silent"]
            subprocess.run(npm, cwd=house / "web", env={**os.environ, "PAGE_PYTHON": sys.executable}, check=True)
