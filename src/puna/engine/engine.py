"""The engine as the faces see it: a model and a request in, an answer out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Protocol, Self

from puna.engine.adapters import NamedAdapter
from puna.engine.answer import Answer
from puna.engine.biases import check_biases, check_tokens, read_biases
from puna.engine.chat import answer_chat
from puna.engine.embed import Embedded, embed
from puna.engine.fitting import prompt_length
from puna.engine.generate import answer_generate
from puna.engine.media import MediaDecoder
from puna.engine.options import merge_options
from puna.engine.requests import ChatRequest, EmbedRequest, GenerateRequest, InferenceRequest, RerankRequest
from puna.engine.rerank import Reranked, rerank
from puna.engine.scheduler import Lease, Scheduler
from puna.engine.subject import Subject, weights_of
from puna.engine.types import RunningModel, SamplingOptions
from puna.errors import PunaError
from puna.prompts import capabilities, choose_template
from puna.settings import Settings
from puna.store import Model, Store

_NEVER_SHIFTS = ("deepseek2",)  # their attention cannot move cached positions (contract ollama-http §4.5)
_CONTEXTS_PER_ANSWER = 10  # an answer without a limit ends after ten contexts (§4.1, num_predict)


class _Request(Protocol):
    @property
    def options(self) -> Mapping[str, Any]: ...

    @property
    def keep_alive_ns(self) -> int | None: ...


class Engine:
    """Use it as an async context manager: entering starts the scheduler, leaving ends every runner."""

    def __init__(self, store: Store, scheduler: Scheduler, *, go_template: str = "") -> None:
        self._store = store
        self._scheduler = scheduler
        self._go_template = go_template
        self._media = MediaDecoder()

    @classmethod
    def build(cls, store: Store, settings: Settings, several: Callable[[], bool] = lambda: False) -> Self:
        """`several` tells whether more than one caller can be expected."""
        return cls(store, Scheduler.build(settings, several), go_template=settings.go_template)

    async def __aenter__(self) -> Self:
        await self._scheduler.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._scheduler.close()

    def subject(self, asked: str, model: Model, *, caller: str = "", adapters: Sequence[NamedAdapter] = ()) -> Subject:
        """`caller` is whom the requests for it are kept apart by, empty = anybody; `adapters` work beside its own."""
        choice = choose_template(model, self._go_template)
        return Subject(asked, model, choice, capabilities(model, choice), caller, tuple(adapters))

    async def load(self, subject: Subject, request: _Request) -> int:
        """Bring the model to memory and leave it there; nanoseconds that took."""
        async with self._leased(subject, request) as (lease, _):
            return lease.load_ns

    def unload(self, subject: Subject) -> None:
        """Let the model's runner go as soon as it is idle. Nothing happens when it is not loaded."""
        if subject.model.weights_digest is not None:
            self._scheduler.unload(subject.model.weights_digest)

    @asynccontextmanager
    async def generate(self, subject: Subject, request: GenerateRequest) -> AsyncIterator[Answer]:
        request = await self._media.generate_request(request)
        async with (
            self._inferring(subject, request) as (lease, sampling),
            answer_generate(lease, subject, request, sampling) as answer,
        ):
            yield answer

    @asynccontextmanager
    async def chat(self, subject: Subject, request: ChatRequest) -> AsyncIterator[Answer]:
        request = await self._media.chat_request(request)
        async with (
            self._inferring(subject, request) as (lease, sampling),
            answer_chat(lease, subject, request, sampling) as answer,
        ):
            yield answer

    async def embed(self, subject: Subject, request: EmbedRequest) -> Embedded:
        async with self._leased(subject, request, exact=True) as (lease, _):
            return await embed(lease, request)

    async def rerank(self, subject: Subject, request: RerankRequest) -> Reranked:
        async with self._leased(subject, request) as (lease, _):
            return await rerank(lease, subject, request)

    async def tokenize(self, subject: Subject, text: str) -> list[int]:
        """Ids of `text` in the model's vocabulary. Control tokens in it are parsed, a start token is not added."""
        async with self._leased(subject, InferenceRequest(), as_loaded=True) as (lease, _):
            return await lease.driver.tokenize(text)

    async def detokenize(self, subject: Subject, tokens: Sequence[int]) -> str:
        """The text of `tokens`. Raises `FieldRefused` for an id that the model does not have."""
        async with self._leased(subject, InferenceRequest(), as_loaded=True) as (lease, _):
            check_tokens(tokens, lease.runner.props.n_vocab)
            return await lease.driver.detokenize(tokens)

    async def count_tokens(self, subject: Subject, request: ChatRequest) -> int:
        """Tokens of the prompt that `request` becomes, before anything is cut; an image counts as an estimate."""
        request = await self._media.chat_request(request)
        ask = replace(request, render_only=True)
        async with (
            self._leased(subject, request, as_loaded=True) as (lease, sampling),
            answer_chat(lease, subject, ask, sampling) as answer,
        ):
            tokens = await lease.driver.tokenize(answer.rendered or "", bos=True)
            return prompt_length(tokens, answer.image_count)

    async def context(self, subject: Subject) -> tuple[int, int] | None:
        """The context in tokens and the slots that the model has, or would get if it were loaded now without options.

        None for a model that cannot be loaded.
        """
        try:
            weights = weights_of(subject.model)
            load, _ = merge_options(subject.model.params)
        except PunaError:
            return None
        plan = await self._scheduler.plan(weights, load)
        return plan.n_ctx, plan.slots

    def running(self) -> tuple[RunningModel, ...]:
        return self._scheduler.snapshot()

    def queued(self) -> int:
        return self._scheduler.queued

    @asynccontextmanager
    async def _inferring(
        self, subject: Subject, request: InferenceRequest
    ) -> AsyncIterator[tuple[Lease, SamplingOptions]]:
        biases = read_biases(request.logit_bias)
        async with self._leased(subject, request, request.shift) as (lease, sampling):
            check_biases(biases, lease.runner.props.n_vocab)
            yield lease, replace(sampling, logit_bias=biases)

    @asynccontextmanager
    async def _leased(
        self,
        subject: Subject,
        request: _Request,
        shift: bool | None = None,
        *,
        as_loaded: bool = False,
        exact: bool = False,
    ) -> AsyncIterator[tuple[Lease, SamplingOptions]]:
        """`as_loaded`: a runner that is there will do, whatever it was loaded with.

        `exact`: it must have no more adapters than are wanted, for what the engine answers with all of them.
        """
        model = subject.model
        load, sampling = merge_options(model.params, request.options)
        if shift is None:
            shift = model.config.model_family not in _NEVER_SHIFTS
        with self._store.hold(subject.held):
            lease = await self._scheduler.lease(
                subject.weights,
                model.name,
                model.digest,
                model.details,
                replace(load, shift=shift),
                request.keep_alive_ns,
                caller=subject.caller,
                as_loaded=as_loaded,
                exact=exact,
            )
            async with lease:
                limit = _CONTEXTS_PER_ANSWER * lease.n_ctx
                capped = sampling.num_predict if 0 <= sampling.num_predict <= limit else limit
                yield lease, replace(sampling, num_predict=capped)
