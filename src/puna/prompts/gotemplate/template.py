"""A template as the rest of Puna holds it: read once, kept by its text, executed often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from puna.prompts.gotemplate.budget import Budget
from puna.prompts.gotemplate.evaluate import execute
from puna.prompts.gotemplate.fault import Fault
from puna.prompts.gotemplate.nodes import (
    ROOT,
    Action,
    Block,
    Blocks,
    Command,
    Field,
    If,
    Node,
    Pipe,
    Range,
    With,
    pipes_of,
    references,
    walk,
)
from puna.prompts.gotemplate.parser import parse_blocks
from puna.prompts.gotemplate.values import Value

_CACHED_LENGTH = 64 * 1024  # characters; longer ones are read again each time so that the cache stays small
_RESPONSE = Action(Pipe((Command((Field(("Response",)),)),), (), False, 0))


@dataclass(frozen=True, slots=True, eq=False)
class GoTemplate:
    """A Go text/template of a model (contract ollama-store §5.1)."""

    source: str
    variables: frozenset[str]  # lower-cased names of all fields that are mentioned anywhere
    blocks: Blocks
    _until_response: Blocks

    @staticmethod
    def parse(text: str) -> GoTemplate:
        """Read `text`; one without messages and response gets the response appended, as in the reference.

        Raises `BadRequest` with the line at fault.
        """
        return _parse_cached(text) if len(text) <= _CACHED_LENGTH else _parse(text)

    def mentions(self, name: str) -> bool:
        return name.lower() in self.variables

    def execute(self, data: Mapping[str, Value]) -> str:
        """The text for `data`. Raises `BadRequest` for what Go refuses and for an exhausted budget (threats T16)."""
        return _execute(self.blocks, data)

    def execute_until_response(self, data: Mapping[str, Value]) -> str:
        """`execute`, but nothing after the first action that prints the response (§5.4)."""
        return _execute(self._until_response, data)


def _parse(text: str) -> GoTemplate:
    try:
        blocks = parse_blocks(text)
    except Fault as fault:
        raise fault.as_bad_request() from None
    variables = _mentioned(blocks)
    if not variables & {"messages", "response"}:
        blocks = {**blocks, ROOT: (*blocks[ROOT], _RESPONSE)}
        variables |= {"response"}
    cut, _ = _until_response(blocks[ROOT])
    return GoTemplate(text, variables, blocks, {**blocks, ROOT: cut})


_parse_cached = lru_cache(maxsize=64)(_parse)


def _execute(blocks: Blocks, data: Mapping[str, Value]) -> str:
    try:
        return execute(blocks, data, Budget())
    except Fault as fault:
        raise fault.as_bad_request() from None


def _mentioned(blocks: Blocks) -> frozenset[str]:
    pipes = (pipe for block in blocks.values() for node in walk(block) for pipe in pipes_of(node))
    return frozenset(name.lower() for pipe in pipes for reference in references(pipe) for name in reference.names)


def _until_response(block: Block) -> tuple[Block, bool]:
    """`block` up to and with the first action that prints `.Response`; whether there was one.

    The branches beside and after it are dropped too: with the reference they are lost or crash it (§5.4).
    """
    for position, node in enumerate(block):
        shorter, found = _node_until_response(node)
        if found:
            return (*block[:position], shorter), True
    return block, False


def _node_until_response(node: Node) -> tuple[Node, bool]:
    match node:
        case Action(pipe):
            return node, any(isinstance(name, Field) and "Response" in name.names for name in references(pipe))
        case Range(pipe, body, otherwise):
            body, found = _until_response(body)
            if found:
                return Range(pipe, body, ()), True
            otherwise, found = _until_response(otherwise)
            return Range(pipe, body, otherwise), found
        case If(clauses, otherwise) | With(clauses, otherwise):
            kind = type(node)
            for position, (pipe, body) in enumerate(clauses):
                body, found = _until_response(body)
                if found:
                    return kind((*clauses[:position], (pipe, body)), ()), True
            otherwise, found = _until_response(otherwise)
            return kind(clauses, otherwise), found
        case _:
            return node, False
