"""What a card says before its answer comes, and how an answer that ended too early goes on (contract §2.12, §2.15)."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.browser import Visit
from tests.page.comparing import ask, card
from tests.page.rig import Site
from tests.page.upstream import Gate, Json, Script, Talker


def cut(body: Json) -> Script:
    return ["is a bird."] if body["messages"][-1]["role"] == "assistant" else ["An owl "]


def go_on(found: Locator) -> Locator:
    return found.get_by_role("button", name="Continue", exact=True)


def compared(site: Site, visit: Visit, talker: Talker) -> Page:
    """One question to it, in column A, and to another; the answers are on their way."""
    site.upstream.models["alpha:1b"] = talker
    visit.page.goto(site.at("compare"))
    ask(visit.page, "What is it?")
    return visit.page


def test_a_model_is_loaded_first_and_reads_then(site: Site, visit: Visit) -> None:
    gate = Gate()
    talker = Talker([gate, "Done."], loaded=False)
    page = compared(site, visit, talker)
    expect(card(page, "A1").locator("header")).to_contain_text("Loading the model")
    talker.loaded = True
    expect(card(page, "A1").locator("header")).to_contain_text("Reading")
    gate.open()
    expect(card(page, "A1")).to_contain_text("Done.")


def test_an_answer_that_was_cut_goes_on_where_it_stopped(site: Site, visit: Visit) -> None:
    page = compared(site, visit, Talker(cut, reason="length"))
    found = card(page, "A1")
    expect(found.get_by_text("cut off")).to_be_visible()
    go_on(found).click()
    expect(found).to_contain_text("An owl is a bird.")
    expect(found.get_by_text("in 2 parts")).to_be_visible()
    expect(found).to_contain_text("2 tokens")
    page.reload()
    expect(card(page, "A1")).to_contain_text("An owl is a bird.")
    expect(card(page, "A1").get_by_text("in 2 parts")).to_be_visible()
    assert [message["role"] for message in site.upstream.asked_of("alpha:1b")[-1]["messages"]] == ["user", "assistant"]


def test_an_answer_that_was_stopped_goes_on_and_a_whole_one_does_not(site: Site, visit: Visit) -> None:
    page = compared(site, visit, Talker(lambda body: [*cut(body), *([] if len(body["messages"]) > 1 else [Gate()])]))
    found = card(page, "A1")
    expect(found).to_contain_text("An owl")
    found.get_by_role("button", name="Stop A").click()
    expect(go_on(found)).to_be_visible()
    go_on(found).click()
    expect(found).to_contain_text("An owl is a bird.")
    expect(found).to_have_attribute("aria-busy", "false")
    expect(go_on(found)).to_have_count(0)
    expect(card(page, "B1")).to_have_attribute("aria-busy", "false")
    expect(go_on(card(page, "B1"))).to_have_count(0)
