"""Two keys and one model: nothing that one of them says reaches the other, not even that it was said (threats T24)."""

from __future__ import annotations

import base64
import io
import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from puna.keys import EVERY_RIGHT, KeyFile
from tests.api.tiny_eye import tiny_eye
from tests.servers import Answer, Server

SLOTS = 2
FILLER = "It is a long way over the high grassland, and the llamas take their time. " * 4
WORDS = [start + end for start in ("zor", "quil", "brax", "vent", "plim") for end in ("ka", "ute", "ond", "eph")]
ALIKE = 12  # tokens at most that two prompts have in common: the template's first ones, and luck


@dataclass(frozen=True)
class Caller:
    server: Server
    headers: Mapping[str, str]

    def post(self, path: str, **body: Any) -> Any:
        answer = self.server.request("POST", path, {"model": "M", "stream": False} | body, headers=self.headers)
        assert answer.status == 200, answer.body
        return answer.json

    def get(self, path: str) -> Answer:
        return self.server.request("GET", path, headers=self.headers)

    def says(self, text: str, **more: Any) -> Any:
        messages = [{"role": "system", "content": text}]
        return self.post("/v1/chat/completions", messages=messages, temperature=0, **{"max_tokens": 2, **more})

    def cached(self, text: str) -> tuple[int, int]:
        """Tokens of the prompt that the engine had in a cache, and those that it had to read."""
        usage = self.says(text)["usage"]
        cached: int = usage["prompt_tokens_details"]["cached_tokens"]
        return cached, usage["prompt_tokens"] - cached

    def read_of(self, picture: str) -> int:
        """Tokens that had to be read for a message that begins with the picture."""
        content = [{"type": "image_url", "image_url": {"url": picture}}, {"type": "text", "text": "What is it?"}]
        messages = [{"role": "user", "content": content}]
        usage = self.post("/v1/chat/completions", model="sees", messages=messages, max_tokens=2)["usage"]
        read: int = usage["prompt_tokens"] - usage["prompt_tokens_details"]["cached_tokens"]
        return read


@pytest.fixture(scope="module")
def callers(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> Iterator[tuple[Caller, Caller]]:
    """Two keys of a server that gives every model two slots."""
    folder = tmp_path_factory.mktemp("apart")
    keys = KeyFile(folder / "keys")
    texts = [keys.create(name, EVERY_RIGHT)[1] for name in ("one", "two")]
    settings = {
        "PUNA_KEYS": str(keys.folder),
        "PUNA_NUM_PARALLEL": str(SLOTS),
        "PUNA_CONTEXT_LENGTH": "1024",
        "PUNA_EMBEDDED_MODEL": "0",
    }
    with Server(folder / "models", folder / "home", settings) as server:
        one, two = (Caller(server, {"Authorization": f"Bearer {text}"}) for text in texts)
        server.create("M", tiny_llama, headers=one.headers, parameters={"num_thread": 1})
        files = {path.name: server.upload(path, one.headers) for path in (tiny_llama, tiny_eye(folder / "eye.gguf"))}
        one.post("/api/create", model="sees", files=files, parameters={"num_thread": 1})
        yield one, two


def picture() -> str:
    """Noise that nobody has seen before."""
    data = io.BytesIO()
    Image.frombytes("RGB", (32, 32), secrets.token_bytes(32 * 32 * 3)).save(data, "PNG")
    return f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"


def canary() -> str:
    """Begins like no other one, so that it has no token in common with them."""
    return " ".join([secrets.token_hex(8), *(secrets.choice(WORDS) for _ in range(6))])


def test_T24_the_second_caller_finds_nothing_of_what_the_first_one_said(callers: tuple[Caller, Caller]) -> None:
    """In the engine's own counts: they are what its time tells, without the noise."""
    one, two = callers
    for _ in range(40):
        secret = f"{canary()} {FILLER}"
        assert one.cached(secret)[0] <= ALIKE
        cached, read = two.cached(secret)
        assert (cached <= ALIKE, read > 60) == (True, True)
        assert one.cached(secret)[1] == 1  # the first one keeps its own: all but the token that is always read
        assert two.cached(secret)[1] == 1


def test_T24_a_slot_that_changes_hands_is_empty(callers: tuple[Caller, Caller]) -> None:
    """With more conversations than slots."""
    one, two = callers
    for _ in range(5):
        texts = [f"{canary()} {FILLER}" for _ in range(SLOTS + 1)]
        for text in texts:
            one.says(text)
        assert max(two.cached(text)[0] for text in texts) <= ALIKE


def test_T24_a_picture_of_the_first_caller_is_new_to_the_second(callers: tuple[Caller, Caller]) -> None:
    one, two = callers
    for _ in range(3):
        shown = picture()
        assert one.read_of(shown) == two.read_of(shown) > 10
        assert one.read_of(shown) == two.read_of(shown) == 1


@pytest.mark.parametrize("path", ["/api/embed", "/v1/embeddings"])
def test_T24_what_was_embedded_is_not_found_by_a_prompt(callers: tuple[Caller, Caller], path: str) -> None:
    one, two = callers
    frame = one.post("/api/chat", messages=[{"role": "system", "content": "TEXT"}], _debug_render_only=True)
    template = frame["_debug_info"]["rendered_template"]
    for _ in range(3):
        one.says(FILLER)
        secret = f"{canary()} {FILLER}"
        two.post(path, input=[template.replace("TEXT", secret)] * 2 * SLOTS)  # every slot gets it
        assert one.cached(secret)[0] <= ALIKE


@pytest.mark.parametrize("path", ["/api/generate", "/api/chat", "/v1/messages", "/v1/responses"])
def test_T24_an_answer_is_the_same_whatever_the_slot_was_used_for(callers: tuple[Caller, Caller], path: str) -> None:
    asked = {
        "/api/generate": {"prompt": FILLER, "options": {"temperature": 0, "num_predict": 8}},
        "/api/chat": {"messages": [USER], "options": {"temperature": 0, "num_predict": 8}},
        "/v1/messages": {"messages": [USER], "max_tokens": 8, "temperature": 0},
        "/v1/responses": {"input": FILLER, "max_output_tokens": 16, "temperature": 0},
    }[path]
    said = []
    for caller in (*callers, *callers):
        caller.says(f"{canary()} {FILLER}")
        said.append(_text(caller.post(path, **asked)))
    assert len(set(said)) == 1
    assert len(said[0]) > 8


USER = {"role": "user", "content": FILLER}


def _text(answer: Any) -> str:
    for keys in (("response",), ("message", "content"), ("content", 0, "text"), ("output", 0, "content", 0, "text")):
        found = answer
        for key in keys:
            found = found[key] if isinstance(key, int) else found.get(key, {})
            if not found:
                break
        if found:
            return str(found)
    raise AssertionError(answer)


def test_T24_no_canary_crosses_or_is_shown_when_two_callers_talk_at_once(callers: tuple[Caller, Caller]) -> None:
    one, two = callers
    said: list[str] = []

    def pair(number: int) -> tuple[tuple[str, str], tuple[str, str]]:
        left, right = canary(), canary()
        said.extend((left, right))
        with ThreadPoolExecutor(2) as both:
            told = [both.submit(caller.says, text, max_tokens=24) for caller, text in ((one, left), (two, right))]
            to_one, to_two = (each.result()["choices"][0]["message"]["content"] for each in told)
        return (left, to_two), (right, to_one)

    with ThreadPoolExecutor(4) as pool:
        pairs = [each for both in pool.map(pair, range(40)) for each in both]
    assert not [word for secret, answer in pairs for word in secret.split() if word in answer]
    refused = one.server.post("/v1/chat/completions", {"model": said[0], "messages": []}, **two.headers).body.decode()
    shown = [one.server.log, refused.replace(said[0], "")]
    shown += [caller.get(path).body.decode() for caller in callers for path in ("/metrics", "/api/ps", "/api/status")]
    assert not [word for word in WORDS for text in shown if word in text]
