"""All pages for hands that need room, eyes that need size or contrast, and whom motion hurts (contract §2.14 Y4)."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import FloatRect, Locator, Page, expect

from tests.browser import Visit
from tests.page.comparing import Windows, ask, card, instance, question
from tests.page.rig import Site, fits
from tests.page.scenes import SCENES, Scene, command
from tests.page.talk import Api
from tests.page.upstream import Gate, Talker, Thought

_MOUSE, _FINGER = 24, 44  # CSS pixels

_SMALL = """least => {
    const words = element => (element.ariaLabel || element.title || element.textContent || element.name).trim();
    const inText = link => [...link.parentNode.childNodes].some(
        node => node !== link && node.nodeType === Node.TEXT_NODE && node.data.trim().length > 1);
    const found = [];
    for (const element of document.querySelectorAll('button, input, select, textarea, summary, a[href], [role=option]')) {
        const shown = element.checkVisibility({visibilityProperty: true, opacityProperty: true});
        if (!shown || element.closest('.unseen') || (element.matches('a') && inText(element))) continue;
        const box = (element.matches('[type=checkbox], [type=radio]') && element.closest('label') || element)
            .getBoundingClientRect();
        if (box.right <= 0) continue;  // it comes with the focus
        if (Math.min(box.width, box.height) < least - 0.5)
            found.push(`${element.localName} ${words(element)}: ${Math.round(box.width)} × ${Math.round(box.height)}`);
    }
    return found;
}"""


def small(page: Page, least: int) -> list[str]:
    """What can be pressed and is smaller than `least` to any side; a link in a sentence may be (WCAG 2.5.8)."""
    found: list[str] = page.evaluate(_SMALL, least)
    return found


def moving(page: Page) -> bool:
    return bool(page.evaluate("document.getAnimations().length > 0"))


def look(element: Locator) -> bytes:
    """What is seen of it, and of what is around it by two pixels."""
    box = element.bounding_box()
    assert box is not None
    around: FloatRect = {"x": box["x"] - 2, "y": box["y"] - 2, "width": box["width"] + 4, "height": box["height"] + 4}
    return element.page.screenshot(clip=around)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_Y4_a_mouse_finds_everything_and_where_motion_hurts_nothing_moves(
    site: Site, visit: Visit, scene: Scene
) -> None:
    page = visit.page
    page.emulate_media(reduced_motion="reduce")
    for state in scene(page, site):
        assert small(page, _MOUSE) == [], state
        assert not moving(page), state


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_Y4_a_finger_finds_everything_on_the_smallest_phone(site: Site, windows: Windows, scene: Scene) -> None:
    page = windows(site, width=320, height=640, touch=True).page
    for state in scene(page, site):
        assert small(page, _FINGER) == [], state
        assert fits(page), state


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_Y4_at_400_percent_nothing_scrolls_sideways(site: Site, windows: Windows, scene: Scene) -> None:
    page = windows(site, width=320, height=256).page  # of 1280 × 1024
    assert [state for state in scene(page, site) if not fits(page)] == []


def test_Y4_at_400_percent_the_answers_have_the_room(site: Site, windows: Windows) -> None:
    page = windows(site, width=320, height=256).page
    page.goto(site.at(f"battle/{Api(site).battle('Why?')}"))
    page.get_by_role("button", name="Why?").click()
    text = page.get_by_role("article").get_by_text("Hello there.")
    text.evaluate("element => element.scrollIntoView({block: 'center'})")
    box = text.bounding_box()
    assert box is not None
    at = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
    assert page.evaluate("([x, y]) => document.elementFromPoint(x, y).textContent", at) == "Hello there."


def test_Y4_what_moves_stands_still_where_motion_hurts(site: Site, visit: Visit) -> None:
    end = Gate()
    site.upstream.models["alpha:1b"] = Talker([Thought("Hm."), end, "Done."])
    page = visit.page
    page.goto(site.at())
    ask(page, "Go")
    expect(card(page, "A1").get_by_text(re.compile(r"^\s*Thinking( \d+ s)?\s*$"))).to_be_visible()
    assert moving(page)
    page.emulate_media(reduced_motion="reduce")
    assert not moving(page)
    end.open()
    expect(card(page, "A1")).to_have_attribute("aria-busy", "false")


def test_Y4_in_forced_colours_focus_and_choice_are_still_seen(site: Site, visit: Visit) -> None:
    page = visit.page
    page.emulate_media(forced_colors="active")
    page.goto(site.at(f"battle/{Api(site).battle('Why?')}"))
    page.get_by_role("button", name="Why?").click()
    tag, note = page.get_by_role("button", name="clear"), page.get_by_role("textbox", name="Note")
    note.focus()
    plain = look(tag)
    tag.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(tag).to_be_focused()
    focused = look(tag)
    assert focused != plain
    tag.press("Space")
    note.focus()
    assert look(tag) not in (plain, focused)


def test_Y4_in_forced_colours_tabs_and_pages_tell_which_is_shown(site: Site, windows: Windows) -> None:
    page = windows(site, width=700).page
    page.emulate_media(forced_colors="active")
    site.upstream.models |= {f"m{number}:1b": Talker() for number in range(2)}
    page.goto(site.at(f"compare/{Api(site).session('Why?', tuple(site.upstream.models))}"))
    tab, link = page.get_by_role("tab").last, page.get_by_role("link", name="History", exact=True)
    expect(tab).to_have_attribute("aria-selected", "false")
    before = look(tab), look(link)
    tab.click()
    expect(tab).to_have_attribute("aria-selected", "true")
    page.locator("h1").click()
    shown = look(tab)
    page.goto(site.at("history"))
    expect(page.get_by_role("heading", name="History", level=1)).to_be_visible()
    assert shown != before[0]
    assert look(link) != before[1]


@pytest.mark.parametrize(
    "dialog", ["Add a model", "Sweep a setting", "Save or load a roster", "View options", "Prompts"]
)
def test_Y4_dialogs_keep_the_focus_and_give_it_back(site: Site, visit: Visit, dialog: str) -> None:
    page = visit.page
    page.goto(site.at())
    expect(instance(page, "alpha:1b")).to_be_visible()
    question(page).focus()
    command(page, dialog)
    expect(page.get_by_role("dialog").get_by_role("button").last).to_be_visible()
    stops = page.get_by_role("dialog").locator("button, input, select, textarea, summary").count()
    for key in ("Tab", "Shift+Tab"):
        for _ in range(stops + 2):
            page.keyboard.press(key)
            assert page.evaluate(
                "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
            )
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(question(page)).to_be_focused()


def test_Y4_every_slider_has_a_box_with_the_same_number(site: Site, visit: Visit) -> None:
    page = visit.page
    page.goto(site.at())
    instance(page, "alpha:1b").click()
    sliders = page.get_by_role("dialog").get_by_role("slider")
    expect(sliders).to_have_count(6)
    for slider in sliders.all():
        name = (slider.get_attribute("aria-label") or "").removesuffix(", slider")
        box = page.get_by_role("dialog").get_by_role("spinbutton", name=name)
        before = box.input_value()
        slider.press("ArrowRight")
        expect(box).not_to_have_value(before)
        expect(slider).to_have_value(box.input_value())
        box.fill("1")
        expect(slider).to_have_value("1")
