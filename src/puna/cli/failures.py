"""Errors of the command line itself."""

from __future__ import annotations

from puna.errors import BadRequest


class UsageError(BadRequest):
    """A command line that makes no sense. `puna meter` tells it apart from other failures by the exit status."""

    exit_status = 2
