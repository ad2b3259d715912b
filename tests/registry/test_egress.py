"""Who is asked, who is not, and what goes with a request."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from aiohttp.connector import AddrInfoType
from yarl import URL

from puna.errors import Forbidden, Interrupted, RegistryError
from puna.registry.dialing import Dialer
from puna.registry.egress import Egress, follow
from puna.registry.hosts import Origin, Registries
from puna.registry.patience import Patience
from puna.registry.token import Token
from tests.registries.background import Background
from tests.registries.hostile import Canary, HostileRegistry, reply
from tests.registry.rig import IMPATIENT, SYSTEM_TLS, Authority, loopback, repository

SECRET = b"canary-secret-word"
TARGETS = [
    "127.0.0.1:{port}", "[::1]:{port}", "0.0.0.0:{port}", "2130706433:{port}", "[::ffff:127.0.0.1]:{port}",
    "169.254.169.254", "localhost:{port}", "rebound.example:{port}",
]  # fmt: skip


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{scheme}_proxy", raising=False)
        monkeypatch.delenv(f"{scheme}_proxy".upper(), raising=False)


@pytest.fixture
def registry() -> Iterator[HostileRegistry]:
    with HostileRegistry() as registry:
        yield registry


@pytest.fixture
def canary() -> Iterator[Canary]:
    with Canary(reply(200, SECRET)) as canary:
        yield canary


def egress(*listed: str, **options: object) -> Egress:
    options = {"patience": IMPATIENT, "resolve": loopback, "tls": SYSTEM_TLS, **options}
    return Egress(Registries.parse(",".join(listed)), **options)  # type: ignore[arg-type]


async def text(egress: Egress, url: str, **options: object) -> bytes:
    async with egress.send("GET", URL(url, encoded=True), **options) as response:  # type: ignore[arg-type]
        return await response.read()


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("target", TARGETS)
async def test_T06_nobody_is_sent_to_a_private_address(
    home: Path, registry: HostileRegistry, canary: Canary, target: str, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    location = f"{scheme}://{target.format(port=canary.port)}/latest/meta-data/?secret=1"
    path = "/v2/library/tiny/manifests/latest"
    for status in (302, 307):
        registry.say(path, reply(status, Location=location))
        async with repository(home, registry.host) as repo:
            with pytest.raises((Forbidden, RegistryError)) as caught:
                await repo.manifest()
        assert "\n" not in str(caught.value)
        assert SECRET.decode() not in str(caught.value)
        if "2130706433" not in target:  # which is no host at all
            assert isinstance(caught.value, Forbidden)
            assert "PUNA_REGISTRIES" in str(caught.value)
            assert caplog.text
    async with egress() as out:
        with pytest.raises((Forbidden, RegistryError)):
            await text(out, location)
    assert canary.connections == 0


async def test_T06_a_name_that_is_public_first_and_private_second_is_never_dialled_at_the_second(
    canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [["1.1.1.1"], ["127.0.0.1"], ["1.1.1.1", "127.0.0.1"], ["127.0.0.1", "1.1.1.1"]]
    dialled: list[str] = []
    check = Dialer.open_socket

    def unreachable(self: Dialer, info: AddrInfoType) -> socket.socket:
        check(self, info).close()
        dialled.append(info[4][0])
        raise OSError(101, "Network is unreachable")

    async def rebind(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    monkeypatch.setattr(Dialer, "open_socket", unreachable)
    async with egress(resolve=rebind) as out:
        url = f"https://rebound.example:{canary.port}/"
        with pytest.raises(Interrupted, match="unreachable"):
            await text(out, url)
        for _ in range(3):
            with pytest.raises(Forbidden, match=r"refused to connect to rebound\.example"):
                await text(out, url)
    assert (dialled, answers, canary.connections) == (["1.1.1.1"], [], 0)


async def test_T06_a_listed_registry_may_have_a_private_address(registry: HostileRegistry) -> None:
    registry.say("/", reply(200, b"here"))
    async with egress(f"http://registry.example:{registry.port}") as out:
        assert await text(out, f"http://registry.example:{registry.port}/") == b"here"


async def test_T06_plain_http_is_for_listed_hosts_only(canary: Canary) -> None:
    async with egress("registry.example") as out:
        for url in ("http://registry.example/", "http://1.1.1.1/"):
            with pytest.raises(Forbidden, match="it has no TLS"):
                await text(out, url)
        with pytest.raises(Forbidden):  # asking for it is for the registry that was asked for, not for any
            await text(out, "http://1.1.1.1/", home=Origin("http", "1.1.1.1", 80))


async def test_insecure_holds_for_the_registry_that_was_asked_for(registry: HostileRegistry) -> None:
    registry.say("/", reply(200, b"here"))
    async with egress(registry.host) as out:
        with pytest.raises(Forbidden):
            await text(out, f"{registry.url}/")
        assert await text(out, f"{registry.url}/", home=Origin("http", "127.0.0.1", registry.port)) == b"here"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed_within_limits(registry: HostileRegistry, status: int) -> None:
    registry.say("/0", reply(status, Location="1?a=%2F%2b+b"))
    registry.say("/1", reply(status, b"not read", Location=f"{registry.url}/2"))
    registry.say("/2", reply(200, b"arrived"))
    registry.say("/loop", reply(status, Location="/loop"))
    async with egress(registry.url) as out:
        assert await text(out, f"{registry.url}/0") == b"arrived"
        assert registry.requests[1].target == "/1?a=%2F%2b+b"
        with pytest.raises(RegistryError, match=r"maximum redirects exceeded \(5\)"):
            await text(out, f"{registry.url}/loop")
        assert len(registry.asked("/loop")) == 6
        async with out.send("GET", URL(f"{registry.url}/0"), redirects=0) as response:
            assert response.status == status


@pytest.mark.parametrize(
    "location",
    [None, "ftp://h/x", "https://u@h/x", "https://h\\@evil/", "https://h/a b", "https://h:99999/", "é"],
)
async def test_a_redirect_to_nowhere_is_one_clear_line(registry: HostileRegistry, location: str | None) -> None:
    registry.say("/", reply(302, Location=location))
    async with egress(registry.url) as out:
        with pytest.raises(RegistryError, match=r"does not say where|a registry named an address") as caught:
            await text(out, f"{registry.url}/")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("location", ["http://h.example/", "http://h.example:443/x", "HTTP://other.example/"])
def test_T05_never_from_https_to_http(location: str) -> None:
    with pytest.raises(RegistryError, match="from https to plain http"):
        follow(URL("https://h.example/v2/"), location)


async def test_T05_a_credential_stays_with_its_origin(registry: HostileRegistry) -> None:
    with HostileRegistry() as other:
        for server in (registry, other):
            server.say("/end", reply(200))
        token = Token(Origin.of(URL(registry.url)), "Bearer sesame")
        locations = [f"{other.url}/end", f"http://localhost:{registry.port}/end", f"{registry.url}/end"]
        async with egress(registry.url, other.url, f"http://localhost:{registry.port}") as out:
            for location in locations:
                registry.say("/start", reply(307, Location=location))
                await text(out, f"{registry.url}/start", token=token)
            await text(out, f"{other.url}/end", token=token)
    assert [request.authorization for request in other.requests] == ["", ""]
    assert [request.authorization for request in registry.asked("/end")] == ["", "Bearer sesame"]
    assert {request.authorization for request in registry.asked("/start")} == {"Bearer sesame"}
    assert "sesame" not in repr(token)


async def test_requests_say_what_is_needed_and_nothing_more(registry: HostileRegistry, home: Path) -> None:
    (home / ".netrc").write_text("machine 127.0.0.1 login me password sesame\n")
    registry.say("/", reply(200, Set_Cookie="a=b; Path=/"))
    async with egress(registry.url) as out:
        await text(out, f"{registry.url}/")
        await text(out, f"{registry.url}/")
    for request in registry.requests:
        assert set(request.headers) == {"host", "accept-encoding", "user-agent", "accept"}
        assert request.headers["accept-encoding"] == "identity"
        assert request.headers["user-agent"].startswith("ollama/0.")


async def test_tls_is_verified(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with HostileRegistry(tls=authority.server("registry.example")) as registry:
        registry.say("/", reply(200, b"here"))
        host = f"registry.example:{registry.port}"
        async with egress(host, tls=authority.client) as out:
            assert await text(out, f"https://{host}/") == b"here"
        async with egress(host) as out:
            with pytest.raises(RegistryError, match="the certificate is not valid"):
                await text(out, f"https://{host}/?token=sesame")
        async with egress(f"localhost:{registry.port}", tls=authority.client) as out:
            with pytest.raises(RegistryError, match="the certificate is not valid"):
                await text(out, f"https://localhost:{registry.port}/")
    assert len(registry.requests) == 1


async def test_an_authority_of_ones_own_is_named_as_for_other_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with HostileRegistry(tls=authority.server("registry.example")) as registry:
        registry.say("/", reply(200, b"here"))
        host = f"registry.example:{registry.port}"
        async with egress(host, tls=None) as out:
            assert await text(out, f"https://{host}/") == b"here"


async def test_failures_are_one_line_without_addresses_or_queries(registry: HostileRegistry, tmp_path: Path) -> None:
    async def nowhere(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with Canary() as gone:
        port = gone.port
    closed = f"http://registry.example:{port}"
    async with egress(closed) as out:
        with pytest.raises(Interrupted) as caught:
            await text(out, f"{closed}/v2/?sig=sesame")
        assert str(caught.value) == f'GET "{closed}/v2/": connection refused'
    async with egress(closed, resolve=nowhere) as out:
        with pytest.raises(RegistryError) as failed:
            await text(out, f"{closed}/v2/?sig=sesame")
        assert str(failed.value) == f'GET "{closed}/v2/": no such host'
    with Canary() as silent:
        url = f"https://registry.example:{silent.port}"
        async with egress(url) as out:
            with pytest.raises(RegistryError, match=r"(the TLS handshake failed|connection)"):
                await text(out, url)


async def test_a_registry_that_never_answers_is_given_up(registry: HostileRegistry) -> None:
    async def forever(request: object) -> object:
        await asyncio.sleep(60)
        yield b""

    registry.say("/", forever)  # type: ignore[arg-type]
    async with egress(registry.url, patience=Patience(answer_s=0.2)) as out:
        with pytest.raises(Interrupted, match="no answer in time"):
            await text(out, f"{registry.url}/")


async def test_requests_go_through_the_proxy_of_the_environment(
    registry: HostileRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nowhere(host: str, port: int) -> Sequence[str]:
        raise AssertionError("the proxy looks names up")

    registry.say("/v2/", reply(200, b"from the proxy"))
    monkeypatch.setenv("HTTP_PROXY", f"http://me:p%40ss@{registry.host}")
    async with egress("http://registry.example", resolve=nowhere) as out:
        assert await text(out, "http://registry.example/v2/") == b"from the proxy"
    (request,) = registry.requests
    assert request.target == "http://registry.example/v2/"
    assert request.headers["proxy-authorization"] == "Basic bWU6cEBzcw=="


@pytest.mark.parametrize("bypass", ["registry.example", ".example", "*", "other,registry.example:{port}"])
async def test_no_proxy_is_honoured(registry: HostileRegistry, monkeypatch: pytest.MonkeyPatch, bypass: str) -> None:
    registry.say("/v2/", reply(200, b"direct"))
    with Canary() as proxy:
        monkeypatch.setenv("http_proxy", proxy.host)
        monkeypatch.setenv("NO_PROXY", bypass.format(port=registry.port))
        url = f"http://registry.example:{registry.port}"
        async with egress(url) as out:
            assert await text(out, f"{url}/v2/") == b"direct"
    assert proxy.connections == 0


async def test_no_proxy_stands_between_this_machine_and_itself(
    registry: HostileRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.say("/v2/", reply(200, b"direct"))
    with Canary() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with egress(registry.url) as out:
            assert await text(out, f"{registry.url}/v2/") == b"direct"
    assert proxy.connections == 0


async def test_T06_a_proxy_is_not_asked_for_private_places(
    registry: HostileRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", registry.url)
    places = [
        "169.254.169.254",
        "10.0.0.1",
        "[::ffff:10.0.0.1]",
        "metadata.google.internal",
        "printer.local",
        "intranet",
    ]
    async with egress("hf.co") as out:
        for place in places:
            with pytest.raises(Forbidden, match="PUNA_REGISTRIES"):
                await text(out, f"https://{place}/")
    assert registry.connections == 0


@pytest.mark.parametrize("setting", ["socks5://127.0.0.1:1080", "http://", "http://h:99999"])
async def test_a_proxy_of_no_use_is_named(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", setting)
    async with egress("hf.co") as out:
        with pytest.raises(RegistryError, match="HTTPS_PROXY"):
            await text(out, "https://hf.co/")


class Tunnel(Background):
    """A proxy for https: it connects everybody to one server and keeps what they said to it."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.heads: list[bytes] = []
        self._target = port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await asyncio.gather(self._relay(reader, far_writer), self._relay(far_reader, writer))
        finally:
            far_writer.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()


async def test_https_goes_through_a_tunnel_that_sees_only_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    with HostileRegistry(tls=authority.server("registry.example")) as registry, Tunnel(registry.port) as tunnel:
        registry.say("/v2/", reply(200, b"through the tunnel"))
        monkeypatch.setenv("HTTPS_PROXY", tunnel.host)
        async with egress("registry.example", tls=authority.client) as out:
            assert await text(out, "https://registry.example/v2/?sig=sesame") == b"through the tunnel"
    (head,) = tunnel.heads
    assert head.startswith(b"CONNECT registry.example:443 HTTP/1.1\r\n")
    assert b"sesame" not in head
