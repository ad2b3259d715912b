"""A query and documents in, a score per document out: a cross-encoder reads each document together with the query."""

from __future__ import annotations

import math
from dataclasses import dataclass

from puna.engine.requests import RerankRequest
from puna.engine.scheduler import Lease
from puna.engine.subject import Subject
from puna.errors import BadRequest, EngineError, FieldRefused
from puna.store import Model

_QUERY, _DOCUMENT = "{query}", "{document}"
_SEAMS = 8  # tokens that may stand between and around the two texts beyond those of each alone


@dataclass(frozen=True, slots=True)
class Reranked:
    scores: list[float]  # the model's own numbers, in the order of the documents
    prompt_tokens: int  # of all pairs together
    load_ns: int

    @property
    def ranking(self) -> list[int]:
        """Indices of the documents, the best first; equals in their order."""
        return sorted(range(len(self.scores)), key=lambda index: -self.scores[index])


async def rerank(lease: Lease, subject: Subject, request: RerankRequest) -> Reranked:
    """The score of every document. A pair must fit one batch of the engine.

    Raises `FieldRefused` for a query that leaves no room and for a document that is too long and may not be cut,
    `BadRequest` for a model whose template for a pair cannot be used, `EngineError` for scores that are no numbers.
    """
    template = _pair_template(subject.model)
    query, special = request.query, bool(template)
    if template:  # the engine fills in the query first and then looks for the document, in the query too
        query = query.replace(_DOCUMENT, "{ document }")
    frame = template.replace(_DOCUMENT, "").replace(_QUERY, query) if template else query
    limit = lease.max_embed_tokens
    room = limit - len(await lease.driver.tokenize(frame, special=special)) - _SEAMS
    if room < 1:
        raise FieldRefused(f"query leaves no room for a document: a pair may have {limit} tokens in all", "query")
    documents = []
    for index, text in enumerate(request.documents):
        short = await _beginning(lease, text, room, special=special)
        if len(short) < len(text) and not request.truncate:
            raise FieldRefused(
                f"documents[{index}] is too long: beside this query a document may have {room} tokens", "documents"
            )
        documents.append(short)
    found = await lease.driver.rerank(query, documents)
    if not all(map(math.isfinite, found.scores)):
        raise EngineError("the model gave a document a score that is no number")
    return Reranked(found.scores, found.prompt_tokens, lease.load_ns)


def _pair_template(model: Model) -> str:
    """The model's own text for a pair; empty where the engine joins query and document by separators."""
    template = model.header.get("tokenizer.chat_template.rerank") if model.header else None
    if not isinstance(template, str):
        return ""
    if template.count(_QUERY) != 1 or template.count(_DOCUMENT) != 1:  # a thousand of them would be a bomb
        raise BadRequest(f"{model.name.shortest}: its rerank template must have {_QUERY} and {_DOCUMENT} once each")
    return template


async def _beginning(lease: Lease, text: str, room: int, *, special: bool) -> str:
    """As much of `text` from its start as `room` tokens hold; what comes behind that has no part in where it is cut.

    A token is at least one byte, so a short text needs no count.
    """
    while len(text.encode()) > room:
        tokens = await lease.driver.tokenize(text, special=special)
        if len(tokens) <= room:
            break
        read = len(await lease.driver.detokenize(tokens[:room]))
        # Not every tokenizer gives back what it was given (`[UNK]`): then by proportion, until it fits.
        text = text[: read if read < len(text) else len(text) * room // len(tokens)]
    return text
