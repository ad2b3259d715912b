"""The History page: sessions, battles, files out and in (contract arena §1.10, §2.11, §2.15)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Download, FilePayload, Locator, Page, expect

from tests.browser import Visit
from tests.page.rig import Site, fits, forgive, problems
from tests.page.talk import Api, vote
from tests.page.upstream import Talker

Sites = Callable[..., Site]
Windows = Callable[..., Visit]

SECRET = "a-long-enough-secret"


def sessions(page: Page) -> Locator:
    """The last changed first."""
    return page.get_by_role("list", name="Sessions").get_by_role("listitem")


def battles(page: Page) -> Locator:
    return page.get_by_role("list", name="Battles").get_by_role("listitem")


def exported(page: Page, what: str, form: str) -> Download:
    page.get_by_role("combobox", name="What").select_option(what)
    page.get_by_role("combobox", name="Format").select_option(form)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Export").click()
    return saved.value


def test_sessions_are_listed_and_opened(site: Site, visit: Visit) -> None:
    api = Api(site)
    api.session("Why is the sky blue, and not green or violet?")
    newest = api.session("Name a river.", ("alpha:1b", "beta:2b"))
    visit.page.goto(site.at("history"))
    expect(sessions(visit.page)).to_have_count(2)
    expect(sessions(visit.page).first).to_contain_text("1 turn · alpha:1b, beta:2b")
    expect(sessions(visit.page).last).to_contain_text("Why is the sky blue, and not g")
    visit.page.get_by_role("link", name="Name a river.").click()
    expect(visit.page).to_have_url(site.at(f"compare/{newest}"))
    expect(visit.page.get_by_role("main")).to_contain_text("Hello there.")


def test_sessions_are_found_by_what_was_answered(site: Site, visit: Visit) -> None:
    site.upstream.models["beta:2b"] = Talker(["The ", "Danube."])
    Api(site).session("Hello?")
    Api(site).session("A river?", ("beta:2b",))
    visit.page.goto(site.at("history"))
    expect(sessions(visit.page)).to_have_count(2)
    search = visit.page.get_by_role("searchbox", name="Search sessions")
    search.fill("danube")
    expect(sessions(visit.page)).to_have_count(1)
    expect(sessions(visit.page)).to_contain_text("A river?")
    search.fill("volga")
    expect(visit.page.get_by_text("Nothing holds “volga”.")).to_be_visible()


def test_a_session_is_renamed_where_it_stands(site: Site, visit: Visit) -> None:
    Api(site).session("Hello?")
    visit.page.goto(site.at("history"))
    rename = visit.page.get_by_role("button", name="Rename Hello?")
    rename.click()
    title = visit.page.get_by_role("textbox", name="New title of Hello?")
    expect(title).to_be_focused()
    title.fill("No, leave it")
    title.press("Escape")
    expect(rename).to_be_focused()
    rename.click()
    title.fill("Greetings <b>")
    title.press("Enter")
    expect(visit.page.get_by_role("link", name="Greetings <b>")).to_be_visible()
    visit.page.reload()
    expect(visit.page.get_by_role("link", name="Greetings <b>")).to_be_visible()


def test_sessions_are_deleted_one_or_all(site: Site, visit: Visit) -> None:
    page = visit.page
    for prompt in ("One?", "Two?", "Three?"):
        Api(site).session(prompt)
    page.goto(site.at("history"))
    page.get_by_role("button", name="Delete Two?").click()
    page.get_by_role("dialog", name="Delete “Two?”?").get_by_role("button", name="Delete").click()
    expect(sessions(page)).to_have_count(2)
    page.get_by_role("button", name="Delete all").click()
    dialog = page.get_by_role("dialog", name="Delete all sessions?")
    expect(dialog.get_by_role("button", name="Delete all")).to_be_disabled()
    dialog.get_by_role("textbox").fill("delete all")
    dialog.get_by_role("textbox").press("Enter")
    expect(page.get_by_text("Nothing is saved yet")).to_be_visible()
    assert Api(site).json("GET", "sessions")["sessions"] == []


def test_V5_battles_are_listed_without_names_until_they_are_decided(site: Site, visit: Visit) -> None:
    api, page = Api(site), visit.page
    battle = api.battle("Which is better?")
    page.goto(site.at("history?show=battles"))
    expect(battles(page)).to_contain_text("Waits for your vote")
    expect(battles(page)).not_to_contain_text("alpha")
    api.json("POST", f"battles/{battle}/vote", {"choice": "A"})
    page.reload()
    expect(battles(page)).to_contain_text("A better")
    expect(battles(page)).to_contain_text("alpha:1b")
    expect(battles(page)).to_contain_text("beta:2b")
    page.get_by_role("link", name="Which is better?").click()
    expect(page).to_have_url(site.at(f"battle/{battle}"))


def test_the_lists_are_two_links(site: Site, visit: Visit) -> None:
    visit.page.goto(site.at("history"))
    expect(visit.page.get_by_role("link", name="Compare models")).to_be_visible()
    visit.page.get_by_role("link", name="Battles", exact=True).click()
    expect(visit.page).to_have_url(site.at("history?show=battles"))
    expect(visit.page.get_by_role("link", name="Start a battle")).to_be_visible()


STARTS = {"json": b"{", "csv": b"tstamp,", "jsonl": b"{", "md": b"#", "html": b"<!doctype html>"}


@pytest.mark.parametrize(
    ("what", "forms"), [("all", "json md html"), ("sessions", "json md html"), ("votes", "json csv jsonl md html")]
)
def test_everything_can_be_taken_along_in_every_format(site: Site, visit: Visit, what: str, forms: str) -> None:
    """Few files per page: beyond ten in a burst, Chromium takes further ones for an attack and drops them."""
    site.upstream.models["beta:2b"] = Talker(["Good day."])
    api, page = Api(site), visit.page
    api.session("Why is the sky blue?")
    api.json("POST", f"battles/{api.battle('Which is better?')}/vote", {"choice": "A"})
    page.goto(site.at("history"))
    page.get_by_role("combobox", name="What").select_option(what)
    formats = page.get_by_role("combobox", name="Format").locator("option")
    assert formats.evaluate_all("all => all.map(one => one.value)") == forms.split()
    for form in forms.split():
        saved = exported(page, what, form)
        assert saved.suggested_filename == f"puna-arena-{what}.{form}"
        assert Path(saved.path()).read_bytes().startswith(STARTS[form])
        expect(page.get_by_text(f"Saved as puna-arena-{what}.{form}")).to_be_visible()


def test_a_file_without_anything_is_not_made(site: Site, visit: Visit) -> None:
    visit.page.goto(site.at("history"))
    visit.page.get_by_role("combobox", name="What").select_option("votes")
    visit.page.get_by_role("combobox", name="Format").select_option("jsonl")
    visit.page.get_by_role("button", name="Export").click()
    expect(visit.page.get_by_text("There is nothing to put into such a file yet")).to_be_visible()


def test_what_is_blind_leaves_masked(site: Site, visit: Visit) -> None:
    Api(site).battle("Which is better?")
    visit.page.goto(site.at("history"))
    saved = exported(visit.page, "all", "json")
    assert saved.suggested_filename == "puna-arena-all_blind.json"
    assert "alpha" not in Path(saved.path()).read_text(encoding="utf-8")


def test_A5_a_download_carries_the_token(sites: Sites, windows: Windows) -> None:
    site = sites(token=SECRET)
    visit = windows(site)
    visit.page.goto(site.at("history"))
    visit.page.get_by_role("textbox", name="Token").fill(SECRET)
    visit.page.get_by_role("button", name="Continue").click()
    expect(visit.page.get_by_text("Nothing is saved yet")).to_be_visible()
    assert exported(visit.page, "votes", "csv").suggested_filename == "puna-arena-votes.csv"
    forgive(visit, "status of 401")


def test_an_import_is_tried_first(site: Site, visit: Visit) -> None:
    page, known = visit.page, vote("alpha", "beta")
    Api(site).vote([known])
    broken = vote("alpha", "beta") | {"id": "no id"}
    file = json.dumps([known, vote("alpha", "beta"), vote("beta", "alpha"), broken, {"record": "session"}]).encode()
    page.goto(site.at("history"))
    page.get_by_label("Choose a file").set_input_files(
        {"name": "votes.json", "mimeType": "application/json", "buffer": file}
    )
    expect(page.get_by_text("votes.json: 2 votes new, 1 known already, 1 rejected.")).to_be_visible()
    expect(page.get_by_text("0 sessions new, 0 known already, 1 rejected.")).to_be_visible()
    expect(page.get_by_text("Line 5: id: ")).to_be_visible()
    expect(page.get_by_text("Line 4: id: ")).to_be_visible()
    assert Api(site).json("GET", "leaderboard")["votes"] == 1
    page.get_by_role("button", name="Import 2 votes").click()
    expect(page.get_by_text("votes.json: 2 votes imported, 1 known already")).to_be_visible()
    assert Api(site).json("GET", "leaderboard")["votes"] == 3


def test_what_was_exported_can_be_imported(site: Site, visit: Visit) -> None:
    Api(site).vote([vote("alpha", "beta"), vote("alpha", "beta", "tie")])
    visit.page.goto(site.at("history"))
    for form in ("csv", "json"):
        path = exported(visit.page, "votes", form).path()
        visit.page.get_by_label("Choose a file").set_input_files(path)
        expect(visit.page.get_by_text(": 0 votes new, 2 known already, 0 rejected.")).to_be_visible()
        expect(visit.page.get_by_text("There is nothing new in it.")).to_be_visible()


def test_a_bad_import_is_refused_in_words(site: Site, visit: Visit) -> None:
    visit.page.goto(site.at("history"))
    wrong: FilePayload = {"name": "shopping.csv", "mimeType": "text/csv", "buffer": b"bread,butter\n1,2\n"}
    visit.page.get_by_label("Choose a file").set_input_files(wrong)
    expect(visit.page.get_by_role("alert")).to_contain_text("This is no export of votes")
    forgive(visit, "status of 400")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_Y3_everyone_can_read_the_history(
    site: Site, windows: Windows, scheme: Literal["light", "dark"], width: int
) -> None:
    Api(site).session("Averylongwordthatdoesnotendsoonatallandgoeson?", ("alpha:1b", "beta:2b"))
    Api(site).battle("Averylongwordthatdoesnotendsoonatallandgoeson " * 4)
    page = windows(site, scheme=scheme, width=width).page
    page.goto(site.at("history"))
    page.get_by_role("button", name="Rename").click()
    assert problems(page) == []
    assert fits(page)
    page.get_by_role("link", name="Battles", exact=True).click()
    expect(battles(page)).to_have_count(1)
    assert problems(page) == []
    assert fits(page)
