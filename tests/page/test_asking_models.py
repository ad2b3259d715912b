"""Which models are asked, with which settings, and what the question is made of (contract arena §1.10, §2.12)."""

from __future__ import annotations

import base64
import re

from playwright.sync_api import expect

from tests.browser import Visit
from tests.page.comparing import Sites, Windows, add, ask, card, instance, question
from tests.page.rig import Site, forgive

DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def test_A5_the_token_is_asked_for_and_the_draft_is_kept(sites: Sites, windows: Windows) -> None:
    site = sites(token="open sesame")
    visit = windows(site)
    visit.page.goto(site.at())
    visit.page.get_by_role("textbox", name="Token").fill("open sesame")
    visit.page.get_by_role("button", name="Continue").click()
    question(visit.page).fill("Why?")
    visit.page.evaluate("sessionStorage.clear()")
    visit.page.reload()
    visit.page.get_by_role("textbox", name="Token").fill("wrong")
    visit.page.get_by_role("button", name="Continue").click()
    expect(visit.page.get_by_text("That token was refused.")).to_be_visible()
    visit.page.get_by_role("textbox", name="Token").fill("open sesame")
    visit.page.get_by_role("button", name="Continue").click()
    expect(question(visit.page)).to_have_value("Why?")
    question(visit.page).press("Enter")
    expect(card(visit.page, "A1")).to_contain_text("Hello there.")
    expect(question(visit.page)).to_have_value("")
    forgive(visit, "401")


def test_an_instance_has_its_settings_and_an_exact_repeat_is_refused(site: Site, visit: Visit) -> None:
    page = visit.page
    page.goto(site.at())
    add(page, "alpha:1b")
    expect(page.get_by_role("alert")).to_contain_text("alpha:1b with these settings is here already")
    page.get_by_role("spinbutton", name="Temperature").fill("1.2")
    page.get_by_role("spinbutton", name="Seed").fill("7")
    page.get_by_role("button", name="Add", exact=True).click()
    third = instance(page, "alpha:1b").last
    expect(third).to_contain_text("T=1.2P=0.9K=40S=7")
    page.reload()
    expect(third).to_contain_text("T=1.2P=0.9K=40S=7")
    ask(page, "Go")
    expect(card(page, "C1")).to_contain_text("Hello there.")
    sent = [body["options"] for body in site.upstream.asked_of("alpha:1b")]
    assert sorted((options["temperature"], options.get("seed")) for options in sent) == [(0.7, None), (1.2, 7)]


def test_a_setting_is_swept_over_a_range(site: Site, visit: Visit) -> None:
    page = visit.page
    page.goto(site.at())
    page.get_by_role("button", name="Remove beta:2b").click()
    page.get_by_role("button", name="Sweep").click()
    page.get_by_label("How many").fill("6")
    page.get_by_role("dialog").get_by_role("button", name="Sweep").click()
    chips = instance(page, "alpha:1b").all_inner_texts()
    found = [re.search(r"T=([\d.]+)", text) for text in chips]
    assert [one and one[1] for one in found] == ["0.2", "0.4", "0.6", "0.8", "1", "1.2"]
    expect(page.get_by_role("button", name="Model", exact=True)).to_be_disabled()


def test_rosters_and_prompts_are_saved_and_loaded(site: Site, visit: Visit) -> None:
    page = visit.page
    page.goto(site.at())
    page.get_by_role("button", name="Rosters").click()
    page.get_by_label("Name").fill("both")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="both alpha:1b, beta:2b")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Remove alpha:1b").click()
    page.get_by_role("button", name="Rosters").click()
    page.get_by_role("button", name="both alpha:1b, beta:2b").click()
    expect(instance(page, "alpha:1b")).to_be_visible()

    question(page).fill("Count to ten")
    page.get_by_role("button", name="Prompts").click()
    page.get_by_label("Name").fill("counting")
    page.get_by_label("Category").fill("maths")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="counting maths")).to_be_visible()
    page.keyboard.press("Escape")
    question(page).fill("")
    page.get_by_role("button", name="Prompts").click()
    page.get_by_role("button", name="counting maths").click()
    expect(question(page)).to_have_value("Count to ten")


def test_pictures_and_text_files_go_with_the_question(site: Site, visit: Visit) -> None:
    site.upstream.models["beta:2b"].capabilities = ("completion", "vision")
    page = visit.page
    page.goto(site.at())
    page.get_by_label("Pictures and text files").set_input_files(
        [
            {"name": "dot.png", "mimeType": "image/png", "buffer": DOT},
            {"name": "notes.py", "mimeType": "text/x-python", "buffer": b"print('```')\n"},
        ]
    )
    expect(page.get_by_role("img", name="dot.png")).to_be_visible()
    expect(page.get_by_text("alpha:1b: does not see pictures.")).to_be_visible()
    expect(question(page)).to_have_value("notes.py\n````py\nprint('```')\n````\n")
    question(page).press("Enter")
    expect(card(page, "B1")).to_contain_text("Hello there.")
    assert site.upstream.asked_of("beta:2b")[0]["messages"][-1]["images"]
    page.get_by_label("Pictures and text files").set_input_files(
        {"name": "blob.bin", "mimeType": "application/octet-stream", "buffer": b"\xff\x00\xfe"}
    )
    expect(page.get_by_role("alert")).to_have_text("blob.bin is neither text nor a PNG, JPEG or WebP picture")


def test_only_one_is_asked_on_and_then_all_of_them_again(site: Site, visit: Visit) -> None:
    page = visit.page
    page.goto(site.at())
    ask(page, "One?")
    card(page, "B1").get_by_role("button", name="Continue with only B").click()
    ask(page, "Two?")
    expect(card(page, "B2")).to_contain_text("Hello there.")
    expect(card(page, "A2")).not_to_be_attached()
    page.get_by_role("button", name="Ask all again").first.click()
    ask(page, "Three?")
    expect(card(page, "A3")).to_contain_text("Hello there.")
    expect(card(page, "B3")).to_contain_text("Hello there.")


def test_a_blind_question_begins_a_battle_with_these_models(site: Site, visit: Visit) -> None:
    visit.page.goto(site.at())
    visit.page.get_by_role("checkbox", name="Blind").check()
    ask(visit.page, "Who is better?")
    visit.page.wait_for_url(re.compile(r"#/battle/[0-9a-f]+$"))
    expect(visit.page.get_by_role("heading", name="Compare")).not_to_be_visible()
    assert {body["model"] for body in site.upstream.asked} <= {"alpha:1b", "beta:2b"}


def test_an_upstream_that_is_down_is_named_with_what_to_do(sites: Sites, windows: Windows) -> None:
    site = sites()
    site.upstream.down = True
    visit = windows(site)
    visit.page.goto(site.at())
    expect(visit.page.get_by_role("alert")).to_contain_text("No answer from http://127.0.0.1:")
    site.upstream.down = False
    visit.page.get_by_role("button", name="Ask now").click()
    expect(instance(visit.page, "alpha:1b")).to_be_visible()
