"""One comparison as a file to pass on, with names or without (contract arena §2.10; V5; threats T25)."""

from __future__ import annotations

import asyncio
import base64
import io
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from PIL import Image

from puna.arena.battle import Battle
from puna.arena.exchange.card import battle_card, render_card
from puna.arena.exchange.markup import MOST, rendered
from puna.arena.instances import Instance
from puna.arena.record import BattleRecord, BattleTurn, Seat
from puna.arena.storage.battles import BattleStore
from puna.database import Database
from tests.arena.doors import Door, Json, Reply, door
from tests.arena.test_battles_are_kept import A_WINS, NOW, answer, answered
from tests.code.scripted import LAST, Script, Scripted, upstream
from tests.page.payloads import PAYLOADS

SESSIONS = "/api/arena/sessions"
ACME: Json = {"id": "acme-left", "model": "acme/solar:7b", "temperature": 0.25}
PLAIN: Json = {"id": "plain-right", "model": "plain:1b", "use_model_defaults": True, "system": "Be a bird."}
DIES: Json = {"id": "dies-last", "model": "dies:1b"}
SCRIPTS: dict[str, Script] = {
    "acme/solar:7b": [{"message": {"thinking": "A bird?"}, "done": False}, "**Owls** [see](https://owls.example/a)"],
    "plain:1b": ["# Owl\n\n| a | b |\n|--|-:|\n| 1 | 2 |"],
    "dies:1b": ["half", {"error": "the runner of dies:1b died"}],
}

SAID = {
    "p", "a", "em", "strong", "del", "code", "hr", "ul", "ol", "li", "blockquote", "h3", "h4", "table", "thead", "tbody",
    "tr", "th", "td", "div", "span", "br",
}  # fmt: skip
"""What an answer may be made of (R6)."""


def played(body: Json) -> Script:
    return SCRIPTS[body["model"]]


@pytest.fixture
async def opened(sqlite: Database) -> AsyncIterator[Door]:
    model = Scripted(script=played, last={**LAST, "eval_count": 8, "eval_duration": 400_000_000})
    async with upstream(model) as (_, endpoint), door(endpoint, database=sqlite) as found:
        yield found


async def asked(opened: Door, prompt: str, *instances: Json, **more: Any) -> str:
    """A session with that turn."""
    made = (await opened.post(SESSIONS, {"title": "acme against plain", "system": "Be kind."})).json["id"]
    reply = await opened.post(
        f"{SESSIONS}/{made}/turns", {"prompt": prompt, "model_instances": list(instances), **more}
    )
    assert reply.status == 200, reply.body
    return str(made)


def words(page: str) -> str:
    """What a reader sees."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


class Elements(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]


def check_download(reply: Reply, name: str) -> str:
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert reply.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert "x-content-type-options" in reply.headers
    return reply.text


async def test_a_turn_is_one_file_with_all_that_was_asked_said_set_and_measured(opened: Door) -> None:
    session = await asked(opened, "Which bird <b>turns</b>?", ACME, PLAIN)
    reply = await opened.get(f"{SESSIONS}/{session}/turns/1/card")
    page = check_download(reply, f"puna-comparison-{datetime.now(UTC).date()}-turn-1.html")
    seen = words(page)
    for part in ("Which bird &lt;b&gt;turns&lt;/b&gt;?", "acme/solar:7b", "plain:1b", "Be kind.", "Be a bird.",
                 "Temperature 0.25", "the model’s own", "A bird?", "Tokens 8", "Speed 20 tok/s", "First token",
                 "2 answers side by side"):  # fmt: skip
        assert part in seen, part
    assert "<strong>Owls</strong>" in page
    assert '<a href="https://owls.example/a" rel="noopener noreferrer nofollow">see</a>' in page
    assert "(owls.example)" in seen
    assert "<h3>Owl</h3>" in page
    assert '<td align="right">2</td>' in page


async def test_it_is_whole_in_itself(opened: Door) -> None:
    png = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(png, "PNG")
    session = await asked(opened, "Hm?", ACME, PLAIN, images=[base64.b64encode(png.getvalue()).decode()])
    found = Elements((await opened.get(f"{SESSIONS}/{session}/turns/1/card")).text)
    assert found.tags.count("img") == 1
    assert not {"script", "iframe", "object", "embed", "form", "base"} & set(found.tags)
    loaded = [value for tag, name, value in found.attributes if name == "src" or (tag, name) == ("link", "href")]
    assert len(loaded) == 2
    assert all(url.startswith("data:") for url in loaded)
    assert not [name for _, name, _ in found.attributes if name.startswith("on") or name == "style"]


async def test_without_names_nothing_gives_them_away(opened: Door) -> None:
    session = await asked(opened, "Which bird?", ACME, PLAIN, DIES)
    with_names = (await opened.get(f"{SESSIONS}/{session}/turns/1/card?names=1")).text
    reply = await opened.get(f"{SESSIONS}/{session}/turns/1/card?names=0")
    without = reply.text + reply.headers["content-disposition"]
    for secret in ("acme", "solar", "plain:1b", "plain-right", "dies", session):
        assert secret not in without.lower(), secret
    assert "the runner of dies:1b died" in with_names
    assert "This answer failed" in without
    assert ["<h2>A</h2>" in without, "<h2>B</h2>" in without, "<h2>C</h2>" in without] == [True] * 3


async def test_letters_are_those_of_the_page(opened: Door) -> None:
    """The second column alone is asked the second question: it is B there, too."""
    session = await asked(opened, "One?", ACME, PLAIN)
    await opened.post(f"{SESSIONS}/{session}/turns", {"prompt": "Two?", "model_instances": [PLAIN]})
    page = (await opened.get(f"{SESSIONS}/{session}/turns/2/card")).text
    assert "<h2>B</h2>" in page
    assert "One answer" in words(page)
    assert "One?" not in page


async def test_what_is_not_there_has_no_card(opened: Door) -> None:
    session = await asked(opened, "One?", PLAIN)
    for path in (f"{SESSIONS}/{session}/turns/2/card", f"{SESSIONS}/x/turns/1/card", "/api/arena/battles/x/card"):
        assert (await opened.get(path)).status == 404, path
    refused = await opened.get(f"{SESSIONS}/{session}/turns/1/card?names=maybe")
    assert refused.status == 400


async def test_V5_a_battle_has_a_card_only_once_its_identities_are_shown(opened: Door, sqlite: Database) -> None:
    store = BattleStore(sqlite)
    kept = {
        "ready": answered("ready"),
        "skipped": answered("skipped").skipped(),
        "voted": answered("voted").voted(A_WINS, {}, NOW + 9),
        "revealed": answered("revealed").revealed({}),
        "undone": answered("undone").voted(A_WINS, {}, NOW + 9).undone(NOW + 10),
    }
    for record in kept.values():
        await asyncio.to_thread(store.add, record)
    replies = {name: await opened.get(f"/api/arena/battles/{name}/card") for name in kept}
    for name in ("ready", "skipped"):
        assert replies[name].told == (409, "This battle is blind: vote or reveal first")
    voted = check_download(replies["voted"], "puna-battle-2026-11-23.html")
    assert "A is better" in words(voted)
    for name in ("revealed", "undone"):
        assert "2 answers side by side" in words(replies[name].text)


async def test_a_battle_without_names_is_letters_and_what_was_decided(opened: Door, sqlite: Database) -> None:
    record = replace(answered("b").voted(A_WINS, {}, NOW + 9), turns=answered("b").turns)
    await asyncio.to_thread(BattleStore(sqlite).add, record)
    page = (await opened.get("/api/arena/battles/b/card?names=0")).text
    assert all(part in words(page) for part in ("A is better", "One.", "Two.", "Blind battle", "Speed 40 tok/s"))
    assert "a:1b" not in page
    assert "b:1b" not in page
    assert ">second<" not in page
    assert "mine" not in page
    with_names = (await opened.get("/api/arena/battles/b/card")).text
    assert "b:1b at second" in words(with_names)


def test_what_was_said_after_the_decision_is_no_part_of_it() -> None:
    decided = answered().voted(A_WINS, {}, NOW + 9)
    later = decided.asked("And then?")
    page = render_card(battle_card(later, names=True)).decode()
    assert "And then?" not in page


def hostile(text: str) -> BattleRecord:
    """Everything in it is `text`: who answers, what is asked, said, thought and set."""
    seat = Seat(Instance(text, text, None, text), text)
    turn = BattleTurn(text, {"A": replace(answer(text), thinking=text), "B": answer(text)}, (text,))
    battle = Battle(("A", "B"), state="revealed")
    return BattleRecord("x", datetime.now(UTC), battle, {"A": seat, "B": seat}, (turn,), text)


def test_T25_no_payload_makes_an_element_that_is_not_the_cards_own() -> None:
    calm = set(Elements(render_card(battle_card(hostile("calm"), names=True)).decode()).tags)
    own = calm | SAID
    for payload in PAYLOADS:
        found = Elements(render_card(battle_card(hostile(payload), names=True)).decode())
        assert set(found.tags) <= own, payload
        for tag, name, value in found.attributes:
            assert not name.startswith("on"), payload
            assert name != "style", payload
            if name == "href" and tag == "a":
                assert re.match("https?://|mailto:", value), payload


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a <b> & c", "<p>a &lt;b&gt; &amp; c</p>\n"),
        ("![x](https://e.example/p.png)", '<p>!<a href="https://e.example/p.png" rel="noopener noreferrer nofollow">x'
         '</a> <span class="host">(e.example)</span></p>\n'),
        ("[x](/api/delete_model) [y](data:image/png;base64,AAAA)",
         "<p>[x](/api/delete_model) [y](data:image/png;base64,AAAA)</p>\n"),
        ("[bank](https://bank.example@evil.example)",
         '<p><a href="https://bank.example@evil.example" rel="noopener noreferrer nofollow">bank</a> '
         '<span class="host">(evil.example)</span></p>\n'),
        ("<https://e.example/a>", '<p><a href="https://e.example/a" rel="noopener noreferrer nofollow">'
         "https://e.example/a</a></p>\n"),
        ("[m](mailto:a@b.example)", '<p><a href="mailto:a@b.example" rel="noopener noreferrer nofollow">m</a></p>\n'),
        ("[x](https://) [y](//e.example)", "<p>[x](https://) [y](//e.example)</p>\n"),
        ("###### deep", "<h6>deep</h6>\n"),
        ("```js onload=x\n<i>\n```", "<pre><code>&lt;i&gt;\n</code></pre>\n"),
        ("~~no~~", "<p><del>no</del></p>\n"),
    ],
)  # fmt: skip
def test_R6_R7_marks_are_read_and_nothing_else(text: str, html: str) -> None:
    assert rendered(text) == html


def test_R10_depth_and_length_are_no_trouble() -> None:
    assert rendered("x" * (MOST + 1)).startswith("<pre>xxx")
    for monster in ("> " * 10_000 + "deep", "- " * 10_000 + "deep", "[" * 50_000, "*_" * 40_000, "`" * 50_000):
        assert rendered(monster)
    assert rendered("<i>" * MOST) == "<pre>" + "&lt;i&gt;" * MOST + "</pre>"


def test_half_a_character_is_no_end_of_it() -> None:
    assert render_card(battle_card(hostile("\ud83d"), names=True)).count(b"?") >= 4
