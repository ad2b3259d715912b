"""One model while it is measured: cold load, warm-up, memory, and then its cells (contract meter §19, §22, §24)."""

from __future__ import annotations

from dataclasses import replace

from puna.client.timed import TimedClient
from puna.meter import memory
from puna.meter.cell import Loaded, ModelResult
from puna.meter.cellrun import CellRun, Order
from puna.meter.events import Emit, RequestEnded
from puna.meter.flags import is_short
from puna.meter.plan import CellPlan, ListedModel, Plan, Settings, Target
from puna.meter.records import Kind, RequestRecord
from puna.meter.request import Ask, Clock, send
from puna.meter.text import WORDS_PER_TOKEN, passage, word_count

WARM_UP_TOKENS = 32  # of the answer that is thrown away; the prompt is as long as the real ones
CALIBRATION_WORDS = 200
UNIQUE_WORDS = 5  # at the start of a prompt
OTHER_PROMPTS = 3  # that are tried when an answer ends early (§22)


class Subject:
    """Never raises for what the endpoint does: that is in the records."""

    def __init__(
        self, client: TimedClient, target: Target, model: ListedModel, plan: Plan, emit: Emit, *, contended: bool
    ) -> None:
        self.model = model
        self._client = client
        self._target = target
        self._plan = plan
        self._emit = emit
        self._contended = contended
        self._kind: Kind = "embed" if model.is_embedding and target.embeds else "chat"
        self._runs = [CellRun(cell, self._answer) for cell in plan.cells]
        self._loaded: Loaded | None = None
        self._warm_up: RequestRecord | None = None
        self._cold: RequestRecord | None = None
        self._words_per_token = WORDS_PER_TOKEN
        self._sent: set[int] = set()  # hashes of texts

    @property
    def rounds(self) -> int:
        return max(run.rounds for run in self._runs)

    async def round(self, number: int) -> None:
        """One round of every cell; before the first one the model is made ready."""
        if number == 0:
            await self._prepare()
        elif self._plan.warm_up and self._loaded and await memory.loaded(self._client, self.model.name) is None:
            await self._discarded(f"warm-up/{number}", self._first_length, self._short_settings)  # others pushed it out
        for run in self._runs:
            run.stopped = run.stopped or self._too_deep(run.plan)
            await run.round(number)
        if self._loaded is None and self._target.native:
            self._loaded = await memory.loaded(self._client, self.model.name)

    def result(self) -> ModelResult:
        """What there is so far."""
        cells = (run.cell(self._plan.settings, contended=self._contended) for run in self._runs)
        known = tuple(cell for cell in cells if cell is not None)
        return ModelResult(self.model, known, self._loaded, self._warm_up, self._cold)

    async def _prepare(self) -> None:
        plan = self._plan
        if plan.cold and self._target.native and await memory.unloaded(self._client, self.model.name):
            self._cold = await self._discarded("cold", self._first_length, self._short_settings, cold=True)
        if plan.warm_up:
            self._warm_up = await self._discarded("warm-up", self._first_length, self._short_settings)
            if self._target.native:
                self._loaded = await memory.loaded(self._client, self.model.name)
        if any(cell.depth for cell in plan.cells):
            await self._calibrate()

    @property
    def _first_length(self) -> int:
        """Words of the first real prompt."""
        first = self._plan.cells[0]
        return word_count(first.prompts[0]) + int(first.depth * self._words_per_token)

    @property
    def _short_settings(self) -> Settings:
        wanted = self._plan.settings.num_predict
        few = wanted if wanted is not None and 0 < wanted < WARM_UP_TOKENS else WARM_UP_TOKENS
        return replace(self._plan.settings, num_predict=few)

    async def _calibrate(self) -> None:
        """Learn how many words make a token of this model, from prompts whose lengths differ clearly."""
        warm_up = self._warm_up
        warm_words = word_count(warm_up.prompt) if warm_up else 0
        words = CALIBRATION_WORDS if warm_words > 2 * CALIBRATION_WORDS else warm_words + CALIBRATION_WORDS
        record = await self._discarded("calibration", words, replace(self._plan.settings, num_predict=1))
        if record.server.prompt_tokens is None:
            return
        words_per_token = words / max(record.server.prompt_tokens, 1)
        if (
            warm_up is not None and warm_up.server.prompt_tokens is not None
        ):  # the chat template's own tokens cancel out
            tokens = record.server.prompt_tokens - warm_up.server.prompt_tokens
            words_per_token = (words - warm_words) / tokens if tokens else 0.0
        if 0.1 < words_per_token < 10:  # anything else is no count of tokens
            self._words_per_token = words_per_token

    def _too_deep(self, plan: CellPlan) -> str:
        """Curves stop at what the server allocated (§24, row 8)."""
        room = self._loaded.context_length if self._loaded else 0
        if not plan.depth or not room or plan.depth + (self._plan.settings.num_predict or 0) < room:
            return ""
        return f"{plan.depth} tokens do not fit into the context of {room} that the server allocated; try --num-ctx"

    async def _discarded(self, name: str, words: int, settings: Settings, *, cold: bool = False) -> RequestRecord:
        text = passage(f"{self._plan.cells[0].seed}/{name}", words)
        return await self._ask(text, (text,), settings, Clock.now(), warm_up=not cold, cold=cold)

    async def _answer(self, plan: CellPlan, order: Order, clock: Clock) -> RequestRecord:
        """One request of a cell. Unique prompts whose answers end early are replaced by others (§22)."""
        settings, earlier = self._plan.settings, 0
        for other in range(1 + OTHER_PROMPTS):
            texts = self._texts(plan, Order(order.prompt, f"{order.seed}/{other}"))
            record = await self._ask(order.prompt, texts, settings, clock, earlier=earlier)
            if not self._plan.unique_prompts or not is_short(record, settings.num_predict):
                break
            earlier = record.attempts
        return record

    async def _ask(
        self,
        prompt: str,
        texts: tuple[str, ...],
        settings: Settings,
        clock: Clock,
        *,
        earlier: int = 0,
        warm_up: bool = False,
        cold: bool = False,
    ) -> RequestRecord:
        repeated = hash(texts) in self._sent
        self._sent.add(hash(texts))
        ask = Ask(self.model.name, self._kind, prompt, texts, settings, repeated, warm_up, cold)
        record = await send(self._client, self._target, ask, clock)
        record = replace(record, attempts=record.attempts + earlier)
        self._emit(RequestEnded(self.model, record))
        return record

    def _texts(self, plan: CellPlan, order: Order) -> tuple[str, ...]:
        """What is sent: the prompt after as much other text as the cell wants; several for a batch of embeddings."""
        words = int(plan.depth * self._words_per_token)
        if self._plan.unique_prompts:
            words = max(words, UNIQUE_WORDS)
        first = f"{passage(order.seed, words)}\n\n{order.prompt}" if words else order.prompt
        if self._kind == "chat" or plan.batch == 1:
            return (first,)
        length = word_count(first)
        return first, *(passage(f"{order.seed}/{index}", length) for index in range(1, plan.batch))
