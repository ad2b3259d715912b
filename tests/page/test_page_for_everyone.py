"""The Compare page on any screen, with keys alone, and for those who listen (contract arena §2.12 to §2.14)."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser import Visit
from tests.page.comparing import Windows, add, ask, card, instance, question
from tests.page.rig import Site, fits, problems
from tests.page.upstream import DIES, Gate, Talker, Thought


def test_everything_can_be_done_with_keys(site: Site, visit: Visit) -> None:
    page = visit.page
    page.goto(site.at())
    expect(instance(page, "alpha:1b")).to_be_visible()
    page.keyboard.press("i")
    page.keyboard.type("Two lines:")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("here")
    page.keyboard.press("Enter")
    expect(card(page, "B1")).to_contain_text("Hello there.")
    assert site.upstream.asked[0]["messages"][-1]["content"] == "Two lines:\nhere"
    page.locator("h1").evaluate("document.activeElement.blur()")
    page.keyboard.press("2")
    expect(card(page, "B1")).to_be_focused()
    page.keyboard.press("d")
    expect(page.get_by_role("dialog", name="What differs")).to_contain_text("100 % alike")
    page.keyboard.press("Escape")
    expect(card(page, "B1")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Next turn")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.keyboard.type("new comp")
    page.keyboard.press("Enter")
    expect(card(page, "A1")).not_to_be_attached()
    expect(question(page)).to_be_focused()


def test_Y2_single_keys_can_be_switched_off(site: Site, visit: Visit) -> None:
    page = visit.page
    page.goto(site.at())
    expect(instance(page, "alpha:1b")).to_be_visible()
    page.keyboard.press("?")
    page.get_by_role("checkbox", name="Single keys").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("m")
    expect(page.get_by_role("dialog")).not_to_be_attached()


def test_answers_have_as_many_columns_as_fit(site: Site, visit: Visit) -> None:
    site.upstream.models = {f"m{number}:1b": Talker() for number in range(6)}
    page = visit.page
    page.goto(site.at())
    columns = {2: (2, 2, 2, 2, 1), 3: (3, 3, 2, 1, 1), 4: (4, 2, 2, 1, 1), 5: (3, 3, 2, 1, 1), 6: (3, 3, 2, 1, 1)}
    for models, expected in columns.items():
        if models > 2:
            page.set_viewport_size({"width": 1700, "height": 900})
            add(page, f"m{models - 1}:1b")
            page.get_by_role("button", name="New").click()
        ask(page, "Go")
        expect(page.locator("[data-card]").last).to_contain_text("Hello there.")
        for width, count in zip((1700, 1280, 1000, 760, 360), expected, strict=True):
            page.set_viewport_size({"width": width, "height": 900})
            shown = models if count > 1 else 1
            expect(page.locator("[data-card]")).to_have_count(shown)
            boxes = [one.bounding_box() for one in page.locator("[data-card]").all()]
            assert len({round(box["x"]) for box in boxes if box}) == count, (models, width)
            assert fits(page), (models, width)


def test_Y6_a_phone_has_tabs_that_can_be_swiped(site: Site, windows: Windows) -> None:
    visit = windows(site, width=390, height=800)
    page = visit.page
    page.goto(site.at())
    ask(page, "Go")
    tabs = page.get_by_role("tab")
    expect(tabs).to_have_count(2)
    expect(tabs.first).to_have_attribute("aria-selected", "true")
    expect(card(page, "A1")).to_contain_text("Hello there.")
    expect(card(page, "B1")).not_to_be_attached()
    tabs.last.click()
    expect(card(page, "B1")).to_contain_text("Hello there.")
    _swipe(page, "#turns", 200)
    expect(card(page, "A1")).to_be_visible()
    assert fits(page)


def _swipe(page: Page, target: str, by: int) -> None:
    """A finger that goes `by` pixels to the right, as the browser tells it to a page."""
    page.evaluate(
        """([target, by]) => {
            const element = document.querySelector(target);
            const touch = x => new Touch({identifier: 1, target: element, clientX: x, clientY: 300});
            const tell = (kind, x) => element.dispatchEvent(
                new TouchEvent(kind, {bubbles: true, changedTouches: [touch(x)], touches: [touch(x)]}));
            tell("touchstart", 100);
            tell("touchend", 100 + by);
        }""",
        [target, by],
    )


def test_one_card_takes_the_whole_width_and_arrows_go_to_the_next(site: Site, visit: Visit) -> None:
    page = visit.page
    page.goto(site.at())
    ask(page, "Go")
    card(page, "A1").get_by_role("button", name="Show only A").click()
    expect(card(page, "B1")).not_to_be_attached()
    page.keyboard.press("ArrowRight")
    expect(card(page, "B1")).to_be_visible()
    expect(card(page, "A1")).not_to_be_attached()
    page.keyboard.press("Escape")
    expect(card(page, "A1")).to_be_visible()


def test_linked_cards_scroll_together_by_their_own_length(site: Site, visit: Visit) -> None:
    site.upstream.models["alpha:1b"] = Talker(["line\n\n" * 60])
    site.upstream.models["beta:2b"] = Talker(["line\n\n" * 120])
    page = visit.page
    page.goto(site.at())
    ask(page, "Go")
    one, two = (card(page, name).get_by_role("region") for name in ("A1", "B1"))
    expect(card(page, "B1")).to_have_attribute("aria-busy", "false")
    share = "element => element.scrollTop / (element.scrollHeight - element.clientHeight)"
    card(page, "A1").evaluate("element => element.focus()")
    page.keyboard.press("l")
    one.evaluate("element => element.scrollTo({top: (element.scrollHeight - element.clientHeight) / 2})")
    page.wait_for_timeout(100)
    assert two.evaluate(share) == pytest.approx(0.5, abs=0.02)
    assert one.evaluate(share) == pytest.approx(0.5, abs=0.02)


def test_R2_who_reads_further_up_is_left_there(site: Site, visit: Visit) -> None:
    more, end = Gate(), Gate()
    lines = "\n\n".join(f"line {number}" for number in range(60))
    site.upstream.models["alpha:1b"] = Talker([lines, more, "\n\nand more\n\nand more", end, "."])
    page = visit.page
    page.goto(site.at())
    ask(page, "Go")
    body = card(page, "A1").get_by_role("region")
    expect(body.get_by_text("line 59")).to_be_in_viewport()
    body.hover()
    page.mouse.wheel(0, -600)
    expect(body.get_by_text("line 59")).not_to_be_in_viewport()
    top = body.evaluate("element => element.scrollTop")
    more.open()
    card(page, "A1").get_by_role("button", name="New text").click()
    assert body.evaluate("element => element.scrollTop") > top
    expect(body.get_by_text("and more").last).to_be_in_viewport()
    end.open()
    expect(card(page, "A1")).to_have_attribute("aria-busy", "false")


def test_Y3_what_came_in_is_told_to_those_who_listen(site: Site, visit: Visit) -> None:
    site.upstream.models = {"alpha:1b": Talker(["Blue."])}
    visit.page.goto(site.at())
    visit.page.get_by_role("button", name="Remove alpha:1b").last.click()
    ask(visit.page, "Why?")
    expect(visit.page.get_by_role("status")).to_have_text(re.compile(r"A1 finished, 1 tokens?, [\d.]+ s\."))


def test_Y3_answers_can_be_shown_only_when_they_are_complete(site: Site, visit: Visit) -> None:
    gate = Gate()
    site.upstream.models["alpha:1b"] = Talker(["Half", gate, " and whole."])
    page = visit.page
    page.goto(site.at())
    page.get_by_role("button", name="View").click()
    page.get_by_role("checkbox", name="Show answers only when they are complete").check()
    page.keyboard.press("Escape")
    ask(page, "Go")
    expect(card(page, "A1").get_by_text("Writing")).to_be_visible()
    expect(card(page, "A1")).not_to_contain_text("Half")
    gate.open()
    expect(card(page, "A1")).to_contain_text("Half and whole.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_Y3_nothing_stands_in_the_way_of_anyone(
    site: Site, windows: Windows, scheme: Literal["light", "dark"], width: int
) -> None:
    site.upstream.models["alpha:1b"] = Talker(["Half", DIES])
    site.upstream.models["beta:2b"] = Talker([Thought("Hm."), "# One\n\n- two `code`"], reason="length")
    page = windows(site, scheme=scheme, width=width).page
    page.goto(site.at())
    expect(page.get_by_text("alpha:1b")).to_be_visible()
    assert problems(page) == []
    ask(page, "Go")
    expect(page.locator("[data-card][aria-busy=false]").first).to_be_visible()
    assert problems(page) == []
    assert fits(page)
    if width == 1280:
        card(page, "A1").evaluate("element => element.focus()")
        for key, name in (("m", "Add a model"), ("d", "What differs"), ("p", "Prompts"), ("?", "Keys")):
            page.keyboard.press(key)
            expect(page.get_by_role("dialog", name=name)).to_be_visible()
            assert problems(page) == [], name
            page.keyboard.press("Escape")


def test_R9_the_whole_page_is_small(page: Path) -> None:
    files = [file for file in page.rglob("*") if file.is_file()]
    assert 0 < sum(len(gzip.compress(file.read_bytes())) for file in files) <= 350_000
