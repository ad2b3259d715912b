"""How quick the arena and its page are: contract arena S7, §2.13 R1, and the issue's "first painted token".

A stub upstream and the arena run in a thread, Debian's Chromium in front of them, as the tests have it. The browser
draws on the same cores that the servers work on, so a frame that is late here is late for either reason.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPResponse
from statistics import median

from playwright.sync_api import Browser, Page
from tests.browser import browser
from tests.page.rig import Site, arena, visiting
from tests.page.upstream import Json, Step, Talker, Upstream

from bench.figures import Figure, Goal

COLUMNS = 6
RATE = 100  # tokens per second and column
TOKENS = 600  # of each column
LATE_MS = 50

FRAMES_GOAL = Goal(0, "at most")
MEDIAN_GOAL, WORST_GOAL = Goal(20, "at most"), Goal(100, "at most")  # S7, ms

# Stamps every frame, and the first frame after each text that begins with "first-" was put into the page.
_WATCH = """
window.frames_ms = [];
let last = 0;
const frame = (now) => { if (last) frames_ms.push(now - last); last = now; requestAnimationFrame(frame); };
requestAnimationFrame(frame);
window.painted = {};
new MutationObserver(() => {
  for (const found of document.body?.textContent.matchAll(/first-\\d+/g) ?? []) {
    if (painted[found[0]]) continue;
    painted[found[0]] = -1;
    requestAnimationFrame(() => { painted[found[0]] = performance.timeOrigin + performance.now(); });
  }
}).observe(document, {subtree: true, childList: true, characterData: true});
"""


@dataclass
class Announcer:
    """A model whose answer is one word that nobody said before, and when it said it (seconds since 1970)."""

    said: dict[str, float] = field(default_factory=dict)

    def __call__(self, body: Json) -> Iterator[Step]:
        word = f"first-{len(self.said)}"
        yield 0.05  # the page is at rest when it comes
        self.said[word] = time.time()
        yield word


async def measure(*, times: int) -> list[Figure]:
    return await asyncio.to_thread(_measure, times)  # Playwright's synchronous calls want a thread without a loop


def _measure(times: int) -> list[Figure]:
    announcer = Announcer()
    models = {
        "announcer:1b": Talker(announcer, tokens=1),  # type: ignore[arg-type]  # a script that is made as it is read
        "steady:1b": Talker(list(_steadily()), tokens=TOKENS),
        "stamped:1b": Talker(lambda _: _stamped(), tokens=TOKENS),  # type: ignore[arg-type, return-value]
    }
    with arena(Upstream(models)) as site, browser() as opened:
        return [
            *_relay(site, times),
            *_first_token(site, opened, announcer, times),
            *_frames(site, opened, times),
        ]


def _steadily() -> Iterator[Step]:
    for number in range(TOKENS):
        yield f"word{number} " if number % 12 else "\n\n- **item** "
        yield 1 / RATE


def _stamped() -> Iterator[Step]:
    """Each token says when it left."""
    for _ in range(TOKENS):
        yield f"{time.time()} "
        yield 1 / RATE


def _relay(site: Site, times: int) -> list[Figure]:
    """S7: how much later than the upstream wrote it a client of the API has a token."""
    medians, worst = [], []
    instances = [{"model": "stamped:1b", "temperature": 0.5 + number / 10} for number in range(COLUMNS)]
    for _ in range(times):
        delays = []
        with _post(site, "/api/stream_chat", {"message": "Go on.", "model_instances": instances}) as response:
            for line in response:
                token = json.loads(line)["token"] if line.strip() else ""
                delays += [(time.time() - float(stamp)) * 1000 for stamp in token.split()]
        assert len(delays) == COLUMNS * TOKENS
        medians.append(median(delays))
        worst.append(sorted(delays)[round(len(delays) * 0.99)])
    case = f"{COLUMNS} columns of {RATE} tokens/s"
    return [
        Figure("S7 delay of a token, median", case, "alone", "ms", medians, goal=MEDIAN_GOAL),
        Figure("S7 delay of a token, 99 %", case, "alone", "ms", worst, goal=WORST_GOAL),
    ]


def _first_token(site: Site, opened: Browser, announcer: Announcer, times: int) -> list[Figure]:
    """From the upstream's first byte until it is on the screen, and until a client of the API has it."""
    painted, heard = [], []
    session = _session(site, "announcer:1b", 1)
    with visiting(opened, site) as visit:
        page = _opened(visit.page, site, session)
        for _ in range(times):
            word = f"first-{len(announcer.said)}"
            _ask(page)
            page.wait_for_function("word => window.painted[word] > 0", arg=word)
            painted.append(page.evaluate("word => window.painted[word]", word) - announcer.said[word] * 1000)
            word = f"first-{len(announcer.said)}"
            heard.append((_hear(site, word) - announcer.said[word]) * 1000)
    return [Figure("first token on the screen, added to the API's", "Compare, 1 column", "added", "ms", painted, heard)]


def _frames(site: Site, opened: Browser, times: int) -> list[Figure]:
    late, longest, busiest = [], [], []
    for _ in range(times):
        session = _session(site, "steady:1b", COLUMNS)
        with visiting(opened, site, width=1680) as visit:
            page = _opened(visit.page, site, session)
            page.evaluate("window.frames_ms.length = 0")
            _ask(page)
            page.wait_for_timeout(TOKENS / RATE * 1000)
            frames: list[float] = page.evaluate("window.frames_ms")
        late.append(float(sum(gap > LATE_MS for gap in frames)))
        longest.append(max(frames))
        busiest.append(median(frames))
    case = f"{COLUMNS} columns of {RATE} tokens/s"
    return [
        Figure(f"frames later than {LATE_MS} ms", case, "alone", "", late, goal=FRAMES_GOAL),
        Figure("longest frame", case, "alone", "ms", longest),
        Figure("median frame", case, "alone", "ms", busiest),
    ]


def _session(site: Site, model: str, columns: int) -> str:
    """A new session with so many settings of one model; its id."""
    instances = [{"model": model, "temperature": 0.5 + number / 10} for number in range(columns)]
    with _post(site, "/api/arena/sessions", {"instances": instances}) as response:
        made: Json = json.load(response)
    return str(made["id"])


def _opened(page: Page, site: Site, session: str) -> Page:
    page.add_init_script(_WATCH)
    page.goto(site.at(f"compare/{session}"))
    page.get_by_role("textbox", name="Question").wait_for()
    return page


def _ask(page: Page) -> None:
    box = page.get_by_role("textbox", name="Question")
    box.fill("Go on.")
    box.press("Enter")


def _hear(site: Site, word: str) -> float:
    """When a client of the API has the word (seconds since 1970)."""
    body = {"message": "Go on.", "model_instances": [{"model": "announcer:1b"}]}
    with _post(site, "/api/stream_chat", body) as response:
        for line in response:
            if word.encode() in line:
                return time.time()
    raise AssertionError(f"{word} was not said")


def _post(site: Site, path: str, body: Json) -> HTTPResponse:
    response = urllib.request.urlopen(urllib.request.Request(site.url + path, json.dumps(body).encode()))
    assert isinstance(response, HTTPResponse)
    return response
