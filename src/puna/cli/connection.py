"""Which server a command talks to: the one `OLLAMA_HOST` names, or an embedded one where none runs on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from puna import environment
from puna.cli.terminal import note
from puna.client import quick
from puna.client.endpoint import Endpoint, parse_host
from puna.client.errors import ClientError, ServerUnreachable
from puna.errors import NotFound


def configured() -> Endpoint:
    """The endpoint that the environment names; its warnings go to stderr. Raises `BadRequest`."""
    endpoint = parse_host(environment.knob("HOST"), api_key=environment.knob("API_KEY", ollama=False) or None)
    for warning in endpoint.warnings:
        note(f"Warning: {warning}")
    return endpoint


def reached() -> Endpoint:
    """The configured endpoint, known to answer. Raises `ServerUnreachable` or `ClientError`."""
    endpoint = configured()
    quick.heartbeat(endpoint)
    return endpoint


@contextmanager
def server(*, embedded: bool = True) -> Iterator[Endpoint]:
    """The configured server. Where nothing answers on this machine, an embedded one for as long as the command runs.

    A server elsewhere is never replaced: whoever named it wants its models. Raises `ServerUnreachable`, `ClientError`.
    """
    endpoint = configured()
    try:
        quick.heartbeat(endpoint)
    except ServerUnreachable:
        if not (embedded and endpoint.is_loopback):
            raise
    else:
        yield endpoint
        return
    with stand_in(endpoint) as started:
        yield started


@contextmanager
def stand_in(instead_of: Endpoint) -> Iterator[Endpoint]:
    """A runtime of this command's own, and a line that says so. Raises `ServerUnreachable`."""
    from puna.client.embedded import embedded_runtime

    note(f"no server answers at {instead_of.url}: starting one for this command")
    with embedded_runtime() as started:
        yield started


@contextmanager
def puna_only() -> Iterator[None]:
    """Around a question that only Puna answers: other servers say that there is no such page."""
    try:
        yield
    except ClientError as error:
        if error.status == 404 and error.text.startswith("404"):
            raise NotFound("this server cannot do that: it is another one than Puna, or an older Puna") from None
        raise
