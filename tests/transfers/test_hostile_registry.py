"""A listed registry that lies: digests that are paths, other bytes under a digest, credentials lured away, requests
lured to places that are nobody's business (threats T01, T04, T05, T06). What a pull may be answered with: the next file.
"""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.registries import Canary, HostileRegistry, Request, reply
from tests.registries.model import TENSOR, WEIGHTS
from tests.servers import Server
from tests.transfers.moving import (
    a_server,
    assert_sound,
    assert_success,
    blob_file,
    error_of,
    filler,
    listed,
    outside,
    pull,
    push,
)

HEX = "5" * 64
HOSTILE_DIGESTS = {
    "dots": "sha256:../../../../watched",
    "absolute": "sha256:/etc/passwd",
    "63 digits": f"sha256:{HEX[1:]}",
    "65 digits": f"sha256:{HEX}5",
    "upper case": f"sha256:{'A' * 64}",
    "another hash": f"sha512:{HEX}",
    "dash": f"sha256-{HEX}",
    "nul": f"sha256:{HEX[1:]}\0",
    "percent": f"sha256:%2e%2e%2f{HEX[9:]}",
    "back-slash": f"sha256:..\\..\\{HEX[6:]}",
    "empty": "",
    "10 kB": f"sha256:{'5' * 10_000}",
    "a number": 5,
}
CERTIFICATE_DAYS = 1
SECRET = "sesame-4711"


@pytest.fixture(scope="module")
def registry() -> Iterator[HostileRegistry]:
    with HostileRegistry() as running:
        yield running


@pytest.fixture(scope="module")
def other() -> Iterator[HostileRegistry]:
    """A second host that is on the list as well: nothing but the rule about credentials keeps them from it."""
    with HostileRegistry() as running:
        yield running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of 127.0.0.1 in one file, good for a day; who trusts it is told so by SSL_CERT_FILE."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Puna's tests")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=CERTIFICATE_DAYS))
        .not_valid_after(now + datetime.timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "registry.pem"
    encoding, no_password = serialization.Encoding.PEM, serialization.NoEncryption()
    path.write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, no_password) + certificate.public_bytes(encoding)
    )
    return path


@pytest.fixture(scope="module")
def encrypted(certificate: Path) -> Iterator[HostileRegistry]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with HostileRegistry(tls=context) as running:
        yield running


@pytest.fixture(scope="module")
def server(
    registry: HostileRegistry,
    other: HostileRegistry,
    encrypted: HostileRegistry,
    certificate: Path,
    tiny_llama: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    origins = [registry.url, other.url, f"http://localhost:{registry.port}", encrypted.host]
    folder = tmp_path_factory.mktemp("watched")
    with a_server(folder, *origins, push=True, SSL_CERT_FILE=str(certificate)) as running:
        running.create("M", tiny_llama)
        yield running


@pytest.fixture(autouse=True)
def invariants(server: Server) -> Iterator[None]:
    """I1: the server answers within a second. I2: nothing beside its store has changed. And nothing new is listed."""
    files, models = outside(server), listed(server)
    yield
    begin = time.monotonic()
    assert server.get("/api/version").status == 200
    assert time.monotonic() - begin < 1
    assert outside(server) == files
    new = listed(server).keys() - models.keys()
    assert all("/good/" in name for name in new), new
    assert_sound(server.models)


@pytest.mark.parametrize("digest", HOSTILE_DIGESTS.values(), ids=HOSTILE_DIGESTS.keys())
@pytest.mark.parametrize("place", ["config", "layer", "tensor layer"])
def test_T01_a_digest_never_becomes_a_path(
    server: Server, registry: HostileRegistry, place: str, digest: object
) -> None:
    model = filler(f"t01/{hashlib.sha256(f'{place}{digest}'.encode()).hexdigest()[:12]}:latest", 1000)
    registry.serve_model(model)
    manifest = json.loads(model.manifest)
    hostile = {"mediaType": TENSOR if place == "tensor layer" else WEIGHTS, "digest": digest, "size": 1000}
    if place == "config":
        manifest["config"]["digest"] = digest
    elif place == "layer":
        manifest["layers"][0] = hostile
    else:
        manifest["layers"].append({**hostile, "name": "model.embed_tokens.weight"})
    registry.serve_manifest(model.name, json.dumps(manifest).encode())
    error_of(pull(server, f"{registry.host}/{model.name}"))
    asked = [request.path for request in registry.requests if request.path.startswith(f"/v2/{model.repository}/")]
    assert asked == [f"/v2/{model.repository}/manifests/latest"], "refused before any blob is asked for"


def test_T04_a_config_with_the_digest_of_a_layer_is_verified(server: Server, registry: HostileRegistry) -> None:
    model = filler("t04/double:latest", 1000)
    registry.serve_model(model)
    manifest = json.loads(model.manifest)
    manifest["config"] = {**manifest["config"], "digest": model.layers[0].digest, "size": 1000}
    registry.serve_manifest(model.name, json.dumps(manifest).encode())
    registry.serve_blob(model.repository, model.layers[0], data=b"x" * 1000)
    text = error_of(pull(server, f"{registry.host}/{model.name}"))
    assert text.startswith(
        f"digest mismatch, file must be downloaded again: want {model.layers[0].digest}, got sha256:"
    )
    blobs = [path.name for path in (server.models / "blobs").iterdir()]
    assert [name for name in blobs if name.startswith(blob_file(server.models, model.layers[0].digest).name)] == []


DOUBLED = ["schemaVersion", "mediaType", "config", "layers", "digest", "size"]


@pytest.mark.parametrize("key", DOUBLED)
def test_T04_a_manifest_with_a_key_given_twice_is_refused(server: Server, registry: HostileRegistry, key: str) -> None:
    model = filler(f"t04/twice-{key.lower()}:latest", 1000)
    registry.serve_model(model)
    text = model.manifest.decode()
    value = json.loads(text).get(key, json.loads(text)["config"].get(key))
    doubled = text.replace(f'"{key}": ', f'"{key}": {json.dumps(value)}, "{key}": ', 1)
    assert json.loads(doubled) == json.loads(text), "most readers see nothing"
    registry.serve_manifest(model.name, doubled.encode())
    error_of(pull(server, f"{registry.host}/{model.name}"))


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.index.v1+json",
        "text/html",
        "application/vnd.docker.distribution.manifest.v1+json",
    ],
)
def test_T04_a_manifest_of_another_kind_is_refused(server: Server, registry: HostileRegistry, media_type: str) -> None:
    model = filler(f"t04/kind{len(media_type)}:latest", 1000)
    registry.serve_model(model)
    manifest = {**model.description, "mediaType": media_type}
    path = f"/v2/{model.repository}/manifests/latest"
    registry.say(path, reply(200, json.dumps(manifest).encode(), Content_Type=media_type))
    error_of(pull(server, f"{registry.host}/{model.name}"))


def realms(registry: HostileRegistry, other: HostileRegistry) -> dict[str, str]:
    """Where a hostile registry wants the signed request to go. Each leads to the second host, however it is spelled."""
    return {
        "another host": f"http://localhost:{other.port}/token",
        "another port": f"http://127.0.0.1:{other.port}/token",
        "host as user": f"http://{registry.host}@{other.host}/token",
        "user info": f"http://user:word@{other.host}/token",
        "upper case": f"HTTP://LOCALHOST:{other.port}/token",
        "trailing dot": f"http://localhost.:{other.port}/token",
        "back-slash": f"http://{other.host}\\@{registry.host}/token",
        "another scheme": f"https://{registry.host}/token",
        "no scheme": f"//{other.host}/token",
        "none": "",
    }


REALMS = realms(HostileRegistry(), HostileRegistry()).keys()


@pytest.mark.parametrize("realm", REALMS)
def test_T05_the_key_signs_for_no_other_host(
    server: Server, registry: HostileRegistry, other: HostileRegistry, realm: str
) -> None:
    before = len(other.requests)
    name = f"t05/realm-{realm.replace(' ', '-')}:latest"
    challenge = f'Bearer realm="{realms(registry, other)[realm]}",service="s",scope="repository:x:pull"'
    registry.say(f"/v2/{name.removesuffix(':latest')}/manifests/latest", reply(401, WWW_Authenticate=challenge))
    text = error_of(pull(server, f"{registry.host}/{name}"))
    assert "realm host" in text
    assert f'does not match original host "{registry.host}"' in text
    assert [request for request in other.requests[before:] if request.authorization] == []


def test_T05_a_realm_without_encryption_is_refused_by_an_encrypted_registry(
    server: Server, other: HostileRegistry, encrypted: HostileRegistry
) -> None:
    for number, realm in enumerate((f"http://{encrypted.host}/token", f"http://{other.host}/token")):
        before = encrypted.connections, other.connections
        challenge = f'Bearer realm="{realm}",service="s",scope="x"'
        encrypted.say(f"/v2/t05/plain{number}/manifests/latest", reply(401, WWW_Authenticate=challenge))
        error_of(pull(server, f"{encrypted.host}/t05/plain{number}"))
        assert (encrypted.connections, other.connections) == (before[0] + 1, before[1])


def behind_a_token(registry: HostileRegistry, path: str, answer: bytes) -> None:
    """The answer is given to whoever shows the token that this registry hands out."""
    challenge = f'Bearer realm="{registry.url}/token",service="s",scope="x"'
    registry.say("/token", reply(200, json.dumps({"token": SECRET}).encode()))
    closed = reply(401, WWW_Authenticate=challenge)
    registry.say(path, lambda request: answer if request.authorization == f"Bearer {SECRET}" else closed)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_T05_a_redirect_of_manifest_and_blob_carries_no_credential(
    server: Server, registry: HostileRegistry, other: HostileRegistry, status: int
) -> None:
    model = filler(f"good/redirected{status}:latest", 5000)
    other.serve_model(model)
    paths = [
        f"/v2/{model.repository}/manifests/latest",
        *(f"/v2/{model.repository}/blobs/{blob.digest}" for blob in model.blobs),
    ]
    for path in paths:
        behind_a_token(registry, path, reply(status, Location=f"{other.url}{path}"))
    before = len(other.requests)
    assert_success(pull(server, f"{registry.host}/{model.name}"))
    arrived = other.requests[before:]
    assert {request.path for request in arrived} == set(paths)
    assert [request for request in arrived if request.authorization] == []


def test_T05_an_upload_that_is_sent_elsewhere_carries_no_credential(
    server: Server, registry: HostileRegistry, other: HostileRegistry
) -> None:
    """By the session's own address, and by the 307 of a part."""
    name = f"{registry.host}/good/upload:latest"
    server.post("/api/copy", {"source": "M", "destination": name})
    sent: dict[str, bytes] = {}

    def keep(request: Request) -> bytes:
        sent[request.path] = request.body
        return reply(201 if request.method == "PUT" else 202, Location=f"{other.url}/session")

    def part(request: Request) -> bytes:
        return reply(307, Location=f"{other.url}/part", Docker_Upload_Location=f"{registry.url}/commit")

    for route, location in (("redirected", f"{registry.url}/session"), ("elsewhere", f"{other.url}/session")):
        behind_a_token(registry, "/v2/good/upload/blobs/uploads/", reply(202, Location=location))
        registry.say("/session", part)
        registry.say("/commit", reply(201))
        registry.say("/v2/good/upload/manifests/latest", reply(201))
        other.say("/session", keep)
        other.say("/part", keep)
        before = len(other.requests)
        push(server, name)
        arrived = other.requests[before:]
        assert arrived or route == "elsewhere", "a session elsewhere may be refused, a part elsewhere is usual"
        assert [request for request in arrived if request.authorization] == []
    assert SECRET not in server.log


def test_T05_encryption_is_never_given_up_on_the_way(
    server: Server, other: HostileRegistry, encrypted: HostileRegistry
) -> None:
    model = filler("t05/downgraded:latest", 5000)
    encrypted.serve_model(model)
    other.serve_model(model)
    path = f"/v2/{model.repository}/blobs/{model.layers[0].digest}"
    encrypted.say(path, reply(307, Location=f"{other.url}{path}"))
    before = other.connections
    error_of(pull(server, f"{encrypted.host}/{model.name}"))
    assert other.connections == before


def test_a_registry_with_a_certificate_that_the_system_trusts_is_used(
    server: Server, encrypted: HostileRegistry
) -> None:
    model = filler("good/encrypted:latest", 5000)
    encrypted.serve_model(model)
    assert_success(pull(server, f"{encrypted.host}/{model.name}"))


def test_T08_a_certificate_that_nobody_trusts_ends_the_pull(encrypted: HostileRegistry, tmp_path: Path) -> None:
    with a_server(tmp_path / "strict", encrypted.host) as strict:
        model = filler("t08/selfsigned:latest", 5000)
        encrypted.serve_model(model)
        assert "certificate" in error_of(pull(strict, f"{encrypted.host}/{model.name}")).lower()
        assert listed(strict) == {}


class Targets:
    """Listeners that nobody may reach: on both loopback addresses where the system has both, with the same port."""

    def __init__(self) -> None:
        secret = json.dumps({"errors": [{"code": SECRET, "message": SECRET}], "token": SECRET}).encode()
        self.canary = Canary(reply(200, secret))

    def addresses(self) -> dict[str, str]:
        port = self.canary.port
        return {
            "127.0.0.1": f"127.0.0.1:{port}",
            "::1": f"[::1]:{port}",
            "0.0.0.0": f"0.0.0.0:{port}",
            "one number": f"2130706433:{port}",
            "short": f"127.1:{port}",
            "mapped": f"[::ffff:127.0.0.1]:{port}",
            "metadata": "169.254.169.254",
            "a name": f"localhost:{port}",
        }


@pytest.fixture(scope="module")
def targets() -> Iterator[Targets]:
    targets = Targets()
    with targets.canary:
        yield targets


ADDRESSES = Targets().addresses().keys()


@pytest.mark.parametrize("insecure", [False, True])
@pytest.mark.parametrize("address", ADDRESSES)
def test_T06_a_name_leads_to_no_host_that_is_not_listed(
    server: Server, targets: Targets, address: str, insecure: bool
) -> None:
    answer = server.post("/api/pull", {"model": f"{targets.addresses()[address]}/library/x", "insecure": insecure})
    assert answer.status in (400, 403)
    error_of(answer.lines)
    assert targets.canary.connections == 0


@pytest.mark.parametrize("what", ["manifests", "blobs", "token"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_T06_a_listed_registry_leads_to_no_host_that_is_not_listed(
    server: Server, registry: HostileRegistry, targets: Targets, address: str, what: str
) -> None:
    model = filler(f"t06/{what}-{list(ADDRESSES).index(address)}:latest", 1000)
    registry.serve_model(model)
    target = f"http://{targets.addresses()[address]}/latest/meta-data/"
    manifest, blob = (
        f"/v2/{model.repository}/manifests/latest",
        f"/v2/{model.repository}/blobs/{model.layers[0].digest}",
    )
    if what == "token":
        registry.say(manifest, reply(401, WWW_Authenticate=f'Bearer realm="{registry.url}/moved-token",service="s"'))
        registry.say("/moved-token", reply(307, Location=target))
    else:
        registry.say(blob if what == "blobs" else manifest, reply(302, Location=target))
    text = error_of(pull(server, f"{registry.host}/{model.name}"))
    assert targets.canary.connections == 0
    assert SECRET not in text


def test_T06_an_upload_leads_to_no_host_that_is_not_listed(
    server: Server, registry: HostileRegistry, targets: Targets
) -> None:
    name = f"{registry.host}/t06/upload:latest"
    server.post("/api/copy", {"source": "M", "destination": name})
    try:
        registry.say("/v2/t06/upload/manifests/latest", reply(201))
        for location in (f"{targets.canary.url}/session", f"{registry.url}/lured"):
            registry.say("/v2/t06/upload/blobs/uploads/", reply(202, Location=location))
            registry.say("/lured", reply(307, Location=f"{targets.canary.url}/part", Docker_Upload_Location="/lured"))
            error_of(push(server, name))
            assert targets.canary.connections == 0
    finally:
        server.request("DELETE", "/api/delete", {"model": name})


def test_T06_what_a_registry_says_is_not_repeated(server: Server, registry: HostileRegistry) -> None:
    path = "/v2/t06/talkative/manifests/latest"
    texts: list[Callable[[], bytes]] = [
        lambda: reply(400, SECRET.encode()),
        lambda: reply(403, json.dumps({"errors": [{"code": "DENIED", "message": SECRET}]}).encode()),
        lambda: reply(
            412, json.dumps({"errors": [{"code": f"\x1b[31m\n{'long ' * 1000}", "message": SECRET}]}).encode()
        ),
    ]
    for text in texts:
        registry.say(path, text())
        said = error_of(pull(server, f"{registry.host}/t06/talkative"))
        assert SECRET not in said
        assert len(said) < 300
    with suppress(KeyError):
        del registry.answers[path]
