"""What the routes that run a model have in common, whatever their dialect: the model by its name, the whole of an
answer, what the log says about loads and embeddings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from starlette.requests import Request

from puna.api.names import find_model
from puna.api.schemas import AdapterBody
from puna.api.state import runtime
from puna.engine import Chunk, Embedded, EmbedRequest, Final, Logprob, NamedAdapter, Subject
from puna.engine.requests import InferenceRequest
from puna.prompts.messages import ToolCall
from puna.serving.callers import caller_of
from puna.serving.requestlog import note
from puna.serving.streams import answer
from puna.store import Store


def subject_of(
    request: Request,
    text: str,
    *,
    empty: str | None = None,
    absent: str | None = None,
    adapters: Sequence[AdapterBody] = (),
) -> Subject:
    """The model that `text` names. Raises as `find_model`, with the route's own words for no name and no model."""
    state = runtime(request)
    note(request, model=text)
    model = find_model(state.store, text, empty=empty, absent=absent)
    named = [_adapter(state.store, each, f"adapters[{number}]") for number, each in enumerate(adapters)]
    return state.engine.subject(text, model, caller=caller_of(request).id, adapters=named)


def _adapter(store: Store, body: AdapterBody, field: str) -> NamedAdapter:
    absent = f'{field}.model: model "{body.model}" not found'
    return NamedAdapter(find_model(store, body.model, absent=absent), body.scale, field)


async def load(request: Request, subject: Subject, ask: InferenceRequest | EmbedRequest) -> None:
    """Bring the model to memory and leave it there."""
    load_ns = await answer(request, lambda: runtime(request).engine.load(subject, ask))
    note(request, load_ms=load_ns // 1_000_000)


async def embed(request: Request, subject: Subject, ask: EmbedRequest) -> Embedded:
    """One vector per input; what it cost is noted."""
    found = await answer(request, lambda: runtime(request).engine.embed(subject, ask))
    note(request, prompt_tokens=found.prompt_tokens, load_ms=found.load_ns // 1_000_000)
    return found


def concatenated(chunks: Iterable[Chunk]) -> Chunk:
    """One chunk that holds a whole stream: texts, calls and logprobs in order, the last `final`."""
    text: list[str] = []
    thinking: list[str] = []
    calls: list[ToolCall] = []
    entries: list[Logprob] = []
    final: Final | None = None
    for chunk in chunks:
        text.append(chunk.text)
        thinking.append(chunk.thinking)
        calls.extend(chunk.tool_calls)
        entries.extend(chunk.logprobs)
        final = chunk.final or final
    return Chunk("".join(text), "".join(thinking), tuple(calls), (), tuple(entries), final)
