"""What the network tests share: a repository on a scripted registry, impatience, names that resolve as a test says."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from puna.names import ModelName
from puna.registry.dialing import Resolve
from puna.registry.egress import Egress
from puna.registry.hosts import Registries
from puna.registry.identity import Identity
from puna.registry.patience import Patience
from puna.registry.repository import Repository

IMPATIENT = Patience(connect_s=2, stall_s=0.5, answer_s=1, commit_s=2, tries=1, first_pause_s=0)
SYSTEM_TLS = ssl.create_default_context()  # read once: the system's authorities take a while
DIGEST = "sha256:" + "a" * 64


async def loopback(host: str, port: int) -> Sequence[str]:
    """Every name means this machine."""
    return ("127.0.0.1",)


@asynccontextmanager
async def repository(
    home: Path,
    host: str,
    *,
    scheme: str = "http",
    also: str = "",
    resolve: Resolve = loopback,
    tls: ssl.SSLContext = SYSTEM_TLS,
) -> AsyncIterator[Repository]:
    """The repository `library/tiny:latest` of the registry at `host`; `also` lists more registries."""
    registries = Registries.parse(f"{scheme}://{host},{also}")
    name = ModelName.parse(f"{host}/library/tiny:latest")
    async with Egress(registries, patience=IMPATIENT, resolve=resolve, tls=tls) as egress:
        yield Repository(egress, registries.origin_of(name), name, Identity(home / ".ollama"))


class Authority:
    """A throw-away certificate authority; `client` trusts nothing else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test's own authority")])
        self._certificate = self._sign(self._name, self._key.public_key(), x509.BasicConstraints(True, None))
        self.file = folder / "authority.pem"
        self.file.write_bytes(self._certificate.public_bytes(Encoding.PEM))
        self.client = ssl.create_default_context(cafile=str(self.file))

    def server(self, *hosts: str) -> ssl.SSLContext:
        """The TLS context of a server that may call itself by these names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
        certificate = self._sign(subject, key.public_key(), names)
        file = self._folder / f"{hosts[0]}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(private + certificate.public_bytes(Encoding.PEM))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        return context

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        day = datetime.timedelta(days=1)
        builder = x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number(), now - day, now + day)
        critical = isinstance(extension, x509.BasicConstraints)
        return builder.add_extension(extension, critical=critical).sign(self._key, hashes.SHA256())


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
