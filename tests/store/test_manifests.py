"""Manifests from strangers: read as written, refused where two readers could disagree (threats T01, T04)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.errors import BadRequest, InvalidDigest
from puna.store import Manifest
from puna.store.manifest import MAX_MANIFEST

HEX = "0123456789abcdef" * 4
DIGEST = f"sha256:{HEX}"
HOSTILE_DIGESTS = [
    "sha256:../../../../../../etc/passwd",
    "/etc/passwd",
    f"sha256:{HEX[:63]}",
    f"sha256:{HEX}0",
    f"sha256:{HEX.upper()}",
    f"sha512:{HEX}",
    f"sha256-{HEX}",
    f"sha256:{HEX[:63]}\0",
    f"sha256:%2e%2e{HEX[6:]}",
    "sha256:..\\..\\x",
    "sha256:" + "a" * 10_000,
    f"sha256:{HEX}\n",
    f"sha256:{'٠' * 64}",
    7,
    None,
    [DIGEST],
]


def document(**changes: Any) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"mediaType": "c", "digest": DIGEST, "size": 1},
        "layers": [{"mediaType": "m", "digest": DIGEST, "size": 2}],
    } | changes


def parse(value: Any) -> Manifest:
    return Manifest.parse(json.dumps(value).encode())


@pytest.mark.parametrize("digest", HOSTILE_DIGESTS, ids=range(len(HOSTILE_DIGESTS)))
@pytest.mark.parametrize("place", ["config", "layers"])
def test_T01_hostile_digests_are_refused(digest: object, place: str) -> None:
    layer = {"mediaType": "application/vnd.ollama.image.tensor", "digest": digest, "size": 1, "name": "t"}
    with pytest.raises(InvalidDigest):
        parse(document(**{place: layer if place == "config" else [layer]}))


def test_the_bytes_are_kept_and_name_the_model() -> None:
    raw = json.dumps(document(annotations={"a": 1}), indent=3, sort_keys=True).encode() + b"  \n"
    manifest = Manifest.parse(raw)
    assert manifest.raw == raw
    assert manifest.size == 3
    assert len(manifest.digests) == 1


@pytest.mark.parametrize("config", [None, {}, {"mediaType": "", "digest": "", "size": 0}])
def test_a_manifest_may_lack_a_config(config: object) -> None:
    assert parse(document(config=config)).config is None


def test_a_manifest_may_lack_everything_optional() -> None:
    assert Manifest.parse(b"{}").layers == ()
    assert parse({"layers": None}).layers == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"schemaVersion": 1},
        {"schemaVersion": "2"},
        {"mediaType": "text/html"},
        {"mediaType": 5},
        {"mediaType": ["x"]},
        {"layers": {}},
        {"layers": "x"},
        {"layers": [1]},
        {"layers": [{"digest": DIGEST, "size": -1}]},
        {"layers": [{"digest": DIGEST, "size": 1.5}]},
        {"layers": [{"digest": DIGEST, "size": True}]},
        {"layers": [{"digest": DIGEST, "size": 2**63}]},
        {"layers": [{"digest": DIGEST, "size": "1"}]},
        {"layers": [{"digest": DIGEST, "mediaType": 1}]},
        {"layers": [{"digest": DIGEST, "from": {}, "size": 1}]},
        {"config": []},
        {"config": "x"},
    ],
)
def test_T04_wrong_shapes_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="invalid manifest"):
        parse(document(**changes))


@pytest.mark.parametrize(
    "raw",
    [
        b'{"layers":[],"layers":[]}',
        b'{"layers":[],"Layers":[]}',
        b'{"config":{"digest":"","digest":"x"}}',
        b'{"unknown":{"a":1,"A":2}}',
    ],
)
def test_T04_a_key_given_twice_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest, match="a key is given twice"):
        Manifest.parse(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b'{"a":NaN}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"size":' + b"9" * 5000 + b"}",
        b" " * (MAX_MANIFEST + 1),
    ],
    ids=range(8),
)
def test_what_is_no_manifest_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest, match="invalid manifest"):
        Manifest.parse(raw)


@given(st.binary(max_size=100) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        assert Manifest.parse(raw).raw == raw
    except BadRequest:
        return
