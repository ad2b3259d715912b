"""The HTML report in a real browser: nothing leaves the file, nothing is complained about, everything is in its place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser

from tests.browser import browser, browsing
from tests.meter.sample_runs import laptop, result, run
from tests.meter.test_report_envelope import EVIL
from tests.meter.test_report_html import report


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(report(laptop()), encoding="utf-8")
    return path


@pytest.mark.parametrize(("scheme", "paper"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(16, 23, 28)")])
def test_the_report_opens_in_light_and_dark_and_asks_for_nothing(
    opened: Browser, file: Path, scheme: Literal["light", "dark"], paper: str
) -> None:
    with browsing(opened, scheme=scheme) as visit:
        visit.page.goto(file.as_uri())
        assert visit.page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == paper
        assert visit.page.locator("h1").inner_text().startswith("smollm2:135m is the fastest here")
        assert visit.page.locator("figure svg").count() == 5
        assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert visit.page.screenshot(full_page=True)
        assert visit.requests == [file.as_uri()]
        assert visit.complaints == []


def test_labels_are_inside_their_drawings_and_words_are_read_to_those_who_listen(opened: Browser, file: Path) -> None:
    with browsing(opened) as visit:
        visit.page.goto(file.as_uri())
        outside = visit.page.evaluate(
            """() => [...document.querySelectorAll("figure svg")].flatMap(svg => {
                const box = svg.getBoundingClientRect();
                return [...svg.querySelectorAll("text")].filter(text => {
                    const own = text.getBoundingClientRect();
                    return own.left < box.left - 1 || own.right > box.right + 1 || own.bottom > box.bottom + 1;
                }).map(text => text.textContent);
            })"""
        )
        assert outside == []
        assert visit.page.get_by_role("img", name="Size against decode speed").count() == 1
        assert visit.page.get_by_role("table", name="Every model, the fastest first").count() == 1


def test_a_narrow_window_scrolls_tables_and_not_the_page(opened: Browser, file: Path) -> None:
    with browsing(opened, width=390, height=800) as visit:
        visit.page.goto(file.as_uri())
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_C6_hostile_names_run_nothing_and_are_shown_as_text(opened: Browser, tmp_path: Path) -> None:
    path = tmp_path / "evil.html"
    path.write_text(report(run(result(EVIL), result("<img src=x onerror=alert(1)>"))), encoding="utf-8")
    with browsing(opened) as visit:
        dialogs: list[object] = []
        visit.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        visit.page.goto(path.as_uri())
        assert "<img src=x onerror=alert(1)>" in visit.page.locator("main").inner_text()
        assert visit.page.locator("main img, script").count() == 0
        assert (visit.requests, visit.complaints, dialogs) == ([path.as_uri()], [], [])


def test_it_prints_dark_on_white(opened: Browser, file: Path) -> None:
    with browsing(opened, scheme="dark") as visit:
        visit.page.goto(file.as_uri())
        visit.page.emulate_media(media="print")
        assert visit.page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
        assert visit.page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
        assert visit.page.pdf().startswith(b"%PDF")
