"""The five pages in the states that a person meets, for what has to hold on all of them (contract arena §2.14)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from playwright.sync_api import Page, expect

from tests.page.rig import Site
from tests.page.talk import Api, vote
from tests.page.upstream import Talker

Scene = Callable[[Page, Site], Iterator[str]]
"""Goes from state to state and names each, once it is there."""

_LONG = "incomprehensibilities" * 4
_ANSWER = f"# Why\n\n- one `{_LONG}`\n- two\n\n| a | b |\n|---|---|\n| {_LONG} | 1 |\n\n```python\nx = '{_LONG}'\n```"


def compare(page: Page, site: Site) -> Iterator[str]:
    _talk(site)
    page.goto(site.at())
    expect(page.get_by_text("alpha:1b").first).to_be_visible()
    yield "start"
    for name in ("Sweep a setting", "Save or load a roster"):
        command(page, name)
        yield from _dialog(page, name)
    command(page, "Add a model")
    page.get_by_role("radio", name="beta:2b").check()
    page.get_by_text("Settings", exact=True).click()
    yield from _dialog(page, "Add a model")
    page.goto(site.at(f"compare/{Api(site).session('Why is that so?', ('alpha:1b', 'beta:2b'))}"))
    expect(page.locator("[data-card]").first).to_contain_text("two")
    yield "answers"
    for name in ("What differs between two answers", "View options", "Prompts"):
        command(page, name)
        yield from _dialog(page, name)
    page.locator("h1").evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    yield from _dialog(page, "Keys")
    page.keyboard.press("Control+k")
    yield from _dialog(page, "Actions")


def battle(page: Page, site: Site) -> Iterator[str]:
    _talk(site)
    page.goto(site.at("battle"))
    expect(page.get_by_role("button", name="Start the battle")).to_be_visible()
    page.get_by_role("radio", name="Only these").check()
    yield "setup"
    page.goto(site.at(f"battle/{Api(site).battle('Why is that so?')}"))
    expect(page.get_by_role("button", name="Tie")).to_be_enabled()
    page.get_by_role("button", name="Why?").click()
    page.get_by_role("button", name="correct").click()
    yield "vote"
    page.get_by_role("button", name="A better").click()
    expect(page.get_by_role("heading", name="You voted")).to_be_visible()
    yield "revealed"


def board(page: Page, site: Site) -> Iterator[str]:
    page.goto(site.at("board"))
    expect(page.get_by_text("No votes yet")).to_be_visible()
    yield "empty"
    long = f"hf_co_{_LONG}_GGUF__0.7_0.9_40_1.1_-1_0"
    Api(site).vote([vote(long, "beta", prompt_set="mine"), vote("beta", "gamma"), vote("gamma", long)])
    page.goto(site.at("board?anchor=beta%3A1200"))
    expect(page.get_by_label("Anchor")).to_be_visible()
    expect(page.locator("figure img")).to_be_visible()
    yield "ratings"


def history(page: Page, site: Site) -> Iterator[str]:
    _talk(site)
    Api(site).session(_LONG, ("alpha:1b", "beta:2b"))
    Api(site).battle(_LONG)
    page.goto(site.at("history"))
    expect(page.get_by_role("list", name="Sessions").get_by_role("listitem")).to_have_count(1)
    yield "sessions"
    page.get_by_role("button", name="Rename").click()
    yield "renaming"
    page.keyboard.press("Escape")
    page.goto(site.at("history?show=battles"))
    expect(page.get_by_role("list", name="Battles").get_by_role("listitem")).to_have_count(1)
    yield "battles"


def models(page: Page, site: Site) -> Iterator[str]:
    site.upstream.models[f"hf.co/org/{_LONG}:Q4_K_M"] = Talker(capabilities=("completion", "vision", "thinking"))
    page.goto(site.at("models"))
    expect(page.get_by_role("heading", name="alpha:1b")).to_be_visible()
    yield "installed"
    page.get_by_role("button", name="Delete alpha:1b").click()
    yield from _dialog(page, "Delete")


SCENES: tuple[Scene, ...] = (compare, battle, board, history, models)


def _talk(site: Site) -> None:
    for name in site.upstream.models:
        site.upstream.models[name] = Talker([_ANSWER])


def command(page: Page, name: str) -> None:
    """What the palette calls so."""
    page.keyboard.press("Control+k")
    page.get_by_role("dialog", name="Actions").get_by_role("combobox").fill(name)
    page.keyboard.press("Enter")


def _dialog(page: Page, name: str) -> Iterator[str]:
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", level=2).first).to_be_visible()
    yield name
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
