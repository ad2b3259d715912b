"""The arena's page as a person has it: a stub upstream and the arena on real sockets, and a browser in front.

The servers run in a thread of their own, since Playwright's synchronous calls and a running loop cannot share one.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, Page, expect

from puna.arena.routes.page import BUILT
from tests.arena.doors import door
from tests.browser import Visit, browsing
from tests.client.fake_server import running
from tests.page.upstream import Upstream

_AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
_SERIOUS = ("serious", "critical")
_START_S = 20

expect.set_options(timeout=15_000)


@dataclass(frozen=True, slots=True)
class Site:
    """An arena in front of `upstream`."""

    url: str
    upstream: Upstream

    def at(self, place: str = "compare") -> str:
        """The address of a page, such as `battle/<id>`."""
        return f"{self.url}/#/{place}"


@contextmanager
def arena(upstream: Upstream, *, page: Path = BUILT, **settings: Any) -> Iterator[Site]:
    """`settings` are fields of `ArenaConfig`, and what `tests.arena.doors.door` takes beside them."""
    address: Future[str] = Future()
    leave = threading.Event()

    async def serve() -> None:
        try:
            async with running(upstream) as endpoint, door(endpoint, page=page, **settings) as opened:
                address.set_result(opened.url)
                await asyncio.to_thread(leave.wait)
        except BaseException as error:
            if address.done():
                raise
            address.set_exception(error)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="arena")
    thread.start()
    try:
        yield Site(address.result(_START_S), upstream)
    finally:
        leave.set()
        thread.join()


@contextmanager
def visiting(
    opened: Browser,
    site: Site,
    *,
    scheme: Literal["light", "dark"] = "light",
    width: int = 1280,
    height: int = 900,
    touch: bool = False,
) -> Iterator[Visit]:
    """A window. At its end: nothing was complained about, and nothing was asked for elsewhere (R8, R9)."""
    with browsing(opened, scheme=scheme, width=width, height=height, touch=touch) as visit:
        visit.page.set_default_timeout(15_000)
        yield visit
        assert visit.complaints == []
        assert [url for url in visit.requests if not url.startswith((f"{site.url}/", "data:", "blob:"))] == []


def forgive(visit: Visit, *texts: str) -> None:
    """Forget complaints that a test provoked, such as the browser's about a status `401`. There must be one of each."""
    for text in texts:
        told = [complaint for complaint in visit.complaints if text in complaint]
        assert told, (text, visit.complaints)
        for complaint in told:
            visit.complaints.remove(complaint)


def problems(page: Page) -> list[str]:
    """What axe finds to be serious or critical on the page as it stands (Y3)."""
    page.evaluate(_AXE.read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found
        if one["impact"] in _SERIOUS
        for node in one["nodes"]
    ]


def fits(page: Page) -> bool:
    """Whether the page can be read without scrolling sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))
