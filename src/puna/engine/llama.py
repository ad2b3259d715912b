"""The HTTP conversation with one runner over its Unix socket. Knows nothing of scheduling or of the faces' dialects.

A new connection per request: the engine's server closes kept-alive ones, so that reuse fails under load.
"""

from __future__ import annotations

import hashlib
import math
import sys
from array import array
from base64 import b64decode
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from pathlib import Path
from typing import Any, Self, TypeVar

import aiohttp
import orjson

from puna.engine.bodies import chat_body, completion_body, proof_body, template_body
from puna.engine.decoding import ChatDecoder, CompletionDecoder, Decoder
from puna.engine.failures import ContextExceeded, refusal
from puna.engine.schema import Constraint
from puna.engine.slots import Slots, Turn
from puna.engine.sse import SseParser
from puna.engine.types import Adapter, ChatCompletion, Chunk, Completion, Embeddings, Props, Scores
from puna.errors import BadRequest, EngineError, RunnerDied
from puna.prompts.messages import Message

__all__ = ["ContextExceeded", "LlamaDriver"]

T = TypeVar("T")

_BASE = "http://runner"
_JSON = {"Content-Type": "application/json"}
_RAW, _UNIT_LENGTH = -1, 2  # llama-server's `embd_normalize`
_GROUP = 16  # texts per request: the engine works a list off to its end, also for a client that has left
_PROBE_SECONDS = 10
_NO_JSON = "~"
_MAX_PROVEN = 1000  # schemas


class LlamaDriver:
    """Create it inside a running event loop; `close` it when the runner is gone.

    Every method raises `EngineError` with the engine's status and text for a refusal, `ContextExceeded` for an input
    that is too long, and `RunnerDied` when the connection breaks. With `slots` several callers share the runner, and
    what one of them asks waits for its turn and may raise `Busy`; without, the engine chooses slots itself.
    """

    def __init__(self, socket_path: Path, slots: Slots | None = None, adapters: Sequence[Path] = ()) -> None:
        connector = aiohttp.UnixConnector(path=str(socket_path), force_close=True, limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False)
        self._slots = slots
        self._loaded_adapters = adapters  # in the order of the engine's ids
        self._caller = ""
        self._adapters: Sequence[Adapter] | None = None  # in force; None = all of them
        self._props: Props | None = None
        self._proven: set[bytes] = set()  # hashes of schemas that the engine follows

    async def close(self) -> None:
        await self._session.close()

    def speaking_for(self, caller: str, adapters: Sequence[Adapter]) -> Self:
        """The same conversation for one caller and with these of the loaded adapters. Only the original is closed."""
        bound = copy(self)
        bound._caller, bound._adapters = caller, adapters
        return bound

    async def healthy(self) -> bool:
        """Whether the engine answers and its model is loaded. Never raises for a runner that is not there (yet)."""
        try:
            timeout = aiohttp.ClientTimeout(total=_PROBE_SECONDS)
            async with self._session.get(f"{_BASE}/health", timeout=timeout) as response:
                return response.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    async def props(self) -> Props:
        """What the runner says about itself; asked once, kept."""
        if self._props is None:
            said, models = await self._ask("/props"), await self._ask("/v1/models")
            plain = await self.tokenize("a")
            whole = await self.tokenize("a", bos=True)
            self._props = _props(
                said,
                adds_bos=whole[:1] != plain[:1],
                adds_eos=whole[-1:] != plain[-1:],
                n_vocab=models["data"][0]["meta"]["n_vocab"],
            )
        return self._props

    async def complete(self, request: Completion) -> AsyncGenerator[list[Chunk]]:
        """Continue raw text. Gives a list of chunks per read from the network, never an empty one.

        Closing the iterator closes the connection, and the engine's slot is free within one token.
        """
        if request.constraint is not None:
            await self.prove(request.constraint)
        body = completion_body(request, await self.props())
        async for chunks in self._stream("/completion", body, CompletionDecoder(request.n_probs)):
            yield chunks

    async def chat(self, request: ChatCompletion) -> AsyncGenerator[list[Chunk]]:
        """Answer messages through the model's Jinja template; as `complete`."""
        body = chat_body(request, await self.props())
        async for chunks in self._stream("/v1/chat/completions", body, ChatDecoder(request.n_probs)):
            yield chunks

    async def prove(self, constraint: Constraint) -> None:
        """Raises `BadRequest` for a constraint that the engine cannot follow.

        It only logs what its compiler refuses and then writes freely (llguidance), so it is asked once per schema for a
        token that no JSON begins with.
        """
        # Kept apart by caller: what is proven already is faster, which would tell that somebody has used it (T24).
        key = hashlib.sha256(orjson.dumps([self._caller, constraint.schema])).digest()
        if key in self._proven:
            return
        token = (await self.tokenize(_NO_JSON))[-1]
        if token in (await self._proof(proof_body(constraint, token)))["tokens"]:
            raise BadRequest("invalid format: the engine cannot follow this JSON schema")
        if len(self._proven) >= _MAX_PROVEN:
            self._proven.clear()
        self._proven.add(key)

    async def tokenize(self, text: str, *, special: bool = True, bos: bool = False) -> list[int]:
        """Token ids. `special`: control tokens in the text are parsed; `bos`: those the model adds itself are added."""
        answer = await self._ask("/tokenize", {"content": text, "parse_special": special, "add_special": bos})
        tokens: list[int] = answer["tokens"]
        return tokens

    async def detokenize(self, tokens: Sequence[int]) -> str:
        text: str = (await self._ask("/detokenize", {"tokens": list(tokens)}))["content"]
        return text

    async def apply_template(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]], think: bool | str | None
    ) -> str:
        """The text that the model's Jinja template makes of a conversation; each image or sound is an `[img]`."""
        prompt: str = (await self._ask("/apply-template", template_body(messages, tools, think)))["prompt"]
        return prompt.replace((await self.props()).media_marker, "[img]")

    async def embed(self, inputs: Sequence[str | Sequence[int]], *, normalize: bool) -> Embeddings:
        """One vector per text or token list, in order; of length 1 with `normalize`. No text may be empty."""
        vectors: list[list[float]] = []
        prompt_tokens = 0
        for group in _groups(inputs):
            body = {
                "input": [text if isinstance(text, str) else list(text) for text in group],
                "embd_normalize": _UNIT_LENGTH if normalize else _RAW,
                "encoding_format": "base64",  # a third of the bytes, and no number is parsed
            }
            answer = await self._ask_all("/v1/embeddings", body)
            vectors += [_floats(row["embedding"]) for row in sorted(answer["data"], key=_index)]
            prompt_tokens += answer["usage"]["prompt_tokens"]
        return Embeddings(vectors, prompt_tokens)

    async def rerank(self, query: str, documents: Sequence[str]) -> Scores:
        """The model's own score of every document, in their order; NaN where it gave none."""
        scores: list[float] = []
        prompt_tokens = 0
        for group in _groups(documents):
            answer = await self._ask_all("/v1/rerank", {"query": query, "documents": group})
            found = [row["relevance_score"] for row in sorted(answer["results"], key=_index)]
            scores += [math.nan if score is None else score for score in found]
            prompt_tokens += answer["usage"]["prompt_tokens"]
        return Scores(scores, prompt_tokens)

    async def _ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        async with self._request("GET" if body is None else "POST", path, body) as response:
            return orjson.loads(await response.read())

    async def _ask_all(self, path: str, body: Mapping[str, Any]) -> Any:
        """As `_ask`, for a list of texts, which the engine spreads over its idle slots."""
        if self._slots is None:
            return await self._ask(path, body)
        async with self._slots.roaming(self._caller):
            return await self._ask(path, body)

    async def _proof(self, body: Mapping[str, Any]) -> Any:
        async with self._turn(None) as turn:
            answer = await self._ask("/completion", self._placed(body, turn))
            if turn:
                turn.answered()
            return answer

    def _placed(self, body: Mapping[str, Any], turn: Turn | None) -> Mapping[str, Any]:
        """`body` with its slot and every adapter's scale: one that is left out keeps that of the request before."""
        placed = {**body, **turn.fields} if turn else body
        if not self._loaded_adapters or self._adapters is None:
            return placed
        scales = {adapter.path: adapter.scale for adapter in self._adapters}
        return {**placed, "lora": [{"id": i, "scale": scales.get(p, 0.0)} for i, p in enumerate(self._loaded_adapters)]}

    @asynccontextmanager
    async def _turn(self, prompt: Any) -> AsyncGenerator[Turn | None]:
        if self._slots is None:
            yield None
            return
        text = None if prompt is None else orjson.dumps(prompt)
        async with self._slots.turn(self._caller, text) as turn:
            yield turn

    async def _stream(self, path: str, body: Mapping[str, Any], decoder: Decoder) -> AsyncGenerator[list[Chunk]]:
        parser = SseParser()
        async with (
            self._turn(body.get("messages") or body["prompt"]) as turn,
            self._request("POST", path, self._placed(body, turn)) as response,
        ):
            if turn:
                turn.answered()
            async for data in response.content.iter_any():
                if chunks := decoder.feed(parser.feed(data)):
                    yield chunks
            if chunks := decoder.feed(parser.finish()):
                yield chunks
        if not decoder.finished:
            raise RunnerDied

    @asynccontextmanager
    async def _request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        data = None if body is None else orjson.dumps(body)
        try:
            response = await self._session.request(method, _BASE + path, data=data, headers=_JSON)
            try:
                if response.status != 200:
                    raise _refused(response.status, await response.read())
                yield response
            finally:
                response.close()  # at once: an unread stream must not hold its slot
        except (aiohttp.ClientError, OSError) as error:
            raise RunnerDied from error


def _refused(status: int, body: bytes) -> EngineError | ContextExceeded:
    try:
        return refusal(orjson.loads(body), status)
    except orjson.JSONDecodeError:
        return refusal(None, status)


def _props(said: Mapping[str, Any], *, adds_bos: bool, adds_eos: bool, n_vocab: int) -> Props:
    caps, modalities = said.get("chat_template_caps", {}), said.get("modalities", {})
    return Props(
        n_ctx=said["default_generation_settings"]["n_ctx"],
        media_marker=said.get("media_marker", "<__media__>"),
        vision=bool(modalities.get("vision")),
        audio=bool(modalities.get("audio")),
        supports_tools=bool(caps.get("supports_tools")),
        adds_bos=adds_bos,
        adds_eos=adds_eos,
        n_vocab=n_vocab,
    )


def _groups(texts: Sequence[T]) -> Iterator[Sequence[T]]:
    return (texts[start : start + _GROUP] for start in range(0, len(texts), _GROUP))


def _index(row: Mapping[str, Any]) -> int:
    index: int = row["index"]
    return index


def _floats(encoded: str) -> list[float]:
    """Little-endian float32 in base64."""
    numbers = array("f", b64decode(encoded))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()
