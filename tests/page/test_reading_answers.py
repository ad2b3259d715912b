"""How answers are drawn: Markdown that grows, code, thinking, pictures (contract arena §2.13 R1 to R7)."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser import Visit
from tests.page.rig import Site, fits
from tests.page.upstream import Gate, Script, Talker

TEXT = """# Title

A paragraph with **bold**, *emphasis*, ~~gone~~ and [a link][later].
- a list at once

1. one
2. two
   - nested

- [ ] to do
- [x] done

| left | right |
|:--|--:|
| `a` | 1 |

> a quote
> goes on

```python
def half(x: float) -> float:
    return x / 2
```

Energy is \\(E = m_1 c^2\\) and $a_1 + b_2$, for $5 or $6.

***

[later]: https://example.com/later
"""
DOT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    "AAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def answer(page: Page) -> Locator:
    return page.locator("article .markdown")


def ask(site: Site, visit: Visit, script: Script) -> Page:
    site.upstream.models = {"alpha:1b": Talker(script)}
    page = visit.page
    page.goto(site.at("compare"))
    page.get_by_role("button", name="Remove alpha:1b").last.click()
    page.get_by_role("textbox", name="Question", exact=True).fill("Go")
    expect(page.get_by_role("button", name="Send")).to_be_enabled()
    page.keyboard.press("Enter")
    return page


def read(site: Site, visit: Visit, text: str) -> Page:
    page = ask(site, visit, [text])
    expect(page.locator('article[aria-busy="false"]')).to_have_count(1)
    return page


def test_R3_an_answer_looks_the_same_however_it_came(site: Site, visit: Visit) -> None:
    page = ask(site, visit, [step for line in TEXT.splitlines(keepends=True) for step in (line, 0.06)])
    expect(page.locator('article[aria-busy="false"]')).to_have_count(1)
    expect(answer(page).locator(".hljs-keyword")).to_have_count(2)
    streamed = answer(page).inner_text()
    tags = "[...document.querySelectorAll('.markdown *')].map((one) => one.localName).join(' ')"
    drawn = page.evaluate(tags)
    page.reload()
    expect(answer(page).locator(".hljs-keyword")).to_have_count(2)
    assert answer(page).inner_text() == streamed
    assert page.evaluate(tags) == drawn


def test_R3_headings_begin_below_those_of_the_page(site: Site, visit: Visit) -> None:
    page = read(site, visit, "# One\n\n## Two\n\n###### Six")
    levels = answer(page).get_by_role("heading").evaluate_all("all => all.map((one) => one.localName)")
    assert levels == ["h3", "h4", "h6"]


def test_R3_formulas_fall_back_to_code_and_prices_do_not(site: Site, visit: Visit) -> None:
    page = read(site, visit, TEXT)
    expect(answer(page).locator("p code")).to_have_text([r"\(E = m_1 c^2\)", "$a_1 + b_2$"])
    expect(answer(page)).to_contain_text("for $5 or $6.")


def test_R3_what_is_half_written_is_shown_as_what_it_will_be(site: Site, visit: Visit) -> None:
    bold, code = Gate(), Gate()
    page = ask(site, visit, ["It is **very", bold, " bold**.\n\n```python\nx = 1", code, "\n```\n"])
    expect(answer(page).locator("strong")).to_have_text("very")
    bold.open()
    expect(answer(page).locator("pre")).to_have_text("x = 1")
    code.open()
    expect(answer(page).locator(".hljs-number")).to_have_text("1")


def test_R1_what_has_been_read_is_not_drawn_anew(site: Site, visit: Visit) -> None:
    more = Gate()
    page = ask(site, visit, ["First.\n\nSecond.\n\n", "Third", more, " goes on.\n\nFourth."])
    expect(answer(page)).to_contain_text("Third")
    page.evaluate(
        """() => {
          window.kept = document.querySelector('.markdown p');
          getSelection().selectAllChildren(window.kept);
        }"""
    )
    more.open()
    expect(answer(page)).to_contain_text("Fourth.")
    assert page.evaluate("window.kept.isConnected && window.kept === document.querySelector('.markdown p')")
    assert page.evaluate("getSelection().toString()") == "First."


def test_R4_code_has_its_language_copies_and_wraps(site: Site, visit: Visit) -> None:
    code = "const text = '" + "long " * 100 + "';"
    page = read(site, visit, f"- In a list:\n\n  ```js\n  {code}\n  ```\n")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(answer(page).get_by_text("js", exact=True)).to_be_visible()
    block = answer(page).locator("pre")
    assert block.evaluate("one => one.scrollWidth > one.clientWidth")
    answer(page).get_by_role("button", name="Wrap").click()
    assert block.evaluate("one => one.scrollWidth <= one.clientWidth")
    answer(page).get_by_role("button", name="Copy").click()
    expect(answer(page).get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == code


def test_R4_more_than_400_lines_fold(site: Site, visit: Visit) -> None:
    page = read(site, visit, "```\n" + "".join(f"line {number}\n" for number in range(1, 502)) + "```")
    expect(answer(page)).to_contain_text("line 400")
    expect(answer(page)).not_to_contain_text("line 401")
    answer(page).get_by_role("button", name="Show all 501 lines").click()
    expect(answer(page)).to_contain_text("line 501")


def test_R5_thinking_in_the_text_folds(site: Site, visit: Visit) -> None:
    page = read(site, visit, "<think>\nFirst, the sky.\n</think>\n\nIt is blue.")
    expect(answer(page)).to_have_text(re.compile("^It is blue."))
    expect(page.get_by_text("First, the sky.")).not_to_be_visible()
    page.get_by_text("Thinking", exact=True).click()
    expect(page.get_by_text("First, the sky.")).to_be_visible()


def test_R7_pictures_in_the_text_are_shown(site: Site, visit: Visit) -> None:
    page = read(site, visit, f"Look: ![a dot]({DOT})")
    picture = answer(page).get_by_role("img", name="a dot")
    expect(picture).to_be_visible()
    assert picture.evaluate("one => one.naturalWidth") == 1


def test_wide_tables_scroll_by_themselves(site: Site, visit: Visit) -> None:
    row = "|" + "a wide cell|" * 40
    page = read(site, visit, f"{row}\n|{'--|' * 40}\n{row}")
    expect(answer(page).get_by_role("table")).to_be_visible()
    assert fits(page)
