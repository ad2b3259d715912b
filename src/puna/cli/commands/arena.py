"""`puna arena`: the same question to many models, in the foreground (contract arena §1.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from puna.cli.connection import configured, server
from puna.cli.failures import UsageError
from puna.client.endpoint import Endpoint, parse_host
from puna.configfile import read_bounded
from puna.errors import BadRequest

if TYPE_CHECKING:
    from puna.serving.listening import Face

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)


def arena(
    flags: Mapping[str, str],
    endpoints: Iterable[str],
    *,
    token_file: Path | None,
    allow_open: bool,
    embedded: bool,
) -> int:
    """Serve until stopped. Raises `PunaError`; a setting that makes no sense is a `UsageError` (C10)."""
    from puna.arena.config import arena_config, named_endpoints
    from puna.database import Database, database_url
    from puna.serving.listening import run
    from puna.settings import Settings

    try:
        given: dict[str, Any] = {f"arena_{name}": text for name, text in flags.items() if text}
        settings = Settings(**given)
        config = arena_config(settings, token=_token(token_file), allow_open=allow_open)
        listed = dict(map(_endpoint, endpoints))
        database = Database(database_url(settings.database))
    except BadRequest as error:
        raise UsageError(str(error)) from None

    def prepare(default: Endpoint) -> list[Face]:
        from puna.arena.face import face

        return [face(config, named_endpoints(listed, default), database, listed_hosts=settings.hosts)]

    try:
        with _default(embedded=embedded and not listed) as default:
            return run(settings, lambda: prepare(default))
    except KeyboardInterrupt:  # before it listens; afterwards the server takes the signal itself
        return 0


@contextmanager
def _default(*, embedded: bool) -> Iterator[Endpoint]:
    """The server that the environment names, which may come later; without one, one of this command's own."""
    if not embedded:
        yield configured()
        return
    with server() as endpoint:
        yield endpoint


def _endpoint(text: str) -> tuple[str, Endpoint]:
    """NAME=URL. Raises `BadRequest`."""
    name, equals, url = text.partition("=")
    if not (_NAME.fullmatch(name) and equals and url):
        raise BadRequest(f'--endpoint "{text}": write NAME=URL, for example lab=http://localhost:11434')
    return name, parse_host(url)


def _token(file: Path | None) -> str:
    """The file's text. Raises `BadRequest` for one without any: who names a file wants to be guarded."""
    if file is None:
        return ""
    token = (read_bounded(file, "the token file") or b"").decode(errors="replace").strip()
    if not token:
        raise BadRequest("the token file is not there, or there is no token in it")
    return token
