"""The start of the editors' face: settings and an endpoint in, a bound server out."""

from __future__ import annotations

import logging

from puna import environment
from puna.client import Endpoint, OllamaClient, parse_host
from puna.code.app import build_app
from puna.code.config import code_config, wire_config
from puna.code.types import CodeConfig
from puna.serving.callers import keyring
from puna.serving.listening import Face, listen
from puna.serving.methods import AnyCaseMethods
from puna.serving.origins import LOOPBACK_ORIGINS, Origins, is_loopback
from puna.settings import Settings

log = logging.getLogger(__name__)

DEFAULT_PORT = 8080


def configured(settings: Settings) -> CodeConfig:
    """What the operator set, in the environment and in the settings file. Raises `BadRequest`."""
    tables = environment.config().get("code", {})
    return code_config(settings, tables if isinstance(tables, dict) else {})


def address(settings: Settings) -> Endpoint:
    """Where to listen. Raises `BadRequest`."""
    return parse_host(settings.code_host, default_port=DEFAULT_PORT)


def face(settings: Settings, endpoint: Endpoint, *, no_auth: bool = False) -> Face:
    """The completion server at its address, bound, in front of `endpoint`. Raises `PunaError` when it cannot start."""
    config, wire, own = configured(settings), wire_config(settings), address(settings)
    loopback = is_loopback(own.host)
    keys = keyring(settings, own.host, no_auth=no_auth, harm="use your models")
    origins = Origins.parse(settings.origins, always=LOOPBACK_ORIGINS)
    listener = listen(own.host, own.port)
    app = build_app(
        OllamaClient(endpoint),
        config,
        wire,
        hosts=listener.hosts(settings.hosts),
        origins=origins,
        keys=keys,
        loopback=loopback,
    )
    access = "with a key" if keys.needed else "no key needed"
    log.info("completions at %s from %s, open to %s, %s", listener.url, endpoint.url, listener.reach, access)
    return Face(app, listener, AnyCaseMethods)
