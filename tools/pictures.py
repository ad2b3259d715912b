"""Takes the README's pictures of the arena: a real `puna up`, the small model, Chromium.

    .venv/bin/python -m tools.pictures

Nothing is staged but the votes: the longer answer wins.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, Page, expect  # noqa: E402
from tests.browser import browser, browsing  # noqa: E402
from tests.servers import Server, free_port  # noqa: E402

PICTURES = ROOT / "docs/pictures"
MODEL = "smollm2:135m"
SETTINGS: tuple[dict[str, Any], ...] = (
    {"model": MODEL, "temperature": 0.2, "seed": 1, "num_predict": 160},
    {"model": MODEL, "temperature": 0.9, "seed": 2, "num_predict": 160},
    {"model": MODEL, "temperature": 1.5, "top_k": 100, "seed": 3, "num_predict": 160},
)
QUESTION = "Name three animals of the Andes. One line each, as a list."
PROMPTS = (
    "Why is the sky blue?",
    "What is a llama?",
    "Name three colours.",
    "Write a haiku about rain.",
    "What do bees make?",
    "How do I boil an egg?",
    "What is a plateau?",
    "Tell me a short joke.",
    "Name two rivers.",
    "What is bread made of?",
)

Json = dict[str, Any]


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with _arena() as url, browser() as opened:
        for prompt in PROMPTS:
            _battle(url, prompt)
        _compare(opened, url)
        _of_battle(opened, url)
        with browsing(opened, scheme="dark", width=1280, height=760) as visit:
            visit.page.goto(f"{url}/#/board")
            visit.page.get_by_role("region", name="Ratings").first.wait_for()
            _take(visit.page, "board")


@contextmanager
def _arena() -> Iterator[str]:
    """Its address."""
    with tempfile.TemporaryDirectory() as folder:
        home, port = Path(folder), free_port()
        places = {"PUNA_CODE_HOST": f"127.0.0.1:{free_port()}", "PUNA_ARENA_PORT": str(port)}
        with Server(home / "models", home / "home", places, command="up"):
            url = f"http://127.0.0.1:{port}"
            _ask(f"{url}/api/chat", {"message": "hi", "model_instances": SETTINGS})
            yield url


def _battle(url: str, prompt: str) -> None:
    battle = _started(url, prompt)
    texts = {slot: answer["text"] for slot, answer in battle["turns"][0]["answers"].items()}
    _ask(f"{url}/api/arena/battles/{battle['id']}/vote", {"choice": max(texts, key=lambda slot: len(texts[slot]))})


def _started(url: str, prompt: str) -> Json:
    """A battle whose answers are all there."""
    made = _ask(f"{url}/api/arena/battles", {"prompt": prompt, "model_instances": SETTINGS, "paced": False})
    while (battle := _ask(f"{url}/api/arena/battles/{made['id']}"))["state"] == "streaming":
        time.sleep(0.2)
    return battle


def _compare(opened: Browser, url: str) -> None:
    session = _ask(f"{url}/api/arena/sessions", {"instances": SETTINGS})
    for name, scheme, width, height in (("compare", "light", 1280, 760), ("phone", "light", 390, 760)):
        with browsing(opened, scheme=scheme, width=width, height=height) as visit:  # type: ignore[arg-type]
            visit.page.goto(f"{url}/#/compare/{session['id']}")
            if name == "compare":
                box = visit.page.get_by_role("textbox", name="Question")
                box.fill(QUESTION)
                box.press("Enter")
                visit.page.wait_for_timeout(500)
            expect(visit.page.locator("[aria-busy=true]")).to_have_count(0, timeout=120_000)
            _take(visit.page, name)


def _of_battle(opened: Browser, url: str) -> None:
    battle = _started(url, "Explain in two sentences why the sky is blue.")
    with browsing(opened, width=1280, height=760) as visit:
        visit.page.goto(f"{url}/#/battle/{battle['id']}")
        visit.page.get_by_role("button", name="Tie").wait_for()
        _take(visit.page, "battle")


def _take(page: Page, name: str) -> None:
    page.wait_for_timeout(500)
    page.screenshot(path=PICTURES / f"{name}.png")


def _ask(url: str, body: Json | None = None) -> Json:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data)) as response:  # noqa: S310 - an address of ours
        found: Json = json.load(response)
        return found


if __name__ == "__main__":
    main()
