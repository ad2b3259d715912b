"""Whatever a model says, or is called, stays text in its card (contract arena §2.13 R6, R7, R10; threats T25).

The windows' own checks are half of each test: no complaint, which a CSP report would be, and no request elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

from playwright.sync_api import Page, expect

from tests.browser import Visit
from tests.page.payloads import AWAY, NAMES, PAYLOADS, VECTORS
from tests.page.rig import Site, fits
from tests.page.upstream import Script, Talker

Windows = Callable[..., Visit]

COLUMNS = tuple(f"m{place}:1b" for place in range(6))

_TRAPS = """
  window.misdeeds = [];
  window.pwned = () => window.misdeeds.push('a script ran');
  addEventListener('securitypolicyviolation', (event) => window.misdeeds.push(event.violatedDirective));
"""

# What may stand in an answer: R6's own tags, and what the page itself builds around code, tables and pictures.
_STRANGERS = """() => {
  const tags = new Set(('p br hr h3 h4 h5 h6 ul ol li blockquote pre code em strong del a table thead tbody tr th td'
    + ' input sup sub span figure figcaption button div img').split(' '));
  const attributes = new Set(('href title align start type checked disabled class rel target src alt tabindex dir role'
    + ' aria-label aria-pressed style').split(' '));
  const wrong = [];
  for (const element of document.querySelectorAll('.markdown *')) {
    if (!tags.has(element.localName)) wrong.push(element.outerHTML);
    for (const { name, value } of element.attributes) {
      if (!attributes.has(name) || (name === 'style' && value)) wrong.push(element.outerHTML);
    }
    if (element.localName === 'a' && !/^(https?|mailto):/.test(element.href)) wrong.push(element.outerHTML);
    if (element.localName === 'a' && element.rel !== 'noopener noreferrer nofollow') wrong.push(element.outerHTML);
    if (element.localName === 'img' && !/^data:image.(png|jpeg|webp|gif);/.test(element.src)) {
      wrong.push(element.outerHTML);
    }
    if (element.localName === 'input' && !(element.type === 'checkbox' && element.disabled)) {
      wrong.push(element.outerHTML);
    }
    if (['fixed', 'absolute', 'sticky'].includes(getComputedStyle(element).position)) wrong.push(element.outerHTML);
  }
  return wrong;
}"""


@contextmanager
def guarded(visit: Visit) -> Iterator[Page]:
    """At the end nothing has run, nothing has been asked for, and every answer is made of what is allowed."""
    dialogs: list[str] = []

    def close(dialog: Any) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    visit.page.on("dialog", close)
    visit.page.add_init_script(_TRAPS)
    yield visit.page
    assert visit.page.url.startswith("http://127.0.0.1:"), "it was led away"
    assert visit.page.evaluate("window.misdeeds") == []
    assert visit.page.evaluate(_STRANGERS) == []
    assert dialogs == []


def talk(site: Site, payloads: Sequence[str], pieces: Callable[[str], Script] = lambda payload: [payload]) -> None:
    """Six models; to the prompt `row 2` the fourth says the payload of row 2, column 3."""

    def script(place: int) -> Callable[[dict[str, Any]], Script]:
        def said(body: dict[str, Any]) -> Script:
            row = int(body["messages"][-1]["content"].removeprefix("row "))
            index = row * len(COLUMNS) + place
            return pieces(payloads[index]) if index < len(payloads) else ["."]

        return said

    site.upstream.models = {model: Talker(script(place)) for place, model in enumerate(COLUMNS)}


def rows_of(payloads: Sequence[str]) -> int:
    return -(-len(payloads) // len(COLUMNS))


def instances() -> list[dict[str, Any]]:
    return [{"id": model, "model": model, "use_model_defaults": True} for model in COLUMNS]


def compare(site: Site, page: Page) -> None:
    """The Compare page with all six."""
    page.add_init_script(f"localStorage.setItem('puna.compare.roster', {json.dumps(json.dumps(instances()))})")
    page.goto(site.at("compare"))


def ask(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Question", exact=True).fill(text)
    expect(page.get_by_role("button", name=re.compile("^Send"))).to_be_enabled()
    page.keyboard.press("Enter")


def complete(page: Page, answers: int) -> None:
    expect(page.locator('article[aria-busy="false"]')).to_have_count(answers, timeout=15_000)


def call(site: Site, path: str, body: object) -> Any:
    sent = Request(f"{site.url}/api/arena/{path}", json.dumps(body).encode(), method="POST")
    with urlopen(sent) as response:
        return response.read()


def stored(site: Site, payloads: Sequence[str]) -> str:
    """A session in which the models said them; its id."""
    talk(site, payloads)
    session = json.loads(call(site, "sessions", {}))["id"]
    for row in range(rows_of(payloads)):
        call(site, f"sessions/{session}/turns", {"prompt": f"row {row}", "model_instances": instances()})
    return str(session)


def said(page: Page, index: int) -> str:
    return page.locator("article .markdown").nth(index).inner_text()


def test_T25_there_are_payloads_enough() -> None:
    assert len(PAYLOADS) == len(set(PAYLOADS)) >= 120


def test_T25_no_payload_does_anything_while_it_streams(site: Site, visit: Visit) -> None:
    talk(site, PAYLOADS, lambda payload: [*(payload[at : at + 7] for at in range(0, len(payload), 7))])
    with guarded(visit) as page:
        compare(site, page)
        for row in range(rows_of(PAYLOADS)):
            ask(page, f"row {row}")
            complete(page, (row + 1) * len(COLUMNS))


def test_T25_no_payload_does_anything_when_it_is_read_back(site: Site, visit: Visit) -> None:
    session = stored(site, PAYLOADS)
    with guarded(visit) as page:
        page.goto(site.at(f"compare/{session}"))
        complete(page, rows_of(PAYLOADS) * len(COLUMNS))
        page.mouse.move(300, 300)
        page.keyboard.press("Tab")


def test_T25_no_payload_does_anything_wherever_its_stream_is_cut(site: Site, visit: Visit) -> None:
    short = [payload for payload in PAYLOADS if len(payload) <= 40][: 2 * len(COLUMNS)]
    talk(site, short, lambda payload: [step for letter in payload for step in (letter, 0.05)])  # one paint a letter
    with guarded(visit) as page:
        compare(site, page)
        for row in range(2):
            ask(page, f"row {row}")
            complete(page, (row + 1) * len(COLUMNS))


def test_T25_battles_show_payloads_as_text_too(site: Site, visit: Visit) -> None:
    payloads = list(VECTORS.values())
    site.upstream.models = {
        "one:1b": Talker(["\n\n".join(payloads[:9])]),
        "two:1b": Talker(["\n\n".join(payloads[9:])]),
    }
    with guarded(visit) as page:
        page.goto(site.at("battle"))
        page.get_by_role("textbox").first.fill("<img src=x onerror=pwned()> & \"'")
        page.get_by_role("button", name="Start the battle").click()
        expect(page.get_by_role("button", name="Tie")).to_be_enabled()
        expect(page.get_by_text("<img src=x onerror=pwned()> & \"'")).to_be_visible()
        page.reload()
        expect(page.get_by_role("button", name="Tie")).to_be_enabled()


def test_R10_every_named_vector_is_what_it_looks_like(site: Site, visit: Visit) -> None:
    names = list(VECTORS)
    session = stored(site, list(VECTORS.values()))
    with guarded(visit) as page:
        page.goto(site.at(f"compare/{session}"))
        complete(page, 18)
        texts = {name: said(page, index) for index, name in enumerate(names)}
    for name in ("script", "img onerror", "svg onload", "iframe srcdoc", "style", "ids shadowing globals"):
        assert texts[name] == VECTORS[name], name
    for name in ("javascript link", "data link", "mixed case scheme"):
        assert texts[name] == VECTORS[name], name
    assert texts["entity-coded scheme"] == "[x](javascript:pwned())"
    assert texts["remote picture"].replace("\n", "") == "Picture:x(evil.example)"
    assert "<img src=x onerror=pwned()>" in texts["unclosed fence, then HTML"]


def test_R10_page_globals_cannot_be_shadowed(site: Site, visit: Visit) -> None:
    session = stored(site, [VECTORS["ids shadowing globals"]])
    with guarded(visit) as page:
        page.goto(site.at(f"compare/{session}"))
        complete(page, 6)
        assert page.evaluate("typeof fetch === 'function' && document.body instanceof HTMLBodyElement")
        assert page.evaluate("typeof puna === 'undefined' && typeof document.cookie === 'string'")


def test_R10_an_override_of_direction_ends_with_its_element(site: Site, visit: Visit) -> None:
    open_ended = "\u202e\u2066\u202d open"
    session = stored(site, [f"**{open_ended}** after", f"[{open_ended}](https://example.com) after"])
    with guarded(visit) as page:
        page.goto(site.at(f"compare/{session}"))
        complete(page, 6)
        # Text that follows is where it would be without the override: to the right of it.
        for index, tag in enumerate(("strong", "a")):
            paragraph = page.locator("article .markdown p").nth(index)
            right = paragraph.evaluate(
                """(p, tag) => {
                  const range = document.createRange();
                  const texts = document.createTreeWalker(p, NodeFilter.SHOW_TEXT);
                  let node, after;
                  while ((node = texts.nextNode())) if (node.data.includes('after')) after = node;
                  range.selectNodeContents(after);
                  return range.getBoundingClientRect().left >= p.querySelector(tag).getBoundingClientRect().right - 1;
                }""",
                tag,
            )
            assert right, tag


def test_R10_depth_and_length_do_not_stop_the_page(site: Site, visit: Visit) -> None:
    monsters = [
        "> " * 10_000 + "deep",
        "\n".join(f"{'>' * depth} x" for depth in range(1, 300)),
        "- " * 10_000 + "deep",
        "x" * 1_000_000,
        "[" * 50_000,
        "*_" * 40_000,
    ]
    session = stored(site, monsters)
    with guarded(visit) as page:
        page.goto(site.at(f"compare/{session}"))
        complete(page, 6)
        expect(page.get_by_role("heading", name="Compare")).to_be_visible()
        assert fits(page)


def test_R10_names_of_models_are_text(site: Site, visit: Visit) -> None:
    site.upstream.models = {name: Talker(["Hello."]) for name in (*NAMES, "honest:1b")}
    with guarded(visit) as page:
        for place in ("models", "battle", "compare", "board", "history"):
            page.goto(site.at(place))
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            page.wait_for_load_state("networkidle")
            assert page.locator("main img, main svg[onload], main script").count() == 0
        page.goto(site.at("models"))
        expect(page.get_by_text(NAMES[0]).first).to_be_visible()


def test_R8_what_an_upstream_complains_about_is_text(site: Site, visit: Visit) -> None:
    for model in site.upstream.models:
        site.upstream.models[model] = Talker(refusal=(500, "<img src=x onerror=pwned()>"))
    with guarded(visit) as page:
        page.goto(site.at())
        ask(page, "<svg onload=pwned()>")
        complete(page, 2)
        expect(page.get_by_text("<svg onload=pwned()>").first).to_be_visible()
        assert page.locator("main img").count() == 0


def test_R7_nothing_remote_is_fetched_and_links_say_where_they_lead(site: Site, visit: Visit) -> None:
    text = f"[my bank]({AWAY}/login) and ![chart]({AWAY}/c.png?q=secret) and <https://example.com/a>"
    site.upstream.models = {"alpha:1b": Talker([text])}
    with guarded(visit) as page:
        page.goto(site.at("compare"))
        page.get_by_role("button", name="Remove alpha:1b").last.click()
        ask(page, "Go")
        complete(page, 1)
        answer = page.locator("article .markdown")
        expect(answer).to_contain_text("(evil.example)")
        expect(answer.get_by_role("link")).to_have_count(3)
        expect(answer.locator("img")).to_have_count(0)
