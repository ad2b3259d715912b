"""The page and its files (contract arena A4, G4, §2.13 R8, R9). A small folder stands for what Vite builds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from yarl import URL

from tests.arena.doors import GONE, Door, door

pytestmark = pytest.mark.asyncio(loop_scope="module")

POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
FILES = {
    "index.html": ("<!doctype html><title>Arena</title>", "text/html; charset=utf-8"),
    "theme.js": ("theme()", "text/javascript; charset=utf-8"),
    "favicon.svg": ("<svg/>", "image/svg+xml"),
    "assets/index-1a2b.js": ("app()", "text/javascript; charset=utf-8"),
    "assets/index-1a2b.css": ("a{}", "text/css; charset=utf-8"),
    "assets/font-1a2b.woff2": ("x", "font/woff2"),
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "page"
    for name, (text, _) in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "../secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(folder / "../secret.txt")
    return folder


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened(page: Path) -> AsyncIterator[Door]:
    async with door(GONE, page=page) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def unbuilt() -> AsyncIterator[Door]:
    async with door(GONE) as found:
        yield found


async def test_the_page_stands_at_the_root(opened: Door) -> None:
    reply = await opened.get("/")
    assert (reply.status, reply.body.decode()) == (200, FILES["index.html"][0])
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", FILES)
async def test_R9_its_files_come_with_their_types_and_may_be_kept(opened: Door, name: str) -> None:
    text, kind = FILES[name]
    reply = await opened.get(f"/static/{name}")
    assert (reply.status, reply.body.decode(), reply.headers["content-type"]) == (200, text, kind)
    kept = "public, max-age=31536000, immutable" if name.startswith("assets/") else "no-cache"
    assert reply.headers["cache-control"] == kept


async def test_what_did_not_change_is_not_sent_again(opened: Door) -> None:
    first = await opened.get("/static/theme.js")
    again = await opened.get("/static/theme.js", If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")


async def test_G4_HEAD_answers_and_nothing_else_is_allowed(opened: Door) -> None:
    for path in ("/", "/static/theme.js", "/favicon.ico"):
        reply = await opened.request("HEAD", path)
        assert (reply.status, reply.body) == (200, b"")
        assert (await opened.post(path)).told == (405, "Method not allowed")
    assert int((await opened.request("HEAD", "/static/theme.js")).headers["content-length"]) == len("theme()")


async def test_A4_browsers_find_the_icon_where_they_look(opened: Door) -> None:
    reply = await opened.get("/favicon.ico")
    assert (reply.status, reply.headers["content-type"]) == (200, "image/svg+xml")


@pytest.mark.parametrize(
    "path", ["nothing.js", "", "assets", "assets/", "../secret.txt", "..%2fsecret.txt", "%2e%2e/secret.txt",
             "assets/../../secret.txt", "//etc/passwd", "%2fetc/passwd", "link.txt", "theme.js%00", "a" * 300],
)  # fmt: skip
async def test_T01_nothing_outside_of_the_page_can_be_had(opened: Door, path: str) -> None:
    async with opened.session.get(URL(f"{opened.url}/static/{path}", encoded=True), allow_redirects=False) as reply:
        assert reply.status == 404
        assert b"secret" not in await reply.read()


@pytest.mark.parametrize("path", ["/", "/static/theme.js", "/favicon.ico", "/nothing", "/api/health", "/api/models"])
async def test_R8_every_answer_says_what_a_browser_may_do_with_it(opened: Door, path: str) -> None:
    for accepted in ("*/*", "text/html"):
        headers = (await opened.get(path, Accept=accepted)).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-request-id"]


async def test_T20_other_names_of_this_server_get_no_page(opened: Door) -> None:
    for path in ("/", "/static/theme.js", "/favicon.ico"):
        assert (await opened.get(path, Host="evil.example")).status == 403


async def test_a_page_that_is_not_built_says_how_to_build_it(unbuilt: Door) -> None:
    reply = await unbuilt.get("/")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert b"make setup" in reply.body
    assert b"/api" in reply.body
    assert (await unbuilt.get("/static/theme.js")).status == 404
