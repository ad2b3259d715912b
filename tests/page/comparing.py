"""What a person does on the Compare page, and what they find there."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.browser import Visit
from tests.page.rig import Site

Sites = Callable[..., Site]
Windows = Callable[..., Visit]


def card(page: Page, name: str) -> Locator:
    """Such as `B1`: the second column's answer to the first question."""
    return page.locator(f'[data-card="{name}"]')


def question(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Question", exact=True)


def instance(page: Page, model: str) -> Locator:
    """In the roster."""
    return page.get_by_role("button", name=re.compile(rf"^Change . {model}"))


def ask(page: Page, text: str) -> None:
    question(page).fill(text)
    expect(page.get_by_role("button", name=re.compile("^Send"))).to_be_enabled()
    page.keyboard.press("Enter")


def add(page: Page, model: str) -> None:
    page.get_by_role("button", name="Model", exact=True).click()
    page.get_by_role("radio", name=model).check()
    page.get_by_role("button", name="Add", exact=True).click()
