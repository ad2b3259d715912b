"""The Battle page: hidden answers, a vote, and who it was (contract arena §2.3, §2.12 to §2.15)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser import Visit
from tests.page.rig import Site, fits, forgive, problems
from tests.page.talk import Api
from tests.page.upstream import DIES, Gate, Talker

Sites = Callable[..., Site]
Windows = Callable[..., Visit]

PROMPT = "Why is the sky blue?"


def prompt(page: Page) -> Locator:
    return page.get_by_role("textbox", name="One prompt, hidden answers")


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def card(page: Page, slot: str) -> Locator:
    return page.get_by_role("article", name=f"Answer {slot}").last


def revealed(page: Page) -> Locator:
    return page.get_by_role("region", name=re.compile("^(You voted|Who it was)"))


def begin(visit: Visit, site: Site, text: str = PROMPT) -> Page:
    page = visit.page
    page.goto(site.at("battle"))
    prompt(page).fill(text)
    expect(button(page, "Start the battle")).to_be_enabled()
    prompt(page).press("Enter")
    expect(page.get_by_role("article").last).to_be_visible()
    return page


def ready(visit: Visit, site: Site) -> Page:
    page = begin(visit, site)
    expect(button(page, "Tie")).to_be_enabled()
    return page


def test_V5_a_vote_shows_who_it_was_and_what_it_did_to_the_ratings(site: Site, visit: Visit) -> None:
    page = ready(visit, site)
    expect(card(page, "A")).to_contain_text("Hello there.")
    assert not re.search("alpha|beta|tok/s", page.inner_text("main"))
    button(page, "A better").click()
    expect(revealed(page)).to_contain_text("You voted: A better")
    expect(revealed(page)).to_contain_text("alpha:1b")
    expect(revealed(page)).to_contain_text("beta:2b")
    expect(revealed(page)).to_contain_text("tok/s")
    expect(revealed(page)).to_contain_text(re.compile(r"Rating\s*– → 1145"))
    expect(revealed(page)).to_contain_text(re.compile(r"Rating\s*– → 855"))
    expect(card(page, "A")).to_contain_text(re.compile("alpha:1b|beta:2b"))


def test_a_battle_that_is_opened_just_before_its_answers_are_kept_can_be_voted_on(site: Site, visit: Visit) -> None:
    battle = Api(site).battle(PROMPT)

    def moments_before(route: Route) -> None:
        reply = route.fetch()
        route.fulfill(response=reply, json={**reply.json(), "state": "streaming"})

    visit.page.route(f"**/api/arena/battles/{battle}", moments_before, times=1)
    visit.page.goto(site.at(f"battle/{battle}"))
    expect(button(visit.page, "Tie")).to_be_enabled()
    expect(card(visit.page, "A")).to_contain_text("Hello there.")


def test_next_takes_enter_and_has_the_prompt_box_ready(site: Site, visit: Visit) -> None:
    page = ready(visit, site)
    page.keyboard.press("t")
    expect(revealed(page)).to_contain_text("You voted: Tie")
    expect(page.get_by_role("button", name="Next battle")).to_be_focused()
    page.keyboard.press("Enter")
    expect(prompt(page)).to_be_focused()
    expect(prompt(page)).to_have_value(PROMPT)
    page.keyboard.press("Enter")  # the same prompt once more
    expect(card(page, "B")).to_contain_text("Hello there.")


def test_Y2_a_key_votes_and_n_goes_on(site: Site, visit: Visit) -> None:
    page = ready(visit, site)
    for key, outcome in {"a": "A better", "b": "B better", "t": "Tie", "x": "Both bad", "s": "Skipped"}.items():
        page.keyboard.press(key)
        expect(page.get_by_role("button", name="Next battle")).to_be_visible()
        expect(page.get_by_role("heading", name=outcome).or_(page.get_by_text(outcome, exact=True))).to_be_visible()
        page.keyboard.press("n")
        expect(prompt(page)).to_be_focused()
        page.keyboard.press("Enter")
        expect(button(page, "Tie")).to_be_enabled()


def test_Y2_keys_are_text_where_text_is_written(site: Site, visit: Visit) -> None:
    page = ready(visit, site)
    further = page.get_by_role("textbox", name="Further prompt")
    further.press_sequentially("at bat")
    expect(further).to_have_value("at bat")
    expect(button(page, "Tie")).to_be_enabled()


def test_V7_no_text_before_every_answer_has_begun(site: Site, visit: Visit) -> None:
    late = Gate()
    site.upstream.models["beta:2b"] = Talker([late, "Late."])
    page = begin(visit, site)
    expect(page.get_by_text("Waiting", exact=True)).to_have_count(2)
    expect(button(page, "Tie")).to_be_disabled()
    page.wait_for_timeout(300)
    assert "Hello" not in page.inner_text("main")
    late.open()
    expect(page.get_by_text("Hello there.")).to_be_visible()
    expect(page.get_by_text("Late.")).to_be_visible()
    expect(button(page, "Tie")).to_be_enabled()


def test_a_battle_goes_on_where_its_address_is_opened_again(site: Site, visit: Visit, windows: Windows) -> None:
    slow = Gate()
    for name in site.upstream.models:
        site.upstream.models[name] = Talker(["First part. ", slow, "Second part."])
    page = begin(visit, site)
    expect(page.get_by_text("First part.")).to_have_count(2)
    other = windows(site).page
    other.goto(page.url)
    expect(other.get_by_text("First part.")).to_have_count(2)
    page.reload()
    expect(page.get_by_text("First part.")).to_have_count(2)
    slow.open()
    for window in (page, other):
        expect(window.get_by_text("First part. Second part.")).to_have_count(2)
        expect(button(window, "A better")).to_be_enabled()


def test_V2_a_vote_may_say_why_and_the_battle_keeps_it(site: Site, visit: Visit) -> None:
    page = ready(visit, site)
    button(page, "Why?").click()
    why = page.get_by_role("group", name="Why? It goes with your vote")
    expect(button(page, "correct")).to_be_focused()
    button(page, "correct").click()
    button(page, "too long").click()
    button(page, "correct").click()
    button(page, "clear").click()
    why.get_by_role("textbox", name="Note").fill("<b>A</b> was at it.")
    button(page, "A better").click()
    expect(revealed(page).get_by_text("too long", exact=True)).to_be_visible()
    expect(revealed(page).get_by_text("clear", exact=True)).to_be_visible()
    expect(revealed(page).get_by_text("correct", exact=True)).to_have_count(0)
    expect(revealed(page).get_by_text("<b>A</b> was at it.")).to_be_visible()
    page.goto(site.at("history?show=battles"))
    page.get_by_role("link", name=PROMPT).click()
    expect(revealed(page).get_by_text("<b>A</b> was at it.")).to_be_visible()


def test_V2_with_keys_alone_a_vote_says_why(site: Site, visit: Visit) -> None:
    page = ready(visit, site)
    page.keyboard.press("w")
    expect(button(page, "correct")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(button(page, "clear")).to_have_attribute("aria-pressed", "true")
    note = page.get_by_role("textbox", name="Note")
    note.press_sequentially("at bat, t")
    expect(note).to_have_value("at bat, t")
    page.keyboard.press("Escape")
    expect(note).to_have_count(0)
    expect(button(page, "Why? (2)")).to_be_focused()
    page.keyboard.press("t")
    expect(revealed(page)).to_contain_text("You voted: Tie")
    expect(revealed(page)).to_contain_text("clear")
    expect(revealed(page)).to_contain_text("at bat, t")


def test_V2_a_reason_is_for_one_battle(site: Site, visit: Visit) -> None:
    page = ready(visit, site)
    button(page, "Why?").click()
    button(page, "refused").click()
    page.keyboard.press("b")
    expect(revealed(page)).to_contain_text("refused")
    page.keyboard.press("n")
    expect(prompt(page)).to_be_focused()
    page.keyboard.press("Enter")
    expect(button(page, "Tie")).to_be_enabled()
    expect(button(page, "Why?")).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("x")
    expect(revealed(page)).to_contain_text("You voted: Both bad")
    assert "refused" not in revealed(page).inner_text()


def test_V4_a_further_turn_goes_to_all_and_the_vote_waits_for_it(site: Site, visit: Visit) -> None:
    page = ready(visit, site)
    further = page.get_by_role("textbox", name="Further prompt")
    further.fill("Shorter, please.")
    further.press("Enter")
    expect(page.get_by_role("article", name="Answer A")).to_have_count(2)
    expect(card(page, "B")).to_contain_text("Hello there.")
    expect(button(page, "B better")).to_be_enabled()
    roles = [message["role"] for message in site.upstream.asked[-1]["messages"]]
    assert roles == ["user", "assistant", "user"]
    button(page, "B better").click()
    expect(revealed(page)).to_contain_text("You voted: B better")
    further.fill("And now?")
    button(page, "Ask on").click()
    expect(page.get_by_role("article", name="Answer A")).to_have_count(3)
    expect(card(page, "A")).to_contain_text("Hello there.")
    expect(revealed(page)).to_contain_text("You voted: B better")


def test_V1_a_vote_can_be_taken_back_for_half_a_minute(site: Site, visit: Visit) -> None:
    page = ready(visit, site)
    button(page, "A better").click()
    page.get_by_role("button", name=re.compile(r"Undo \d+ s")).click()
    expect(page.get_by_text("The vote was taken back")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Undo"))).to_have_count(0)
    expect(revealed(page)).to_contain_text("Who it was")


def test_V3_another_window_was_faster(site: Site, visit: Visit, windows: Windows) -> None:
    page = ready(visit, site)
    other = windows(site)
    other.page.goto(page.url)
    expect(button(other.page, "B better")).to_be_enabled()
    button(page, "A better").click()
    expect(revealed(page)).to_be_visible()
    button(other.page, "B better").click()
    expect(other.page.get_by_text("Vote already recorded")).to_be_visible()
    expect(revealed(other.page)).to_contain_text("You voted: A better")
    forgive(other, "409")


def test_V1_a_failed_answer_makes_it_void_and_there_is_a_way_on(site: Site, visit: Visit) -> None:
    site.upstream.models["beta:2b"] = Talker(["Half", DIES])
    page = begin(visit, site)
    expect(page.get_by_text("An answer failed", exact=True)).to_be_visible()
    assert not re.search("alpha|beta", page.inner_text("main"))
    site.upstream.models["beta:2b"] = Talker()
    site.upstream.models["gamma:3b"] = Talker()  # who failed rests for a while
    button(page, "Try this prompt again").click()
    expect(card(page, "B")).to_contain_text("Hello there.")
    expect(button(page, "Tie")).to_be_enabled()


def test_who_it_was_without_a_vote_does_not_count(site: Site, visit: Visit) -> None:
    page = ready(visit, site)
    button(page, "Show who it was without a vote").click()
    expect(revealed(page)).to_contain_text("alpha:1b")
    expect(page.get_by_text("It does not count.")).to_be_visible()


def test_V2_more_than_two_are_ranked_with_ties(site: Site, visit: Visit) -> None:
    site.upstream.models["gamma:3b"] = Talker()
    page = visit.page
    page.goto(site.at("battle"))
    prompt(page).fill(PROMPT)
    page.get_by_role("combobox", name="Answers").select_option("3")
    button(page, "Start the battle").click()
    expect(button(page, "C better")).to_be_enabled()
    button(page, "Rank them").click()
    for slot, place in {"A": "2", "B": "1", "C": "2"}.items():
        page.get_by_label(f"Place of {slot}").select_option(place)
    button(page, "Vote").click()
    expect(revealed(page)).to_contain_text("You voted: B > A = C")


def test_one_model_meets_itself_with_two_settings(site: Site, visit: Visit) -> None:
    site.upstream.models = {"alpha:1b": Talker()}
    page = ready(visit, site)
    button(page, "Tie").click()
    expect(revealed(page).get_by_text("T=0.2")).to_be_visible()
    expect(revealed(page).get_by_text("T=0.7")).to_be_visible()


def test_only_those_who_are_chosen_answer(site: Site, visit: Visit) -> None:
    site.upstream.models |= {f"other{index}:1b": Talker(["I was not chosen."]) for index in range(8)}
    page = visit.page
    page.goto(site.at("battle"))
    page.get_by_role("radio", name="Only these").check()
    prompt(page).fill(PROMPT)
    button(page, "Start the battle").click()
    expect(button(page, "Tie")).to_be_enabled()
    expect(page.get_by_text("Hello there.")).to_have_count(2)
    assert sorted(body["model"] for body in site.upstream.asked) == ["alpha:1b", "beta:2b"]


def test_an_unknown_battle_says_so(site: Site, visit: Visit) -> None:
    visit.page.goto(site.at("battle/" + "0" * 32))
    expect(visit.page.get_by_role("alert")).to_be_visible()
    button(visit.page, "New battle").click()
    expect(prompt(visit.page)).to_be_focused()
    forgive(visit, "404")


def test_Y6_on_a_phone_answers_are_tabs_and_the_vote_stays_in_reach(site: Site, windows: Windows) -> None:
    long = "A long line of an answer. " * 12 + "\n\n"
    for name in site.upstream.models:
        site.upstream.models[name] = Talker([long * 6, f"```python\nx = '{'y' * 200}'\n```"])
    visit = windows(site, width=360, height=640)
    page = ready(visit, site)
    assert fits(page)
    expect(page.get_by_role("article")).to_have_count(1)
    page.get_by_role("tab", name=re.compile("^B")).click()
    expect(card(page, "B")).to_be_visible()
    page.evaluate("scrollTo(0, 0)")
    button(page, "Why?").click()
    expect(page.get_by_role("textbox", name="Note")).to_be_in_viewport()
    assert fits(page)
    vote = button(page, "B better")
    box = vote.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 640
    vote.click()
    expect(revealed(page)).to_be_visible()
    assert fits(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_Y3_everyone_can_use_it(site: Site, windows: Windows, scheme: Literal["light", "dark"]) -> None:
    site.upstream.models["alpha:1b"] = Talker(
        ["# Yes\n\n- [x] a `b`\n\n```python\ndef f(): # why\n    return 'x'\n```"]
    )
    visit = windows(site, scheme=scheme)
    visit.page.goto(site.at("battle"))
    expect(button(visit.page, "Start the battle")).to_be_visible()
    assert problems(visit.page) == []
    page = ready(visit, site)
    assert problems(page) == []
    button(page, "Why?").click()
    button(page, "correct").click()
    assert problems(page) == []
    button(page, "A better").click()
    expect(revealed(page)).to_be_visible()
    assert problems(page) == []
