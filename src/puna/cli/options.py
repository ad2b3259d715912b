"""The flags of `puna run` as checked values (contract ollama-store §6.5). Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from puna.cli.arguments import parse_bool
from puna.errors import BadRequest
from puna.units import format_go_duration, parse_duration_ns

Think = bool | str | None  # None = the person said nothing about it

_LEVELS = ("high", "medium", "low", "max")


@dataclass(frozen=True, slots=True)
class RunOptions:
    keep_alive: str | int | None = None  # as the API takes it: a Go duration, or -1 = for ever
    verbose: bool = False
    wordwrap: bool = True
    output_format: Any = None  # "json" or a JSON schema
    think: Think = None
    hide_thinking: bool = False
    truncate: bool | None = None
    dimensions: int | None = None

    @classmethod
    def parse(
        cls,
        *,
        keepalive: str,
        verbose: bool,
        wordwrap: bool,
        output_format: str,
        think: str,
        hide_thinking: bool,
        truncate: str,
        dimensions: str,
    ) -> RunOptions:
        """From the command line's texts, where empty means not given. Raises `BadRequest`."""
        return cls(
            keep_alive=_keep_alive(keepalive) if keepalive else None,
            verbose=verbose,
            wordwrap=wordwrap,
            output_format=parse_format(output_format),
            think=parse_think(think) if think else None,
            hide_thinking=hide_thinking,
            truncate=parse_bool(truncate, "--truncate") if truncate else None,
            dimensions=_dimensions(dimensions) if dimensions else None,
        )

    def request(self) -> dict[str, Any]:
        """The fields that chat and generate share."""
        fields = {"keep_alive": self.keep_alive, "format": self.output_format, "think": self.think}
        return {name: value for name, value in fields.items() if value is not None}


def parse_think(text: str) -> Think:
    """`true`, `false` or a level. Raises `BadRequest`."""
    if text in ("true", "false"):
        return text == "true"
    if text in _LEVELS:
        return text
    raise BadRequest(f'invalid value for --think: "{text}" (must be true, false, high, medium, low, or max)')


def think_for(chosen: Think, capabilities: Collection[str]) -> Think:
    """What to send: the person's choice, else on for a model that can think and nothing for the others."""
    if chosen is None and "thinking" in capabilities:
        return True
    return chosen


def parse_format(text: str) -> Any:
    """`json` or a JSON schema as a value; None for no text. Raises `BadRequest`."""
    if not text or text == "json":
        return text or None
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError):
        schema = None
    if not isinstance(schema, Mapping):
        raise BadRequest(f'invalid format "{text[:60]}": give json or a JSON schema object')
    return schema


def _keep_alive(text: str) -> str | int:
    try:
        ns = parse_duration_ns(text)
    except BadRequest as error:
        raise BadRequest(
            f'invalid argument "{text}" for "--keepalive" flag: {error} (give 5m, 1h30m, 0, -1s)'
        ) from None
    return -1 if ns < 0 else format_go_duration(ns)


def _dimensions(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadRequest(f'invalid argument "{text}" for "--dimensions" flag: must be a whole number')
    return int(text)
