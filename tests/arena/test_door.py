"""Who may come in, and what is said to everybody else (contract arena §1.2)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from multidict import CIMultiDict
from starlette.routing import Route

from puna.arena.routes import ROUTES
from tests.arena.doors import GONE, Door, door

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPEN = {"/", "/static/{path:path}", "/favicon.ico", "/api/health"}
GUARDED = sorted(
    (method, re.sub(r"{\w+(:\w+)?}", "1", route.path))
    for route in ROUTES
    if isinstance(route, Route) and route.path not in OPEN
    for method in route.methods or ()
    if method != "HEAD"
)
MISSING = (401, "Missing or invalid Authorization header")
WRONG = (401, "Invalid authorization token")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened() -> AsyncIterator[Door]:
    async with door(GONE, max_body=2000) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def locked() -> AsyncIterator[Door]:
    async with door(GONE, token="sésame") as found:
        yield found


async def test_G1_every_answer_has_an_id_of_its_own(opened: Door) -> None:
    replies = [await opened.get(path) for path in ("/", "/api/health", "/api/models", "/nothing")]
    assert len({reply.headers["x-request-id"] for reply in replies}) == 4


async def test_G1_the_log_has_the_id_and_nothing_that_was_said(opened: Door, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "puna.requests"):
        reply = await opened.post("/api/chat", {"message": "a secret", "model": "m"})
    (record,) = caplog.records
    fields = vars(record)["fields"]
    assert (fields["id"], fields["models"]) == (reply.headers["x-request-id"], "m")
    assert "secret" not in str(fields)


@pytest.mark.parametrize(
    "body", [b"[1]", b'"text"', b"7", b"null", b"{", b"\xff\xfe", b"[" * 1000, b'{"a":' * 100 + b"1" + b"}" * 100]
)
async def test_G2_anything_but_an_object_is_no_body(opened: Door, body: bytes) -> None:
    assert (await opened.post("/api/chat", body)).told == (400, "Invalid JSON body")


async def test_G2_an_empty_body_equals_an_empty_object_and_null_is_absent(opened: Door) -> None:
    for body in (None, b" \n", {}, {"history": None, "message": None}):
        assert (await opened.post("/api/chat", body)).told == (400, "No messages provided")


async def test_G2_the_content_type_does_not_matter(opened: Door) -> None:
    reply = await opened.post("/api/chat", {"message": "x"}, Content_Type="text/plain")
    assert reply.told == (400, "No models selected")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
async def test_G2_numbers_that_are_none_are_told_by_their_field(opened: Door, number: str) -> None:
    body = f'{{"message": "x", "model_instances": [{{"model": "m", "top_p": {number}}}]}}'
    assert (await opened.post("/api/chat", body.encode())).told == (400, "Invalid top_p: must be a number")


async def test_G3_the_first_failure_is_reported(locked: Door) -> None:
    assert (await locked.post("/api/nothing", Host="evil.example")).status == 404
    assert (await locked.get("/api/chat", Host="evil.example")).status == 405
    assert (await locked.post("/api/chat", Host="evil.example", Origin="http://evil")).told == (403, "Host not allowed")
    assert (await locked.post("/api/chat", Origin="http://evil")).told == (403, "Origin not allowed")
    assert (await locked.post("/api/chat", b"{")).told == MISSING


async def test_G4_unknown_paths_and_wrong_methods(opened: Door) -> None:
    reply = await opened.get("/api/nothing")
    assert (reply.status, reply.json["error"]) == (404, "Resource not found")
    assert "details" in reply.json
    reply = await opened.get("/api/chat")
    assert (reply.told, reply.headers["allow"]) == ((405, "Method not allowed"), "POST")
    reply = await opened.post("/api/models")
    assert (reply.status, set(reply.headers["allow"].split(", "))) == (405, {"GET", "HEAD"})
    assert (await opened.request("HEAD", "/api/health")).status == 200


async def test_G4_a_person_at_a_wrong_address_gets_a_page_and_a_script_JSON(opened: Door) -> None:
    page = await opened.get("/nothing", Accept="text/html")
    assert (page.status, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert (await opened.get("/nothing")).json["error"] == "Resource not found"
    assert (await opened.get("/api/nothing", Accept="text/html")).json["error"] == "Resource not found"


@pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1", "[::1]:7860", "127.0.0.2:1"])
async def test_G5_T20_names_of_this_machine_are_let_in(opened: Door, host: str) -> None:
    assert (await opened.get("/api/health", Host=host)).status == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "localhost@evil", ""])
async def test_G5_T20_other_names_are_not(opened: Door, host: str) -> None:
    for path in ("/", "/api/health"):
        assert (await opened.get(path, Host=host)).status == 403


async def test_G5_T21_a_foreign_page_cannot_call(opened: Door) -> None:
    own = opened.url
    assert (await opened.get("/api/health", Origin=own)).status == 200
    for origin in ("http://evil.example", "null", f"{own}.evil.example", "http://127.0.0.1:1", "file://"):
        assert (await opened.get("/api/health", Origin=origin)).told == (403, "Origin not allowed")
    assert (await opened.get("/api/models", Sec_Fetch_Site="cross-site")).told == (403, "Origin not allowed")
    assert (await opened.get("/", Sec_Fetch_Site="cross-site")).status == 200  # a link to the page


async def test_C8_a_body_over_the_limit_is_413(opened: Door) -> None:
    assert (await opened.post("/api/chat", {"message": "x" * 2000})).told == (413, "Request body too large")


async def test_C8_no_CORS_header_unless_an_origin_is_set(opened: Door) -> None:
    reply = await opened.get("/api/health", Origin=opened.url)
    assert not [name for name in reply.headers if name.startswith("access-control")]
    assert (await opened.request("OPTIONS", "/api/chat", Origin=opened.url)).status == 405


async def test_C8_a_listed_origin_may_call() -> None:
    async with door(GONE, cors=frozenset(["https://lab.example"])) as opened:
        asked = {"Origin": "https://lab.example", "Access_Control_Request_Method": "POST"}
        reply = await opened.request("OPTIONS", "/api/chat", **asked, Access_Control_Request_Headers="authorization")
        assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, "https://lab.example")
        reply = await opened.get("/api/health", Origin="https://lab.example")
        assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, "https://lab.example")
        assert reply.headers["access-control-expose-headers"] == "X-Request-Id"  # by which an answer is cancelled
        assert (await opened.get("/api/health", Origin="https://evil.example")).status == 403


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_A1_A4_T19_everything_but_the_page_and_the_health_needs_the_token(
    locked: Door, method: str, path: str
) -> None:
    for sent in ({}, {"Authorization": "Bearer "}, {"Authorization": "Basic c2VzYW1l"}, {"Authorization": "sésame"}):
        reply = await locked.request(method, path, **sent)
        assert (reply.told, reply.headers["www-authenticate"]) == (MISSING, "Bearer")


async def test_A4_the_page_and_the_health_are_open(locked: Door) -> None:
    assert [(await locked.get(path)).status for path in ("/", "/api/health")] == [200, 200]
    assert [(await locked.get(path)).status for path in ("/static/x.js", "/favicon.ico")] == [404, 404]


async def test_A1_tokens_elsewhere_are_not_honoured(locked: Door) -> None:
    assert (await locked.get("/api/models?token=s%C3%A9same")).told == MISSING
    assert (await locked.get("/api/models", Cookie="token=sesame", X_Api_Key="sesame")).told == MISSING
    assert (await locked.post("/api/chat", {"token": "sésame"})).told == MISSING


async def test_A1_T22_two_tokens_at_once_are_none(locked: Door) -> None:
    sent = CIMultiDict([("Authorization", "Bearer sésame"), ("Authorization", "Bearer sésame")])
    async with locked.session.get(f"{locked.url}/api/models", headers=sent) as reply:
        assert (reply.status, (await reply.json())["error"]) == MISSING


@pytest.mark.parametrize("given", ["sesame", "sésam", "sésame!", "SÉSAME"])
async def test_A2_a_wrong_token(locked: Door, given: str) -> None:
    reply = await locked.get("/api/models", Authorization=f"Bearer {given}")
    assert (reply.told, reply.headers["www-authenticate"]) == (WRONG, "Bearer")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_A3_the_right_token_goes_on(locked: Door, scheme: str) -> None:
    assert (await locked.post("/api/chat", Authorization=f"{scheme} sésame")).told == (400, "No messages provided")


async def test_A3_without_a_token_the_header_is_ignored(opened: Door) -> None:
    assert (await opened.post("/api/chat", Authorization="Bearer x")).told == (400, "No messages provided")
