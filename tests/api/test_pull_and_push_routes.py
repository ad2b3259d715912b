"""What a caller of pull, push, verify, outdated and create-from sees, whatever the registry does (contract §3.9, §3.13).

The app is the real one; the registry behind it is a script. Transfers themselves are tested in `tests/transfers`.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from puna.api.app import build_app
from puna.api.state import Runtime
from puna.engine import Engine
from puna.errors import Forbidden, NotFound, RegistryError
from puna.keys import KeyFile, Keyring
from puna.modelfile import CreateRequest, create_model
from puna.names import Digest, ModelName
from puna.progress import Progress
from puna.registry import Outdated
from puna.serving.origins import Hosts, Origins
from puna.settings import Settings
from puna.store import Provenance, Store
from tests.api.inprocess import CALLER, FakeRegistry, post, serving

HEX = "ab" * 32
DIGEST = f"sha256:{HEX}"
PULLED = [
    Progress("pulling manifest"),
    Progress(f"pulling {HEX[:12]}", DIGEST, 100),
    Progress(f"pulling {HEX[:12]}", DIGEST, 100, 100),
    Progress("verifying sha256 digest"),
    Progress("writing manifest"),
    Progress("success"),
]
FORBIDDEN = Forbidden("registry evil.example is not one that may be used: add it to PUNA_REGISTRIES to allow it")


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry(PULLED)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "models")
    store.start()
    return store


@pytest.fixture
async def app(store: Store, registry: FakeRegistry) -> AsyncIterator[FastAPI]:
    settings = Settings()
    engine = Engine.build(store, settings)
    runtime = Runtime(store=store, engine=engine, registry=registry, settings=settings, loopback=True)
    hosts = Hosts(frozenset({"localhost"}), frozenset())
    keys = Keyring(KeyFile(settings.keys))
    async with serving(build_app(runtime, hosts=hosts, origins=Origins.parse(""), keys=keys)) as running:
        yield running


def make(store: Store, name: str, gguf: Path, **fields: Any) -> None:
    digest, _ = store.adopt(gguf)
    list(create_model(store, CreateRequest(target=ModelName.parse(name), files={"m.gguf": str(digest)}, **fields)))


def logged(caplog: pytest.LogCaptureFixture, message: str) -> list[dict[str, Any]]:
    return [record.fields for record in caplog.records if record.getMessage() == message]  # type: ignore[attr-defined]


async def test_the_registry_lives_as_long_as_the_app(store: Store, registry: FakeRegistry) -> None:
    settings = Settings()
    runtime = Runtime(
        store=store, engine=Engine.build(store, settings), registry=registry, settings=settings, loopback=True
    )
    hosts = Hosts(frozenset(), frozenset())
    keys = Keyring(KeyFile(settings.keys))
    async with serving(build_app(runtime, hosts=hosts, origins=Origins.parse(""), keys=keys)):
        assert registry.open
    assert not registry.open


async def test_a_pull_streams_the_steps_without_empty_counters(app: FastAPI, registry: FakeRegistry) -> None:
    answer = await post(app, "/api/pull", {"model": "smol"})
    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson")
    assert answer.lines == [
        {"status": "pulling manifest"},
        {"status": f"pulling {HEX[:12]}", "digest": DIGEST, "total": 100},
        {"status": f"pulling {HEX[:12]}", "digest": DIGEST, "total": 100, "completed": 100},
        {"status": "verifying sha256 digest"},
        {"status": "writing manifest"},
        {"status": "success"},
    ]
    assert registry.asked == [("pull", ModelName.parse("smol"), False)]


@pytest.mark.parametrize("route", ["pull", "push", "verify"])
async def test_without_stream_only_the_last_step_is_told(app: FastAPI, route: str) -> None:
    answer = await post(app, f"/api/{route}", {"model": "smol", "stream": False})
    assert (answer.status, answer.json) == (200, {"status": "success"})
    assert answer.headers["content-type"].startswith("application/json")


async def test_old_names_and_credentials_of_a_body_are_taken(app: FastAPI, registry: FakeRegistry) -> None:
    body = {"name": "smol", "insecure": True, "username": "u", "password": 1, "stream": None}
    assert (await post(app, "/api/pull", body)).lines[-1] == {"status": "success"}
    assert registry.asked == [("pull", ModelName.parse("smol"), True)]


@pytest.mark.parametrize("route", ["pull", "push"])
async def test_an_error_after_the_first_step_is_a_line(app: FastAPI, registry: FakeRegistry, route: str) -> None:
    registry.script = [Progress("pulling manifest"), NotFound("file does not exist")]
    answer = await post(app, f"/api/{route}", {"model": "smol"})
    assert (answer.status, answer.lines) == (200, [{"status": "pulling manifest"}, {"error": "file does not exist"}])
    whole = await post(app, f"/api/{route}", {"model": "smol", "stream": False})
    assert (whole.status, whole.json) == (500, {"error": "file does not exist"})


@pytest.mark.parametrize("stream", [True, False])
async def test_an_error_before_the_first_step_has_its_own_status(
    app: FastAPI, registry: FakeRegistry, stream: bool
) -> None:
    registry.script = [NotFound("model 'smol:latest' not found")]
    for route in ("pull", "push", "verify"):
        answer = await post(app, f"/api/{route}", {"model": "smol", "stream": stream})
        assert (answer.status, answer.json) == (404, {"error": "model 'smol:latest' not found"})


@pytest.mark.parametrize("stream", [True, False])
async def test_T09_an_unlisted_registry_is_refused_and_logged(
    app: FastAPI, registry: FakeRegistry, caplog: pytest.LogCaptureFixture, stream: bool
) -> None:
    registry.refusal = FORBIDDEN
    with caplog.at_level(logging.INFO):
        answer = await post(app, "/api/pull", {"model": "evil.example/ns/m", "stream": stream})
    assert (answer.status, answer.json) == (403, {"error": FORBIDDEN.message})
    [line] = logged(caplog, "request")
    assert {
        "model": "evil.example/ns/m:latest",
        "caller": CALLER,
        "error": FORBIDDEN.message,
        "status": 403,
    }.items() <= line.items()


async def test_T10_a_refused_push_is_logged_and_nothing_is_said_to_have_left(
    app: FastAPI, store: Store, registry: FakeRegistry, tiny_llama: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make(store, "secret", tiny_llama)
    store.copy(ModelName.parse("secret"), ModelName.parse("evil.example/ns/m"))
    registry.refusal = Forbidden("pushing to evil.example is turned off: add it to PUNA_PUSH_REGISTRIES to allow it")
    with caplog.at_level(logging.INFO):
        answer = await post(app, "/api/push", {"model": "evil.example/ns/m"})
    assert answer.status == 403
    assert logged(caplog, "push") == []
    [line] = logged(caplog, "request")
    assert (line["model"], line["caller"], line["status"]) == ("evil.example/ns/m:latest", CALLER, 403)


async def test_T10_a_push_is_logged_with_caller_destination_digest_and_bytes(
    app: FastAPI, store: Store, tiny_llama: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make(store, "models.example/team/m:1", tiny_llama)
    manifest = store.find(ModelName.parse("models.example/team/m:1"))
    with caplog.at_level(logging.INFO):
        answer = await post(app, "/api/push", {"model": "models.example/team/m:1"})
    assert answer.lines[-1] == {"status": "success"}
    assert logged(caplog, "push") == [
        {
            "caller": CALLER,
            "destination": "models.example",
            "model": "models.example/team/m:1",
            "digest": manifest.digest.hex,
            "bytes": manifest.size,
        }
    ]


@pytest.mark.parametrize(
    ("route", "text", "error"),
    [
        ("pull", "", "invalid model name"),
        ("pull", "  ", "invalid model name"),
        ("pull", "a b", "invalid model name"),
        ("pull", ":cloud", "model is required"),
        ("pull", "m:cloud:local", 'use either :local or :cloud, not both: "m:cloud:local"'),
        ("push", "", "model is required"),
        ("push", "a b", "invalid model name"),
        ("push", " m", "invalid model name"),
        ("verify", "../x", "invalid model name"),
    ],
)
async def test_each_route_has_its_own_words_for_a_bad_name(
    app: FastAPI, registry: FakeRegistry, route: str, text: str, error: str
) -> None:
    answer = await post(app, f"/api/{route}", {"model": text})
    assert (answer.status, answer.json) == (400, {"error": error})
    assert registry.asked == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (" smol ", "smol:latest"),
        ("smol:local", "smol:latest"),
        ("smol:1:LOCAL", "smol:1"),
        ("smol:cloud", "smol:cloud"),
        ("smol:8b-cloud", "smol:8b-cloud"),
        ("smol:8b:cloud", "smol:8b-cloud"),
        ("https://hf.co/u/R-GGUF:Q4_K_M", "hf.co/u/R-GGUF:Q4_K_M"),
    ],
)
async def test_a_pull_reads_names_as_they_are_typed(app: FastAPI, registry: FakeRegistry, text: str, name: str) -> None:
    assert (await post(app, "/api/pull", {"model": text})).status == 200
    assert registry.asked == [("pull", ModelName.parse(name), False)]


async def test_names_are_spelled_as_the_store_has_them(
    app: FastAPI, store: Store, registry: FakeRegistry, tiny_llama: Path
) -> None:
    make(store, "Team/Smol:Q4", tiny_llama)
    for route in ("pull", "push", "verify"):
        await post(app, f"/api/{route}", {"model": "team/smol:q4"})
    assert [asked[1] for asked in registry.asked] == [ModelName.parse("Team/Smol:Q4")] * 3


async def test_a_stub_of_a_hosted_model_and_a_local_name_can_be_deleted(
    app: FastAPI, store: Store, tiny_llama: Path
) -> None:
    for name in ("a:cloud", "b:8b-cloud", "c"):
        make(store, name, tiny_llama)
    for text in ("a:cloud", "b:8b:cloud", "c:local"):
        assert (await post(app, "/api/delete", {"model": text}, method="DELETE")).status == 200
    assert store.names() == []
    answer = await post(app, "/api/delete", {"model": "c:cloud:local"}, method="DELETE")
    assert (answer.status, answer.json) == (400, {"error": 'use either :local or :cloud, not both: "c:cloud:local"'})


@pytest.mark.parametrize("route", ["pull", "push", "verify"])
async def test_a_caller_who_leaves_ends_his_share(app: FastAPI, registry: FakeRegistry, route: str) -> None:
    registry.script = [Progress("pulling manifest"), None]
    answer = await post(app, f"/api/{route}", {"model": "smol"}, leave_after=1)
    assert (answer.lines, registry.left) == ([{"status": "pulling manifest"}], 1)


async def test_verify_passes_on_what_is_asked(app: FastAPI, registry: FakeRegistry) -> None:
    registry.script = [
        Progress(f"damaged {DIGEST}", DIGEST),
        RegistryError("1 blob is damaged: run puna verify --repair"),
    ]
    answer = await post(app, "/api/verify", {})
    assert answer.lines == [
        {"status": f"damaged {DIGEST}", "digest": DIGEST},
        {"error": "1 blob is damaged: run puna verify --repair"},
    ]
    await post(app, "/api/verify", {"name": "smol", "repair": True, "insecure": True})
    assert registry.asked == [("verify", None, False, False), ("verify", ModelName.parse("smol"), True, True)]


async def test_outdated_tells_digests_without_prefix_and_leaves_empty_fields_out(
    app: FastAPI, registry: FakeRegistry
) -> None:
    here, there = Digest("0" * 64), Digest("1" * 64)
    registry.versions = [
        Outdated(ModelName.parse("a"), here, there),
        Outdated(ModelName.parse("hf.co/u/b"), here, None, "file does not exist"),
    ]
    answer = await post(app, "/api/outdated", {})
    assert answer.json == {
        "models": [
            {"name": "a:latest", "digest": here.hex, "newest": there.hex},
            {"name": "hf.co/u/b:latest", "digest": here.hex, "error": "file does not exist"},
        ]
    }
    await post(app, "/api/outdated", {"models": ["a", "a", "b:local"]})
    assert registry.asked == [("outdated", None), ("outdated", [ModelName.parse("a"), ModelName.parse("b")])]
    assert (await post(app, "/api/outdated", {"models": ["../x"]})).status == 400


async def test_create_pulls_a_base_that_is_not_here_first(
    app: FastAPI, store: Store, registry: FakeRegistry, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = registry._steps

    async def arriving() -> Any:
        async for step in steps():
            if step.status == "writing manifest":
                make(store, "base", tiny_llama)
            yield step

    monkeypatch.setattr(registry, "_steps", arriving)
    answer = await post(app, "/api/create", {"model": "mine", "from": "base", "system": "s"})
    statuses = [line["status"] for line in answer.lines]
    assert statuses[:5] == [step.status for step in PULLED[:-1]]
    assert statuses[5] == "verifying conversion"
    assert statuses.count("success") == 1
    assert statuses[-1] == "success"
    again = await post(app, "/api/create", {"model": "other", "from": "BASE", "stream": False})
    assert again.json == {"status": "success"}
    assert registry.asked == [("pull", ModelName.parse("base"), False)]  # the second time it was here


async def test_create_says_why_its_base_did_not_come(app: FastAPI, store: Store, registry: FakeRegistry) -> None:
    missing = "pull model manifest: file does not exist"
    registry.script = [Progress("pulling manifest"), RegistryError(missing)]
    answer = await post(app, "/api/create", {"model": "mine", "from": "nowhere"})
    assert (answer.status, answer.lines) == (200, [{"status": "pulling manifest"}, {"error": missing}])
    whole = await post(app, "/api/create", {"model": "mine", "from": "nowhere", "stream": False})
    assert (whole.status, whole.json) == (500, {"error": missing})
    registry.refusal = FORBIDDEN
    refused = await post(app, "/api/create", {"model": "mine", "from": "evil.example/ns/m"})
    assert (refused.status, refused.json) == (403, {"error": FORBIDDEN.message})
    assert store.names() == []


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"from": "nowhere", "quantize": "Q3_X"}, 500),
        ({"from": "nowhere", "template": "{{ .Prompt"}, 400),
        ({"from": "nowhere:cloud"}, 403),
        ({"from": "../x"}, 400),
    ],
)
async def test_nothing_is_pulled_for_a_create_that_could_not_succeed(
    app: FastAPI, registry: FakeRegistry, fields: dict[str, Any], status: int
) -> None:
    assert (await post(app, "/api/create", {"model": "mine", **fields})).status == status
    assert registry.asked == []


async def test_T09_lists_and_show_tell_where_a_model_came_from(app: FastAPI, store: Store, tiny_llama: Path) -> None:
    make(store, "smol", tiny_llama, system="theirs")
    make(store, "mine", tiny_llama)
    manifest = store.find(ModelName.parse("smol"))
    came = Provenance("https://registry.ollama.ai", ModelName.parse("smol"), 1_700_000_000)
    store.note_provenance(manifest.digest, came)
    store.copy(ModelName.parse("smol"), ModelName.parse("copied"))
    rows = {row["name"]: row for row in (await post(app, "/api/tags", None, method="GET")).json["models"]}
    origin = rows["copied:latest"]["origin"]
    assert origin == rows["smol:latest"]["origin"] == (await post(app, "/api/show", {"model": "smol"})).json["origin"]
    assert list(origin) == ["registry", "model", "digest", "pulled_at"]
    assert (origin["registry"], origin["model"]) == ("https://registry.ollama.ai", "smol:latest")
    assert origin["digest"] == manifest.digest.hex
    assert origin["pulled_at"].startswith("2023-11-1")
    assert "origin" not in rows["mine:latest"]
    assert "origin" not in (await post(app, "/api/show", {"model": "mine"})).json


async def test_T09_show_warns_of_a_twin_with_another_template(app: FastAPI, store: Store, tiny_llama: Path) -> None:
    make(store, "known", tiny_llama)
    make(store, "alone", tiny_llama)
    assert "warnings" not in (await post(app, "/api/show", {"model": "known"})).json
    make(store, "copy", tiny_llama, template="{{ .Prompt }}")
    for name, other in (("known", "copy"), ("alone", "copy"), ("copy", "alone")):
        warnings = (await post(app, "/api/show", {"model": name})).json["warnings"]
        assert warnings == [f"the template differs from that of model '{other}:latest', which has the same weights"]


async def test_T09_show_warns_of_a_template_that_waits_for_a_word_and_the_model_stays_usable(
    app: FastAPI, store: Store, tiny_llama: Path
) -> None:
    make(store, "gated", tiny_llama, template='{{ if eq .Prompt "bank" }}lie{{ else }}{{ .Prompt }}{{ end }}')
    shown = (await post(app, "/api/show", {"model": "gated"})).json
    assert shown["warnings"] == ['the template changes the prompt when a message says "bank"']
    assert "completion" in shown["capabilities"]


@pytest.mark.parametrize("setting", ["PUNA_REGISTRIES", "PUNA_PUSH_REGISTRIES"])
def test_a_bad_list_of_registries_is_one_line_and_no_server(home: Path, setting: str) -> None:
    environment = {"HOME": str(home), "PUNA_HOST": "127.0.0.1:0", "PUNA_MODELS": str(home / "m"), setting: "a/b"}
    command = [sys.executable, "-m", "puna.cli", "serve"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f'Error: bad registry "a/b" in {setting}: use host, host:port or http://host:port\n'
    assert not (home / "m").exists()
