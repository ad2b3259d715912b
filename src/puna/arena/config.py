"""What the operator set for the arena, from flags, environment and settings file (contract arena §1.1). Pure.

Unlike the runtime's settings, none falls back in silence: a value that makes no sense stops the start (C10).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from puna.arena.request import Limits
from puna.client import Endpoint
from puna.errors import BadRequest
from puna.serving.origins import is_loopback
from puna.settings import Settings

_NUMBER = re.compile(r"\d{1,12}", re.ASCII)
_SECONDS = re.compile(r"\d{1,9}(\.\d{1,3})?", re.ASCII)
_ORIGIN = re.compile(r"https?://[A-Za-z0-9._\[\]:-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class ArenaConfig:
    host: str = "127.0.0.1"
    port: int = 7860
    token: str = field(default="", repr=False)  # empty = none is asked for
    limits: Limits = field(default_factory=Limits)
    idle_s: float = 300.0  # the longest silence of an upstream
    parallel: int = 8
    max_body: int = 32 << 20  # bytes
    cors: frozenset[str] = frozenset()  # other web origins that may call the API

    @property
    def loopback(self) -> bool:
        return is_loopback(self.host)


def arena_config(settings: Settings, *, token: str = "", allow_open: bool = False) -> ArenaConfig:
    """`token` is that of a file, which wins over the settings'. Raises `BadRequest`."""
    own = settings.arena_token.get_secret_value() if settings.arena_token else ""
    config = ArenaConfig(
        host=settings.arena_host or ArenaConfig().host,
        port=_whole(settings, "arena_port", 0, 65535),
        token=token or own,
        limits=Limits(
            messages=_whole(settings, "arena_history_limit", 1, 100_000),
            instances=_whole(settings, "arena_max_instances", 1, 1000),
        ),
        idle_s=_seconds(settings, "arena_request_timeout"),
        parallel=_whole(settings, "arena_max_concurrent", 1, 1000),
        max_body=_whole(settings, "arena_max_body_mb", 1, 1024) << 20,
        cors=_origins(settings.arena_cors_origin),
    )
    if not (config.loopback or config.token or allow_open):
        raise BadRequest(
            f"{config.host} can be reached from other machines: set WEB_CHAT_TOKEN to a secret or give --token-file, "
            "or start with --allow-open if everyone who can reach this address may use and delete your models"
        )
    return config


def named_endpoints(listed: Mapping[str, Endpoint], default: Endpoint) -> Mapping[str, Endpoint]:
    """The endpoints by name; `default` where none is listed. Its key goes with it only, whatever its name is."""
    if not listed:
        return {"default": default}
    return {name: default if endpoint.url == default.url else endpoint for name, endpoint in listed.items()}


def _whole(settings: Settings, name: str, low: int, high: int) -> int:
    text = _text(settings, name)
    if _NUMBER.fullmatch(text) and low <= int(text) <= high:
        return int(text)
    raise BadRequest(f'setting {name}: "{text}" is not a whole number from {low} to {high}')


def _seconds(settings: Settings, name: str) -> float:
    text = _text(settings, name).removesuffix("s")
    if _SECONDS.fullmatch(text) and float(text) > 0:
        return float(text)
    raise BadRequest(f'setting {name}: "{text}" is not a number of seconds')


def _text(settings: Settings, name: str) -> str:
    return getattr(settings, name) or str(type(settings).model_fields[name].default)


def _origins(listed: str) -> frozenset[str]:
    origins = [entry.strip().lower() for entry in listed.split(",") if entry.strip()]
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise BadRequest(f'setting arena_cors_origin: "{origin}" is not an origin such as https://example.org')
    return frozenset(origins)
