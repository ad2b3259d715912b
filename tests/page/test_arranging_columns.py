"""Columns are moved, pinned and hidden, by pointer or by keys, and all may go on from one answer (contract §2.12)."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser import Visit
from tests.page.comparing import Windows, add, ask, card, question
from tests.page.rig import Site, fits, problems
from tests.page.upstream import Gate, Talker

MODELS = ("alpha:1b", "beta:2b", "gamma:3b")


def compared(site: Site, page: Page) -> None:
    """Three models have answered one question."""
    site.upstream.models = {name: Talker([f"{name} says hello."]) for name in MODELS}
    page.goto(site.at())
    add(page, "gamma:3b")
    ask(page, "First?")
    for letter, model in zip("ABC", MODELS, strict=True):
        expect(card(page, f"{letter}1")).to_contain_text(f"{model} says hello.")


def expect_order(page: Page, *names: str) -> None:
    """Of the cards on the page, as they are read and as they stand."""
    cards = page.locator("[data-card]")
    expect(cards).to_have_count(len(names))
    for place, name in enumerate(names):
        expect(cards.nth(place)).to_have_attribute("data-card", name)


def choose(page: Page, name: str, entry: str) -> None:
    """An entry of a card's menu."""
    card(page, name).get_by_role("button", name=f"More for {name}").click()
    card(page, name).get_by_role("menuitem", name=entry).click()


def head(page: Page, name: str) -> Locator:
    return card(page, name).get_by_role("heading")


def test_a_column_is_taken_by_its_head_and_put_elsewhere(site: Site, visit: Visit) -> None:
    page = visit.page
    compared(site, page)
    head(page, "C1").drag_to(card(page, "A1"))
    expect_order(page, "C1", "A1", "B1")
    head(page, "C1").drag_to(card(page, "A1"))
    expect_order(page, "A1", "C1", "B1")
    ask(page, "Second?")
    expect_order(page, "A1", "C1", "B1", "A2", "C2", "B2")
    boxes = [card(page, name).bounding_box() for name in ("A2", "C2", "B2")]
    assert [box["x"] for box in boxes if box] == sorted(box["x"] for box in boxes if box)
    page.reload()
    expect_order(page, "A1", "C1", "B1", "A2", "C2", "B2")
    page.get_by_role("button", name="New", exact=True).click()
    ask(page, "Another?")
    expect_order(page, "A1", "B1", "C1")


def test_keys_move_a_column_and_the_focus_stays_with_it(site: Site, visit: Visit) -> None:
    page = visit.page
    compared(site, page)
    menu = card(page, "A1").get_by_role("button", name="More for A1")
    menu.focus()
    page.keyboard.press("Enter")
    expect(card(page, "A1").get_by_role("menuitem", name="Ask all from here")).to_be_focused()
    expect(card(page, "A1").get_by_role("menuitem", name="Move left")).to_be_disabled()
    page.keyboard.press("ArrowDown")
    expect(card(page, "A1").get_by_role("menuitem", name="Move right")).to_be_focused()
    page.keyboard.press("Enter")
    expect_order(page, "B1", "A1", "C1")
    expect(menu).to_be_focused()
    page.keyboard.press("Control+k")
    page.keyboard.type("c1: move left")
    page.keyboard.press("Enter")
    expect_order(page, "B1", "C1", "A1")


def test_Y1_escape_closes_the_menu_and_stops_nothing(site: Site, visit: Visit) -> None:
    gate = Gate()
    site.upstream.models["alpha:1b"] = Talker(["Half", gate, " and whole."])
    page = visit.page
    page.goto(site.at())
    ask(page, "Go")
    expect(card(page, "A1")).to_contain_text("Half")
    menu = card(page, "A1").get_by_role("button", name="More for A1")
    menu.click()
    expect(card(page, "A1").get_by_role("menuitem", name="Ask all from here")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(card(page, "A1").get_by_role("menu")).not_to_be_visible()
    expect(menu).to_be_focused()
    gate.open()
    expect(card(page, "A1")).to_contain_text("Half and whole.")


def test_pinned_columns_stand_first_and_stay_first(site: Site, visit: Visit) -> None:
    page = visit.page
    compared(site, page)
    pin = card(page, "C1").get_by_role("button", name="Pin C in front")
    pin.click()
    expect_order(page, "C1", "A1", "B1")
    expect(pin).to_have_attribute("aria-pressed", "true")
    head(page, "B1").drag_to(card(page, "C1"))
    expect_order(page, "C1", "A1", "B1")
    head(page, "B1").drag_to(card(page, "A1"))
    expect_order(page, "C1", "B1", "A1")
    choose(page, "A1", "Pin in front")
    expect_order(page, "C1", "A1", "B1")
    choose(page, "A1", "Move left")
    expect_order(page, "A1", "C1", "B1")
    choose(page, "A1", "Unpin")
    pin.click()
    expect(pin).to_have_attribute("aria-pressed", "false")


def test_hidden_columns_are_named_and_keep_answering(site: Site, visit: Visit) -> None:
    page = visit.page
    compared(site, page)
    choose(page, "B1", "Hide")
    expect(page.get_by_text("1 hidden:")).to_be_visible()
    expect(page.get_by_role("button", name="Show", exact=True)).to_be_focused()
    choose(page, "A1", "Hide")
    expect(page.get_by_text("2 hidden:")).to_be_visible()
    expect_order(page, "C1")
    card(page, "C1").get_by_role("button", name="More for C1").click()
    expect(card(page, "C1").get_by_role("menuitem", name="Hide")).to_be_disabled()
    page.keyboard.press("Escape")
    ask(page, "Second?")
    expect(card(page, "C2")).to_contain_text("gamma:3b says hello.")
    page.reload()
    expect_order(page, "C1", "C2")
    page.get_by_role("button", name="Show B, beta:2b").click()
    expect_order(page, "B1", "C1", "B2", "C2")
    expect(card(page, "B2")).to_contain_text("beta:2b says hello.")
    page.get_by_role("button", name="Show", exact=True).click()
    expect_order(page, "A1", "B1", "C1", "A2", "B2", "C2")
    expect(page.get_by_text("hidden:")).not_to_be_attached()


def test_a_card_that_is_put_elsewhere_is_scrolled_as_it_was(site: Site, visit: Visit) -> None:
    lines = "\n\n".join(f"line {number}" for number in range(60))
    site.upstream.models = {name: Talker([lines]) for name in MODELS[:2]}
    page = visit.page
    page.goto(site.at())
    ask(page, "Go")
    for name in ("A1", "B1"):
        expect(card(page, name)).to_have_attribute("aria-busy", "false")
        card(page, name).get_by_text("line 30", exact=True).scroll_into_view_if_needed()
    choose(page, "A1", "Move right")
    expect_order(page, "B1", "A1")
    for name in ("A1", "B1"):
        expect(card(page, name).get_by_text("line 30", exact=True)).to_be_in_viewport()


def test_all_go_on_from_one_answer_and_then_each_from_its_own(site: Site, visit: Visit) -> None:
    page = visit.page
    compared(site, page)
    choose(page, "B1", "Ask all from here")
    expect(question(page)).to_be_focused()
    expect(page.get_by_text("All go on from B1")).to_be_visible()
    ask(page, "Second?")
    expect(card(page, "C2")).to_contain_text("gamma:3b says hello.")
    expect(page.get_by_text("All go on from B1")).not_to_be_attached()
    second = ["First?", "beta:2b says hello.", "Second?"]
    assert [said(body) for body in site.upstream.asked[3:]] == [second] * 3
    page.reload()
    expect(page.get_by_role("region", name="Turn 2")).to_contain_text("Goes on from B1")
    ask(page, "Third?")
    expect(card(page, "C3")).to_contain_text("gamma:3b says hello.")
    for model in MODELS:
        assert said(site.upstream.asked_of(model)[-1]) == [*second, f"{model} says hello.", "Third?"]


def said(body: dict[str, list[dict[str, str]]]) -> list[str]:
    return [message["content"] for message in body["messages"]]


def test_what_all_go_on_from_can_be_taken_back(site: Site, visit: Visit) -> None:
    page = visit.page
    compared(site, page)
    page.get_by_role("checkbox", name="Blind").check()
    card(page, "A1").get_by_role("button", name="Continue with only A").click()
    page.keyboard.press("Control+k")
    page.keyboard.type("c1: ask all")
    page.keyboard.press("Enter")
    expect(page.get_by_text("All go on from C1")).to_be_visible()
    expect(page.get_by_text("to A only")).not_to_be_attached()
    expect(page.get_by_role("button", name=re.compile("^Send"))).to_have_text("Send")
    page.get_by_role("button", name="Do not go on from C1").click()
    expect(page.get_by_text("All go on from C1")).not_to_be_attached()
    expect(page.get_by_role("button", name=re.compile("^Send"))).to_have_text("Send blind")


def test_Y6_on_a_phone_the_tabs_are_arranged_by_the_menu(site: Site, windows: Windows) -> None:
    page = windows(site, width=360, height=800).page
    page.goto(site.at())
    ask(page, "Go")
    expect(card(page, "A1")).to_contain_text("Hello there.")
    choose(page, "A1", "Move right")
    expect(page.get_by_role("tab").first).to_contain_text("B")
    choose(page, "A1", "Hide")
    expect(card(page, "B1")).to_be_visible()
    expect(page.get_by_text("1 hidden:")).to_be_visible()
    assert fits(page)


def test_Y3_the_menu_stands_in_nobodys_way(site: Site, windows: Windows) -> None:
    for scheme in ("light", "dark"):
        page = windows(site, scheme=scheme).page
        compared(site, page)
        choose(page, "B1", "Hide")
        choose(page, "A1", "Ask all from here")
        card(page, "C1").get_by_role("button", name="More for C1").click()
        expect(card(page, "C1").get_by_role("menuitem", name="Hide")).to_be_visible()
        assert problems(page) == []
