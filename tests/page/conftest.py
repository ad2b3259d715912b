"""What every test of the page gets: `site`, an arena of its own, and `visit`, a window in front of it.

`sites` and `windows` make others: an arena with a token, a narrow or a dark window.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from puna.arena.routes.page import BUILT
from tests.browser import Visit, browser
from tests.page.rig import Site, arena, visiting
from tests.page.upstream import Upstream


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the built page: someone may build it anew while the tests run."""
    assert (BUILT / "index.html").exists(), "the page is not built: make setup"
    return shutil.copytree(BUILT, tmp_path_factory.mktemp("built") / "page")


@pytest.fixture
def sites(page: Path) -> Iterator[Callable[..., Site]]:
    """Start an arena; the arguments are `rig.arena`'s."""
    with ExitStack() as stack:

        def start(**settings: Any) -> Site:
            return stack.enter_context(arena(Upstream(), page=page, **settings))

        yield start


@pytest.fixture
def site(sites: Callable[..., Site]) -> Site:
    """With the models `alpha:1b` and `beta:2b`, which say hello until a test gives them a script."""
    return sites()


@pytest.fixture
def windows(opened: Browser) -> Iterator[Callable[..., Visit]]:
    """Open a window in front of a site; the arguments are `rig.visiting`'s."""
    with ExitStack() as stack:

        def start(site: Site, **settings: Any) -> Visit:
            return stack.enter_context(visiting(opened, site, **settings))

        yield start


@pytest.fixture
def visit(windows: Callable[..., Visit], site: Site) -> Visit:
    return windows(site)
