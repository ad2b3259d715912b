"""Debian's Chromium, driven by Playwright, with an eye on everything that a page asks for or complains about.

`browsing` is one page in a window of its own, closed with the block.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, ViewportSize, sync_playwright

_PROGRAM = "chromium"
# The first keeps a process in reserve for every window. The others are what Playwright switches off: one list counts.
_WITHOUT = (
    "SpareRendererForSitePerProcess", "Translate", "PaintHolding", "HttpsUpgrades", "DestroyProfileOnBrowserClose",
    "DialMediaRouteProvider", "GlobalMediaControls", "ImprovedCookieControls", "LazyFrameLoading", "MediaRouter",
    "OptimizationHints", "AutoDeElevate",
)  # fmt: skip
# Without these, it looks up hosts of its maker's at every start.
_ARGUMENTS = (
    "--disable-gpu",
    "--disable-extensions",
    f"--disable-features={','.join(_WITHOUT)}",
    "--process-per-site",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def missing() -> str | None:
    """What to say where the program is not installed."""
    found = shutil.which(_PROGRAM)
    return None if found else f"{_PROGRAM} is not installed; Debian and Ubuntu: apt install {_PROGRAM}"


@contextmanager
def browser() -> Iterator[Browser]:
    """A headless browser, for one module: a start takes a second, but no coroutine can run while it is there.

    Raises `RuntimeError` where Chromium is not installed.
    """
    program = shutil.which(_PROGRAM)
    if program is None:
        raise RuntimeError(missing())
    with sync_playwright() as playwright:
        yield _launched(playwright, program)


def _launched(playwright: Playwright, program: str) -> Browser:
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []  # its sandbox refuses to serve root
    return playwright.chromium.launch(executable_path=program, args=[*_ARGUMENTS, *as_root])


@dataclass(frozen=True, slots=True)
class Visit:
    """A page, the addresses that were asked for, and what the console and the page's scripts complained about."""

    page: Page
    requests: list[str]
    complaints: list[str]


def _watched(page: Page) -> Visit:
    visit = Visit(page, [], [])

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            visit.complaints.append(message.text)

    page.on("request", lambda request: visit.requests.append(request.url))
    page.on("console", hear)
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    return visit


@contextmanager
def browsing(
    opened: Browser,
    *,
    scheme: Literal["light", "dark"] = "light",
    width: int = 1280,
    height: int = 900,
    touch: bool = False,
) -> Iterator[Visit]:
    """`touch`: fingers in the place of a mouse."""
    size: ViewportSize = {"width": width, "height": height}
    with opened.new_context(color_scheme=scheme, viewport=size, has_touch=touch, is_mobile=touch) as context:
        yield _watched(context.new_page())
