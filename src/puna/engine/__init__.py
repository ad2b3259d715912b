"""Models at work: which are in memory, who may use them, and how a request becomes an answer."""

from puna.engine.adapters import NamedAdapter
from puna.engine.answer import Answer
from puna.engine.embed import Embedded
from puna.engine.engine import Engine
from puna.engine.requests import ChatRequest, EmbedRequest, GenerateRequest, RerankRequest
from puna.engine.rerank import Reranked
from puna.engine.subject import Subject
from puna.engine.types import Chunk, Final, Logprob, RunningModel

__all__ = [
    "Answer",
    "ChatRequest",
    "Chunk",
    "EmbedRequest",
    "Embedded",
    "Engine",
    "Final",
    "GenerateRequest",
    "Logprob",
    "NamedAdapter",
    "RerankRequest",
    "Reranked",
    "RunningModel",
    "Subject",
]
