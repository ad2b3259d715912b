"""The Models page: what is installed, getting more, taking away (contract arena §1.4, §1.10, §2.15)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import Visit
from tests.page.rig import Site, fits, forgive, problems
from tests.page.upstream import Gate, Json, Talker

Windows = Callable[..., Visit]

LAYER: Json = {"status": "pulling 0a1b", "digest": "sha256:0a1b", "total": 500_000_000}


def model(page: Page, name: str) -> Locator:
    """In the list of installed ones."""
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=name, exact=True))


def pull(page: Page, name: str) -> Locator:
    return page.get_by_role("list", name="Downloads").get_by_role("listitem").filter(has_text=name)


def download(page: Page, name: str) -> None:
    page.get_by_role("textbox", name="Model", exact=True).fill(name)
    page.get_by_role("button", name="Download").click()


def test_installed_models_with_their_facts(site: Site, visit: Visit) -> None:
    site.upstream.models["beta:2b"] = Talker(
        capabilities=("completion", "vision"), size=2_100_000_000, parameter_size="2.6B", context=8192, loaded=False
    )
    visit.page.goto(site.at("models"))
    beta = model(visit.page, "beta:2b")
    for fact in ("2.1 GB", "2.6B", "Q4_K_M", "8,192", "chat", "vision"):
        expect(beta).to_contain_text(fact)
    expect(beta).not_to_contain_text("loaded")
    expect(model(visit.page, "alpha:1b")).to_contain_text("loaded, GPU")
    endpoints = visit.page.get_by_role("region", name="Endpoints")
    expect(endpoints).to_contain_text("first")
    expect(endpoints).to_contain_text("Answers, 2 models")


def test_models_are_found_by_name_and_by_what_they_can(site: Site, visit: Visit) -> None:
    site.upstream.models["beta:2b"] = Talker(capabilities=("embedding",))
    visit.page.goto(site.at("models"))
    search = visit.page.get_by_role("searchbox", name="Search models")
    search.fill("ALP")
    expect(model(visit.page, "beta:2b")).to_have_count(0)
    search.fill("embed llama")
    expect(model(visit.page, "beta:2b")).to_be_visible()
    expect(model(visit.page, "alpha:1b")).to_have_count(0)
    expect(visit.page.get_by_role("button", name="Use beta:2b")).to_have_count(0)  # it cannot chat
    search.fill("nothing")
    expect(visit.page.get_by_text("No model is like “nothing”.")).to_be_visible()


def test_a_download_shows_its_progress_and_is_cancelled_and_tried_again(site: Site, visit: Visit) -> None:
    held, page = Gate(), visit.page
    steps: list[Json | float | Gate] = [
        {**LAYER, "completed": 100_000_000},
        0.1,
        {**LAYER, "completed": 125_000_000},
        held,
    ]
    site.upstream.registry["gamma:3b"] = [*steps, {"status": "success"}]
    page.goto(site.at("models"))
    download(page, "gamma:3b")
    line = pull(page, "gamma:3b")
    expect(line).to_contain_text(re.compile(r"125 MB of 500 MB · \d+ MB/s · [\d.]+ (s|min \d+ s) left"))
    expect(line.get_by_role("progressbar")).to_have_attribute("value", "0.25")
    page.get_by_role("button", name="Cancel gamma:3b").click()
    expect(line).to_contain_text("Cancelled")
    held.open()
    page.get_by_role("button", name="Try gamma:3b again").click()
    expect(line).to_contain_text("Ready")
    expect(model(page, "gamma:3b")).to_be_visible()


def test_a_download_goes_on_while_one_is_elsewhere(site: Site, visit: Visit) -> None:
    held, page = Gate(), visit.page
    site.upstream.registry["gamma:3b"] = [{**LAYER, "completed": 1_000_000}, held, {"status": "success"}]
    page.goto(site.at("models"))
    download(page, "gamma:3b")
    expect(pull(page, "gamma:3b")).to_contain_text("1.0 MB of 500 MB")
    page.get_by_role("link", name="History").click()
    held.open()
    page.get_by_role("link", name="Models", exact=True).click()
    expect(pull(page, "gamma:3b")).to_contain_text("Ready")
    expect(model(page, "gamma:3b")).to_be_visible()


def test_a_download_that_fails_says_why(site: Site, visit: Visit) -> None:
    visit.page.goto(site.at("models"))
    download(visit.page, "nobody/has:it")
    expect(visit.page.get_by_role("alert")).to_contain_text("file does not exist")
    expect(pull(visit.page, "nobody/has:it")).to_contain_text("file does not exist")
    expect(visit.page.get_by_role("button", name="Try nobody/has:it again")).to_be_visible()
    forgive(visit, "status of 500")


def test_a_model_is_deleted_once_that_is_confirmed(site: Site, visit: Visit) -> None:
    site.upstream.models["spare:1b"] = Talker()
    visit.page.goto(site.at("models"))
    button = visit.page.get_by_role("button", name="Delete spare:1b")
    button.click()
    visit.page.get_by_role("button", name="Cancel").click()
    expect(button).to_be_focused()
    assert site.upstream.deleted == []
    button.click()
    visit.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(model(visit.page, "spare:1b")).to_have_count(0)
    assert site.upstream.deleted == ["spare:1b"]


def test_deleting_what_compare_uses_takes_its_name(site: Site, visit: Visit) -> None:
    page = visit.page
    page.goto(site.at("models"))
    page.get_by_role("button", name="Use beta:2b in Compare").click()
    expect(page).to_have_url(site.at("compare"))
    expect(page.get_by_role("main")).to_contain_text("beta:2b")
    page.get_by_role("link", name="Models", exact=True).click()
    page.get_by_role("button", name="Delete beta:2b").click()
    dialog = page.get_by_role("dialog", name="Delete beta:2b?")
    expect(dialog).to_contain_text("one of the models on Compare")
    yes = dialog.get_by_role("button", name="Delete")
    expect(yes).to_be_disabled()
    dialog.get_by_role("textbox").fill("beta:2b")
    yes.click()
    expect(model(page, "beta:2b")).to_have_count(0)


def test_a_delete_that_fails_says_why(site: Site, visit: Visit) -> None:
    visit.page.goto(site.at("models"))
    expect(model(visit.page, "beta:2b")).to_be_visible()
    del site.upstream.models["beta:2b"]
    visit.page.get_by_role("button", name="Delete beta:2b").click()
    visit.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(visit.page.get_by_role("alert")).to_contain_text("Failed to delete model")
    forgive(visit, "status of 500")


def test_no_models_says_what_to_do(site: Site, visit: Visit) -> None:
    site.upstream.models.clear()
    visit.page.goto(site.at("models"))
    expect(visit.page.get_by_text("No models yet")).to_be_visible()
    expect(visit.page.get_by_text("Download one above")).to_be_visible()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_Y3_everyone_can_read_the_models(
    site: Site, windows: Windows, scheme: Literal["light", "dark"], width: int
) -> None:
    held = Gate()
    site.upstream.models["hf.co/some-organisation/A-Very-Long-Name-Instruct-GGUF:Q4_K_M"] = Talker(
        capabilities=("completion", "vision", "tools", "thinking", "insert")
    )
    site.upstream.registry["gamma:3b"] = [{**LAYER, "completed": 1_000_000}, held]
    page = windows(site, scheme=scheme, width=width).page
    page.goto(site.at("models"))
    download(page, "gamma:3b")
    expect(pull(page, "gamma:3b").get_by_role("progressbar")).to_be_visible()
    assert problems(page) == []
    assert fits(page)
    page.get_by_role("button", name="Delete alpha:1b").click()
    assert problems(page) == []
    assert fits(page)
    held.open()
