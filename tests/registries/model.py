"""A model as a registry holds it: blobs by digest and one manifest (contract ollama-store §2.3 to §2.5)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
WEIGHTS = "application/vnd.ollama.image.model"
TENSOR = "application/vnd.ollama.image.tensor"


@dataclass(frozen=True)
class Layer:
    """One blob: bytes, or a file for what should not be held in memory."""

    data: bytes | Path
    media_type: str = WEIGHTS

    @cached_property
    def digest(self) -> str:
        if isinstance(self.data, bytes):
            return f"sha256:{hashlib.sha256(self.data).hexdigest()}"
        with self.data.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"

    @property
    def size(self) -> int:
        return len(self.data) if isinstance(self.data, bytes) else self.data.stat().st_size

    @property
    def descriptor(self) -> dict[str, object]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True)
class Model:
    """`name` is what comes after the host in a model name, `namespace/model:tag`."""

    name: str
    layers: Sequence[Layer]

    @property
    def config(self) -> Layer:
        fields = {"model_format": "gguf", "model_family": "llama", "model_families": ["llama"], "model_type": "1M"}
        text = json.dumps({**fields, "file_type": "F16", "name": self.name})  # the name makes it a blob of its own
        return Layer(text.encode(), CONFIG)

    @property
    def repository(self) -> str:
        return self.name.rpartition(":")[0]

    @property
    def tag(self) -> str:
        return self.name.rpartition(":")[2]

    @property
    def description(self) -> dict[str, object]:
        """The manifest before it becomes text."""
        layers = [layer.descriptor for layer in self.layers]
        return {"schemaVersion": 2, "mediaType": MANIFEST, "config": self.config.descriptor, "layers": layers}

    @property
    def manifest(self) -> bytes:
        return json.dumps(self.description).encode()

    @property
    def blobs(self) -> Iterator[Layer]:
        yield from (*self.layers, self.config)

    @property
    def size(self) -> int:
        return sum(blob.size for blob in self.blobs)

    def publish(self, url: str) -> None:
        """Upload to the registry at `url` with the simplest requests that the protocol has."""
        registry = HTTPConnection(str(urlsplit(url).hostname), urlsplit(url).port, timeout=60)
        base = f"/v2/{self.repository}"
        for blob in self.blobs:
            if _status(registry, "HEAD", f"{base}/blobs/{blob.digest}") == 200:
                continue
            registry.request("POST", f"{base}/blobs/uploads/")
            with registry.getresponse() as answer:
                session = urlsplit(answer.headers["Location"])
            target = f"{session.path}?{session.query}&digest={blob.digest}"
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)}
            if isinstance(blob.data, bytes):
                assert _status(registry, "PUT", target, blob.data, headers) == 201
            else:
                with blob.data.open("rb") as file:
                    assert _status(registry, "PUT", target, file, headers) == 201
        headers = {"Content-Type": MANIFEST}
        assert _status(registry, "PUT", f"{base}/manifests/{self.tag}", self.manifest, headers) == 201
        registry.close()


def _status(
    registry: HTTPConnection, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
) -> int:
    registry.request(method, path, body, headers or {})  # type: ignore[arg-type] # bytes or an open file
    with registry.getresponse() as answer:
        answer.read()
        return answer.status
