"""A comparison is saved as a file from the page, and the file is harmless wherever it is opened (§2.10; threats T25)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from puna.arena.app import SAFETY
from puna.arena.exchange.card import render_card, session_card
from puna.arena.storage.session import Answer, Session, Turn
from tests.browser import browsing
from tests.page.comparing import ask, card
from tests.page.payloads import PAYLOADS
from tests.page.rig import Site, fits, problems
from tests.page.talk import Api
from tests.page.upstream import Talker

_TRAPS = """
  window.misdeeds = [];
  window.pwned = () => window.misdeeds.push('a script ran');
"""
# Whatever is not the card's own sheet, and whatever would be loaded.
_FOREIGN = """() => [
  ...document.querySelectorAll('script, iframe, object, embed, form, base, body style, main svg, main img, [style]'),
].map((element) => element.outerHTML)"""


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A card in which one answer after the other is a payload, and so is all that goes with it."""
    answers = tuple(
        Answer(
            {"id": str(place), "model": said, "endpoint": said, "seed": said, "system": said}, said, said, state="done"
        )
        for place, said in enumerate(PAYLOADS)
    )
    now = datetime.now(UTC)
    turn = Turn(1, "\n".join(PAYLOADS), 0, now, answers)
    path = tmp_path / "card.html"
    path.write_bytes(render_card(session_card(Session("x", "", PAYLOADS[0], (), now, now, (turn,)), 1, (), names=True)))
    return path


@contextmanager
def opened_at(browser: Browser, address: str, **served: Any) -> Iterator[Page]:
    """The card on a page of its own. At the end nothing ran, nothing else was asked for, nothing foreign stands in it."""
    with browsing(browser) as visit:
        page = visit.page
        page.on("dialog", lambda dialog: visit.complaints.append(dialog.message))
        page.add_init_script(_TRAPS)
        if served:
            page.route(address, lambda route: route.fulfill(**served))
        page.goto(address)
        page.mouse.move(300, 300)
        page.keyboard.press("Tab")
        yield page
        page.wait_for_load_state("networkidle")
        assert page.url == address
        assert page.evaluate("window.misdeeds") == []
        assert page.evaluate(_FOREIGN) == []
        assert [url for url in visit.requests if not url.startswith("data:")] == [address]
        sheets = "style-src 'self'"  # of the arena's policy, to which the card's own sheet is a stranger
        assert [said for said in visit.complaints if not (served and sheets in said)] == []


def test_T25_no_payload_does_anything_in_a_card_from_disk(opened: Browser, hostile: Path) -> None:
    """Not even where a browser would not heed the card's own policy."""
    whole = hostile.read_text(encoding="utf-8")
    for text in (whole, re.sub("<meta http-equiv=.Content-Security-Policy.*", "", whole)):
        hostile.write_text(text, encoding="utf-8")
        with opened_at(opened, hostile.as_uri()) as page:
            expect(page.locator("article")).to_have_count(len(PAYLOADS))
    assert "Content-Security-Policy" not in text


def test_T25_no_payload_does_anything_in_a_card_that_the_arena_serves(
    opened: Browser, site: Site, hostile: Path
) -> None:
    headers = SAFETY | {"Content-Type": "text/html; charset=utf-8"}
    with opened_at(opened, f"{site.url}/card.html", body=hostile.read_bytes(), headers=headers) as page:
        expect(page.locator("article")).to_have_count(len(PAYLOADS))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_card_reads_well_for_everyone(opened: Browser, site: Site, tmp_path: Path, scheme: Any) -> None:
    table = "| a | b |\n|---|--:|\n" + "| a long cell of words | 2 |\n" * 2
    site.upstream.models["alpha:1b"] = Talker([f"# One\n\n`x` and [y](https://e.example)\n\n{table}\n> so\n\n1. z"])
    api = Api(site)
    session = api.session("Why?", ("alpha:1b", "beta:2b"))
    path = tmp_path / "card.html"
    path.write_bytes(api.ask("GET", f"sessions/{session}/turns/1/card"))
    for width in (1280, 360):
        with browsing(opened, scheme=scheme, width=width) as visit:
            visit.page.goto(path.as_uri())
            assert fits(visit.page)
            assert problems(visit.page) == []
            assert visit.complaints == []
    beside = [box["y"] for box in boxes(opened, path)]
    assert len(set(beside)) == 1


def boxes(browser: Browser, path: Path) -> list[Any]:
    with browsing(browser) as visit:
        visit.page.goto(path.as_uri())
        return [found.bounding_box() for found in visit.page.locator("article").all()]


def saved(page: Page, names: bool) -> tuple[str, str]:
    """The file's name and its text."""
    page.get_by_role("button", name="Share").click()
    dialog = page.get_by_role("dialog", name="Share this comparison")
    dialog.get_by_role("checkbox", name="With the names of the models").set_checked(names)
    with page.expect_download() as coming:
        dialog.get_by_role("button", name="Save the file").click()
    expect(dialog).to_have_count(0)
    return coming.value.suggested_filename, Path(coming.value.path()).read_text(encoding="utf-8")


def test_a_turn_is_shared_from_its_prompt(site: Site, visit: Any) -> None:
    page: Page = visit.page
    page.goto(site.at("compare"))
    ask(page, "Who says hello?")
    for name in ("A1", "B1"):
        expect(card(page, name)).to_have_attribute("aria-busy", "false")
    name, text = saved(page, names=True)
    assert re.fullmatch(r"puna-comparison-\d{4}-\d\d-\d\d-turn-1\.html", name)
    assert all(part in text for part in ("Who says hello?", "Hello there.", "alpha:1b", "beta:2b"))
    name, text = saved(page, names=False)
    assert "Hello there." in text
    assert "alpha" not in text
    assert "beta" not in text


def test_a_decided_battle_is_shared_from_its_reveal(site: Site, visit: Any) -> None:
    page: Page = visit.page
    page.goto(site.at(f"battle/{Api(site).battle('Who is better?')}"))
    page.get_by_role("button", name="A better").click()
    expect(page.get_by_role("heading", name="You voted")).to_be_visible()
    name, text = saved(page, names=True)
    assert re.fullmatch(r"puna-battle-\d{4}-\d\d-\d\d\.html", name)
    assert all(part in text for part in ("Who is better?", "A is better", "alpha:1b", "beta:2b"))


def test_nothing_is_shared_before_it_is_complete(site: Site, visit: Any) -> None:
    api = Api(site)
    page: Page = visit.page
    battle = api.battle("Who is better?")
    page.goto(site.at(f"battle/{battle}"))
    expect(page.get_by_role("button", name="Tie")).to_be_enabled()
    assert page.get_by_role("button", name="Share").count() == 0
