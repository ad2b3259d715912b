"""Several models answer one question side by side (contract arena §1.10, §2.12, §2.15)."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser import Visit
from tests.page.comparing import ask, card
from tests.page.rig import Site, forgive
from tests.page.upstream import DIES, Gate, Talker, Thought


def test_two_models_answer_side_by_side_as_they_write(site: Site, visit: Visit) -> None:
    alpha, beta = Gate(), Gate()
    site.upstream.models["alpha:1b"] = Talker(["The **sky**", alpha, " is blue."])
    site.upstream.models["beta:2b"] = Talker([Thought("Rayleigh?"), "Light", beta, " scatters."])
    visit.page.goto(site.at())
    ask(visit.page, "Why is the sky blue?")
    one, two = card(visit.page, "A1"), card(visit.page, "B1")
    expect(one).to_have_attribute("aria-busy", "true")
    expect(one.locator("strong")).to_have_text("sky")
    expect(two).to_contain_text("Light")
    assert abs(one.bounding_box()["y"] - two.bounding_box()["y"]) < 2  # type: ignore[index]
    beta.open()
    expect(two).to_contain_text("Light scatters.")
    expect(two).to_have_attribute("aria-busy", "false")
    expect(one).to_have_attribute("aria-busy", "true")
    alpha.open()
    expect(one).to_contain_text("The sky is blue.")
    expect(one).to_contain_text("2 tokens")
    expect(two.get_by_text("Rayleigh?")).not_to_be_visible()
    two.get_by_text("Thinking").click()
    expect(two.get_by_text("Rayleigh?")).to_be_visible()


def test_one_is_stopped_while_the_other_goes_on(site: Site, visit: Visit) -> None:
    gate = Gate()
    site.upstream.models["alpha:1b"] = Talker(["Half", Gate(), "never"])
    site.upstream.models["beta:2b"] = Talker(["Both", gate, " halves."])
    visit.page.goto(site.at())
    ask(visit.page, "Go")
    one, two = card(visit.page, "A1"), card(visit.page, "B1")
    expect(one).to_contain_text("Half")
    expect(two).to_contain_text("Both")
    one.get_by_role("button", name="Stop A").click()
    expect(one.get_by_text("stopped")).to_be_visible()
    expect(one).to_contain_text("Half")
    expect(two).to_have_attribute("aria-busy", "true")
    gate.open()
    expect(two).to_contain_text("Both halves.")
    assert site.upstream.leavers == ["alpha:1b"]


def test_Y1_escape_stops_all(site: Site, visit: Visit) -> None:
    for model in site.upstream.models:
        site.upstream.models[model] = Talker(["On and on", Gate()])
    visit.page.goto(site.at())
    ask(visit.page, "Go")
    for name in ("A1", "B1"):
        expect(card(visit.page, name)).to_contain_text("On and on")
    visit.page.keyboard.press("Escape")
    for name in ("A1", "B1"):
        expect(card(visit.page, name).get_by_text("stopped")).to_be_visible()


def test_an_upstream_that_dies_fails_in_its_own_column_and_can_be_asked_again(site: Site, visit: Visit) -> None:
    site.upstream.models["alpha:1b"] = Talker(["Half an", DIES])
    visit.page.goto(site.at())
    ask(visit.page, "Go")
    one, two = card(visit.page, "A1"), card(visit.page, "B1")
    expect(one.get_by_text("The connection broke in the middle of the answer.")).to_be_visible()
    expect(one).to_contain_text("Half an")
    expect(two).to_contain_text("Hello there.")
    site.upstream.models["alpha:1b"] = Talker(["A whole answer."])
    one.get_by_role("button", name="Retry").click()
    expect(one).to_contain_text("A whole answer.")
    expect(one).not_to_contain_text("Half an")
    assert len(site.upstream.asked_of("beta:2b")) == 1


def test_a_comparison_is_there_after_a_reload_and_each_model_has_its_own_thread(site: Site, visit: Visit) -> None:
    site.upstream.models["alpha:1b"] = Talker(["Ink."])
    visit.page.goto(site.at())
    ask(visit.page, "First?")
    expect(card(visit.page, "A1")).to_contain_text("Ink.")
    expect(card(visit.page, "B1")).to_contain_text("Hello there.")
    expect(card(visit.page, "A1")).to_contain_text("shortest")
    visit.page.reload()
    expect(card(visit.page, "A1")).to_contain_text("Ink.")
    expect(visit.page.get_by_role("heading", level=1)).to_contain_text("First?")
    ask(visit.page, "Second?")
    expect(card(visit.page, "B2")).to_contain_text("Hello there.")
    said = [(message["role"], message["content"]) for message in site.upstream.asked_of("beta:2b")[-1]["messages"]]
    assert said == [("user", "First?"), ("assistant", "Hello there."), ("user", "Second?")]
    visit.page.get_by_role("link", name="History").click()
    expect(visit.page.get_by_text("First?").first).to_be_visible()


def test_a_like_is_kept_and_taken_back(site: Site, visit: Visit) -> None:
    page = visit.page
    page.goto(site.at())
    ask(page, "Go")
    like = card(page, "A1").get_by_role("button", name="Like", exact=True)
    like.click()
    expect(like).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(like).to_have_attribute("aria-pressed", "true")
    like.click()
    expect(like).to_have_attribute("aria-pressed", "false")


def test_a_wait_is_named_and_timed(site: Site, visit: Visit) -> None:
    gate = Gate()
    site.upstream.models["alpha:1b"] = Talker([gate, "At last."])
    visit.page.goto(site.at())
    visit.page.get_by_label("Order").select_option("One at a time")
    ask(visit.page, "Go")
    expect(card(visit.page, "B1").get_by_text("Waiting")).to_be_visible()
    expect(card(visit.page, "A1")).to_contain_text(re.compile(r"(Reading|Loading the model) [1-9] s"))
    assert site.upstream.asked_of("beta:2b") == []
    gate.open()
    expect(card(visit.page, "B1")).to_contain_text("Hello there.")


def test_two_answers_are_compared_word_by_word(site: Site, visit: Visit) -> None:
    same = "and they agree on all of this. " * 30
    site.upstream.models["alpha:1b"] = Talker(["The sky is blue, " + same])
    site.upstream.models["beta:2b"] = Talker(["The deep sea is blue, " + same])
    page = visit.page
    page.goto(site.at())
    ask(page, "Go")
    expect(card(page, "B1")).to_contain_text("deep sea")
    page.get_by_role("button", name="Differences").click()
    text = page.get_by_role("region", name="Both answers")
    assert text.locator("del").all_inner_texts() == ["sky "]
    assert text.locator("ins").all_inner_texts() == ["deep sea "]
    expect(text.get_by_text("equal characters")).to_be_visible()
    expect(page.get_by_role("dialog")).to_contain_text("99 % alike")


def test_K1_a_reload_stops_what_was_on_its_way_and_keeps_the_text(site: Site, visit: Visit) -> None:
    site.upstream.models["alpha:1b"] = Talker(["Half of it", Gate()])
    page = visit.page
    page.goto(site.at())
    ask(page, "Go")
    expect(card(page, "A1")).to_contain_text("Half of it")
    page.wait_for_url(re.compile("#/compare/."))
    page.reload()
    expect(card(page, "A1").get_by_text("stopped")).to_be_visible()
    expect(card(page, "A1")).to_contain_text("Half of it")
    assert site.upstream.leavers == ["alpha:1b"]


def test_an_unknown_comparison_says_so(site: Site, visit: Visit) -> None:
    visit.page.goto(site.at("compare/0123456789abcdef0123456789abcdef"))
    expect(visit.page.get_by_role("alert")).to_contain_text("This comparison is not here any more")
    forgive(visit, "404")


def test_names_and_words_of_models_are_text(site: Site, visit: Visit) -> None:
    evil = "<img src=x onerror=alert(1)>"
    site.upstream.models["beta:2b"] = Talker([evil], refusal=None)
    site.upstream.models["alpha:1b"] = Talker(refusal=(500, evil))
    visit.page.goto(site.at())
    ask(visit.page, evil)
    expect(card(visit.page, "B1")).to_contain_text(evil)
    card(visit.page, "A1").get_by_text("Details").click()
    expect(card(visit.page, "A1")).to_contain_text(evil)
    assert visit.page.locator("img").count() == 0
