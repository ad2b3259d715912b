"""The question for a token: what is signed, who is asked, and who never is."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl

import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from puna.errors import RegistryError
from puna.registry.hosts import Origin
from puna.registry.token import Challenge
from tests.registries.hostile import HostileRegistry, Request, reply
from tests.registries.model import MANIFEST, Layer, Model
from tests.registry.rig import Authority, repository

MODEL = Model("library/tiny:latest", [Layer(b"weights")])
PATH = "/v2/library/tiny/manifests/latest"
EMPTY = "ZTNiMGM0NDI5OGZjMWMxNDlhZmJmNGM4OTk2ZmI5MjQyN2FlNDFlNDY0OWI5MzRjYTQ5NTk5MWI3ODUyYjg1NQ=="


@pytest.fixture
def registry() -> Iterator[HostileRegistry]:
    with HostileRegistry() as registry:
        yield registry


def locked(challenge: str, token: str = "sesame") -> Callable[[Request], bytes]:
    """The manifest for whoever has the token, the challenge for everybody else."""

    def answer(request: Request) -> bytes:
        if request.authorization == f"Bearer {token}":
            return reply(200, MODEL.manifest, Content_Type=MANIFEST)
        return reply(401, b"{}", WWW_Authenticate=challenge)

    return answer


def test_the_parameters_are_sorted_encoded_as_a_form_and_added_to_those_there() -> None:
    challenge = Challenge("https://h.example/token?z=1&a=b%20c&scope=old", "a b/ü", "repository:x/y:pull,push other:z")
    url = challenge.url(Origin("https", "h.example", 443), now=17, nonce="n-_0")
    assert str(url) == (
        "https://h.example/token?a=b+c&nonce=n-_0&scope=old&scope=repository%3Ax%2Fy%3Apull%2Cpush&scope=other%3Az"
        "&service=a+b%2F%C3%BC&ts=17&z=1"
    )


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        ('Bearer realm="https://h/t",service="s",scope="a b"', Challenge("https://h/t", "s", "a b")),
        ('bearer  REALM = "r" , Service=s', Challenge("r", "s", "")),
        ('Basic realm="x", Bearer realm="r",scope="a,b"', Challenge("r", "", "a,b")),
        ("Bearer ", Challenge("", "", "")),
        ('Basic realm="x"', None),
        ("", None),
        ('Bearer realm="' + "x" * 5000 + '"', None),
    ],
)
def test_a_challenge_is_read(header: str, challenge: Challenge | None) -> None:
    assert Challenge.parse([header]) == challenge


async def test_a_token_is_asked_for_once_with_a_signature_that_verifies(home: Path, registry: HostileRegistry) -> None:
    realm = (
        f'Bearer realm="{registry.url}/token?a=b%20c",service="{registry.host}",scope="repository:library/tiny:pull"'
    )
    registry.say(PATH, locked(realm))
    registry.say("/token", reply(200, b'{"token":"sesame","access_token":"other"}'))
    async with repository(home, registry.host) as repo:
        assert (await repo.manifest()).raw == MODEL.manifest
        assert (await repo.manifest()).raw == MODEL.manifest
    question, *more = registry.asked("/token")
    assert not more
    key, _, signature = question.authorization.partition(":")
    text = f"GET,{registry.url}{question.target},{EMPTY}".encode()
    load_ssh_public_key(f"ssh-ed25519 {key}".encode()).verify(base64.b64decode(signature), text)
    assert (home / ".ollama/id_ed25519.pub").read_text() == f"ssh-ed25519 {key}\n"
    pairs = parse_qsl(question.target.partition("?")[2], keep_blank_values=True)
    assert pairs == sorted(pairs, key=lambda pair: pair[0])
    query = parse_qs(question.target.partition("?")[2])
    assert query["scope"] == ["repository:library/tiny:pull"]
    assert query["service"] == [registry.host]
    assert query["a"] == ["b c"]
    assert abs(int(query["ts"][0]) - time.time()) < 60
    assert len(base64.urlsafe_b64decode(query["nonce"][0] + "==")) == 16


async def test_a_registry_that_asks_for_nothing_makes_no_key(home: Path, registry: HostileRegistry) -> None:
    registry.serve_model(MODEL)
    async with repository(home, registry.host) as repo:
        await repo.manifest()
    assert not (home / ".ollama").exists()


async def test_questions_side_by_side_share_one_token(home: Path, registry: HostileRegistry) -> None:
    registry.say(PATH, locked(f'Bearer realm="{registry.url}/token"'))
    registry.say("/token", reply(200, b'{"token":"sesame"}'))
    async with repository(home, registry.host) as repo:
        await asyncio.gather(*(repo.manifest() for _ in range(8)))
    assert len(registry.asked("/token")) == 1


@pytest.mark.parametrize("challenge", ['Basic realm="x"', "", 'Bearer realm="{url}/token"'])
async def test_a_registry_that_goes_on_refusing_is_one_line(
    home: Path, registry: HostileRegistry, challenge: str
) -> None:
    registry.say(PATH, locked(challenge.format(url=registry.url), "another"))
    registry.say("/token", reply(200, b'{"token":"sesame"}'))
    async with repository(home, registry.host) as repo:
        with pytest.raises(RegistryError, match=r"^unauthorized: access denied$"):
            await repo.manifest()
    assert len(registry.asked(PATH)) <= 2


@pytest.mark.parametrize(
    ("realm", "seen"),
    [
        ("http://127.0.0.1:{other}/token", "127.0.0.1:{other}"),
        ("http://localhost:{other}/token", "localhost:{other}"),
        ("http://localhost:{port}/token", "localhost:{port}"),
        ("https://127.0.0.1:{port}/token", "https://127.0.0.1:{port}"),
        ("http://127.0.0.1:{port}@127.0.0.1:{other}/token", "127.0.0.1:{port}@127.0.0.1:{other}"),
        ("http://me:pw@127.0.0.1:{port}/token", "me:pw@127.0.0.1:{port}"),
        ("http://127.0.0.1:{port}\\@127.0.0.1:{other}/token", ""),
        ("http://127.0.0.1/token", "127.0.0.1"),
        ("http://LOCALHOST:{other}/token", "localhost:{other}"),
        ("http://127.0.0.1.:{other}/token", "127.0.0.1:{other}"),
        ("//127.0.0.1:{other}/token", "127.0.0.1:{other}"),
        ("http://127.0.0.1:{port}/token here", ""),
        ("http://[::1", ""),
        ("/token", ""),
        ("", ""),
    ],
)
async def test_T05_a_realm_elsewhere_is_never_asked(
    home: Path, registry: HostileRegistry, realm: str, seen: str
) -> None:
    with HostileRegistry() as other:
        where = {"port": registry.port, "other": other.port}
        registry.say(PATH, locked(f'Bearer realm="{realm.format(**where)}",service="x"'))
        for server in (registry, other):
            server.say("/token", reply(200, b'{"token":"sesame"}'))
        async with repository(home, registry.host, also=f"{other.url},http://localhost:{other.port}") as repo:
            with pytest.raises(RegistryError) as caught:
                await repo.manifest()
    where_seen = seen.format(**where)
    assert str(caught.value).startswith(f'realm host "{where_seen}')
    assert str(caught.value).endswith(f'does not match original host "{registry.host}"')
    assert other.connections == 0
    assert not registry.asked("/token")
    assert not (home / ".ollama").exists()


@pytest.mark.parametrize("realm", ["http://LOCALHOST:{port}/token", "http://localhost.:{port}/token"])
async def test_T05_other_spellings_of_the_same_place_are_the_same_place(
    home: Path, registry: HostileRegistry, realm: str
) -> None:
    registry.say(PATH, locked(f'Bearer realm="{realm.format(port=registry.port)}"'))
    registry.say("/token", reply(200, b'{"token":"sesame"}'))
    async with repository(home, f"localhost:{registry.port}") as repo:
        await repo.manifest()
    assert registry.asked("/token")[0].headers["host"] == f"localhost:{registry.port}"


async def test_T05_a_realm_without_tls_is_not_asked_by_a_registry_with_it(home: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with HostileRegistry(tls=authority.server("127.0.0.1")) as registry:
        registry.say(PATH, locked(f'Bearer realm="http://{registry.host}/token"'))
        async with repository(home, registry.host, scheme="https", tls=authority.client) as repo:
            with pytest.raises(RegistryError, match=r'^realm host "http://.*" does not match original host'):
                await repo.manifest()
        assert len(registry.requests) == 1


async def test_T05_a_realm_that_redirects_is_not_followed(home: Path, registry: HostileRegistry) -> None:
    with HostileRegistry() as other:
        registry.say(PATH, locked(f'Bearer realm="{registry.url}/token"'))
        registry.say("/token", reply(307, Location=f"{other.url}/token"))
        async with repository(home, registry.host, also=other.url) as repo:
            with pytest.raises(RegistryError, match="307"):
                await repo.manifest()
    assert other.connections == 0


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (reply(200, b'{"access_token":"x"}'), "holds no token"),
        (reply(200, b'{"token":5}'), "holds no token"),
        (reply(200, b'{"token":""}'), "holds no token"),
        (reply(200, b'{"token":"a\\r\\nX-Evil: 1"}'), "holds no token"),
        (reply(200, b"[]"), "holds no token"),
        (reply(200, b"\xff"), "holds no token"),
        (reply(200, b"[" * 60_000), "holds no token"),
        (reply(200, b" " * 64_001), "over the limit of 64000 bytes"),
        (reply(200, b'{"token":"' + b"x" * 20_000 + b'"}'), "holds no token"),
        (reply(403, b'{"errors":[{"code":"DENIED","message":"secret"}]}'), "^403: DENIED$"),
        (reply(404, b"secret"), "^404: Not Found$"),
        (reply(500, b"secret"), "^500: Internal Server Error$"),
        (b"", "closed before the answer"),
    ],
)
async def test_T08_a_token_answer_of_no_use_is_one_line(
    home: Path, registry: HostileRegistry, answer: bytes, match: str
) -> None:
    registry.say(PATH, locked(f'Bearer realm="{registry.url}/token"'))
    registry.say("/token", answer)
    async with repository(home, registry.host) as repo:
        with pytest.raises(RegistryError, match=match) as caught:
            await repo.manifest()
    assert "secret" not in str(caught.value)
