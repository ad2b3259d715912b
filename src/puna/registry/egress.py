"""The one way out of Puna for registry traffic: who may be asked, with what credential, and for how long to wait.

Policy for each request and for each redirect again (threats T05, T06): listed registries as the operator wrote them;
other hosts only by https and only at public addresses, checked where they are dialled; a credential only to the origin
that it is for; never from https to http. It knows nothing of manifests and blobs.
"""

from __future__ import annotations

import asyncio
import logging
import platform
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from puna import OLLAMA_LEVEL, __version__
from puna.errors import RegistryError
from puna.registry.addresses import is_public
from puna.registry.dialing import Dialer, Resolve, refused, system_resolve
from puna.registry.faults import FAULTS, bare, fault
from puna.registry.hosts import Origin, Registries, remote_url
from puna.registry.patience import Patience
from puna.registry.payload import Body, BodyPayload
from puna.registry.proxies import proxy_for
from puna.registry.token import Token

log = logging.getLogger(__name__)

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
# The public registry answers 412 to clients that call themselves older than a model needs.
USER_AGENT = (
    f"ollama/{OLLAMA_LEVEL} ({_MACHINES.get(platform.machine(), platform.machine())} {platform.system().lower()})"
    f" Puna/{__version__}"
)
READ_BUFFER = 512 * 1024  # bytes; twice as many wait per connection at most, and a pull has 16 of them
_MAX_HEADER = 16 * 1024  # bytes of one header: presigned addresses are long
_KEEP_S = 5.0  # idle connections go soon, so that no PATCH meets one that the registry is closing
_REDIRECTS = {301, 302, 303, 307, 308}
_KEEPS_METHOD = {307, 308}


class Egress:
    """Async context manager. `resolve` looks names up; `tls` is for people with a certificate authority of their own.

    Without `tls` the system's authorities count, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    """

    def __init__(
        self,
        registries: Registries,
        *,
        patience: Patience = Patience(),  # noqa: B008 (frozen)
        resolve: Resolve = system_resolve,
        tls: ssl.SSLContext | None = None,
        user_agent: str = USER_AGENT,
    ) -> None:
        self.patience = patience
        self._registries = registries
        self._resolve = resolve
        self._tls = tls
        self._headers = {"Accept-Encoding": "identity", "User-Agent": user_agent}
        self._sessions = AsyncExitStack()

    async def __aenter__(self) -> Self:
        tls = self._tls
        if tls is None:
            tls = await asyncio.to_thread(ssl.create_default_context)
        self._free = await self._sessions.enter_async_context(self._session(tls, guarded=False))
        self._guarded = await self._sessions.enter_async_context(self._session(tls, guarded=True))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._sessions.aclose()

    @asynccontextmanager
    async def send(
        self,
        method: str,
        url: URL,
        *,
        home: Origin | None = None,
        token: Token | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | Body | None = None,
        redirects: int = 5,
        answer_s: float | None = None,
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """The answer to one request, its redirects followed; with `redirects=0` a redirect is an answer like others.

        `home` is the registry that the caller works for: plain http to it is right when the caller was given it so.
        Raises `Forbidden` (policy), `Interrupted` (may pass), `RegistryError`. Reading the body raises what aiohttp
        raises; `answers` has readers that do not.
        """
        left = redirects
        while True:
            async with self._exchange(method, url, home, token, headers or {}, data, answer_s) as response:
                if not redirects or response.status not in _REDIRECTS:
                    yield response
                    return
                if method not in ("GET", "HEAD") and response.status not in _KEEPS_METHOD:
                    raise RegistryError(f'{method} "{bare(url)}": {response.status} where a redirect keeps no body')
                target = follow(url, response.headers.get("Location", ""))
            if not left:
                raise RegistryError(f"maximum redirects exceeded ({redirects})")
            url, left = target, left - 1

    @asynccontextmanager
    async def _exchange(
        self,
        method: str,
        url: URL,
        home: Origin | None,
        token: Token | None,
        headers: Mapping[str, str],
        data: bytes | Body | None,
        answer_s: float | None,
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """One request to one origin; the connection is given back or closed at the end."""
        origin = Origin.of(url)
        session, proxy = self._route(origin, home)
        if token is not None and token.origin == origin:
            headers = {**headers, "Authorization": token.authorization}
        wait_s = self.patience.answer_s if answer_s is None else answer_s
        payload: bytes | BodyPayload | None = data if not isinstance(data, Body) else None
        try:
            async with asyncio.timeout(wait_s) as deadline:
                if isinstance(data, Body):
                    payload = BodyPayload(data, lambda: _put_off(deadline, wait_s))
                response = await session.request(
                    method, url, headers=headers, data=payload, proxy=proxy, allow_redirects=False
                )
        except FAULTS as error:
            if isinstance(payload, BodyPayload) and payload.failed_by is not None:
                raise payload.failed_by from None
            raise fault(method, url, error) from error
        try:
            if method != "HEAD" and response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise RegistryError(f'{method} "{bare(url)}": the answer is compressed, which was not asked for')
            yield response
        finally:
            response.close()  # a connection whose body was read to its end is back in the pool already
            with suppress(*FAULTS):  # what stopped the rest of a body matters no more: the answer was here before
                await response.wait_for_close()

    def _route(self, origin: Origin, home: Origin | None) -> tuple[aiohttp.ClientSession, URL | None]:
        """The session to use and the proxy. Raises `Forbidden` for a place where nobody should be sent."""
        proxy = proxy_for(origin)
        if self._registries.lists(origin, insecure=origin == home):
            return self._free, proxy
        if (origin.address is not None and not is_public(origin.address)) or origin.has_local_name:
            raise refused(origin.host)
        if origin.scheme != "https":
            raise refused(origin.host, "it has no TLS")
        # A proxy looks the name up itself, so its own address is all that is dialled here.
        return (self._guarded if proxy is None else self._free), proxy

    def _session(self, tls: ssl.SSLContext, *, guarded: bool) -> aiohttp.ClientSession:
        dialer = Dialer(self._resolve, guarded=guarded)
        connector = aiohttp.TCPConnector(
            limit=0,
            ssl=tls,
            resolver=dialer,
            use_dns_cache=False,
            socket_factory=dialer.open_socket,
            keepalive_timeout=_KEEP_S,
        )
        return aiohttp.ClientSession(
            connector=connector,
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.patience.connect_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,  # it would also send passwords from .netrc
            auto_decompress=False,
            read_bufsize=READ_BUFFER,
            max_line_size=_MAX_HEADER,
            max_field_size=_MAX_HEADER,
        )


def _put_off(deadline: asyncio.Timeout, seconds: float) -> None:
    """More of the body has left, so the wait for the answer begins anew."""
    with suppress(RuntimeError):  # an answer that came before the body's end has ended the wait
        deadline.reschedule(asyncio.get_running_loop().time() + seconds)


def follow(base: URL, location: str) -> URL:
    """The absolute URL of a `Location` header, byte for byte. Raises `RegistryError` for one that must not be used."""
    if not location:
        raise RegistryError(f'an answer to "{bare(base)}" does not say where to go on')
    target = base.join(remote_url(location))
    origin = Origin.of(target)
    if base.scheme == "https" and origin.scheme != "https":
        log.warning("%s sent registry traffic on to plain http at %s, which was refused", base.host, origin.host)
        raise RegistryError(f"refused to go from https to plain http at {origin.host}")
    return target
