"""The tree that a template is read into: frozen, without behaviour, every node with its source line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

Block: TypeAlias = "tuple[Node, ...]"
Blocks: TypeAlias = "Mapping[str, Block]"  # by name; the template itself is ROOT
ROOT = ""


@dataclass(frozen=True, slots=True)
class Dot:
    """`.`"""


@dataclass(frozen=True, slots=True)
class Nil:
    """`nil`"""


@dataclass(frozen=True, slots=True)
class Literal:
    value: str | int | float | bool


@dataclass(frozen=True, slots=True)
class Field:
    """`.Names[0].Names[1]…` of the current value."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """`$name`, `$` included in the name, with the fields after it."""

    name: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    name: str


@dataclass(frozen=True, slots=True)
class Chain:
    """Fields of a parenthesised pipeline or of a function's result."""

    operand: Operand
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Command:
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Pipe:
    """Commands joined by `|`; the result goes into `declared` variables when there are any."""

    commands: tuple[Command, ...]
    declared: tuple[str, ...]
    assigns: bool  # `=` instead of `:=`
    line: int


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Action:
    pipe: Pipe


@dataclass(frozen=True, slots=True)
class If:
    """`if`, any `else if`, `else`: the first clause whose pipe is true."""

    clauses: tuple[tuple[Pipe, Block], ...]
    otherwise: Block


@dataclass(frozen=True, slots=True)
class With:
    """Like `If`, but the value becomes the dot of its block."""

    clauses: tuple[tuple[Pipe, Block], ...]
    otherwise: Block


@dataclass(frozen=True, slots=True)
class Range:
    pipe: Pipe
    body: Block
    otherwise: Block


@dataclass(frozen=True, slots=True)
class Invoke:
    """`{{ template "name" pipe }}`"""

    name: str
    pipe: Pipe


@dataclass(frozen=True, slots=True)
class Break:
    """`{{ break }}`"""


@dataclass(frozen=True, slots=True)
class Continue:
    """`{{ continue }}`"""


Operand: TypeAlias = Dot | Nil | Literal | Field | Variable | Function | Chain | Pipe
Node: TypeAlias = Text | Action | If | With | Range | Invoke | Break | Continue


def pipes_of(node: Node) -> tuple[Pipe, ...]:
    """The pipelines of `node` itself, without those in its blocks."""
    match node:
        case Action(pipe) | Invoke(_, pipe) | Range(pipe, _, _):
            return (pipe,)
        case If(clauses, _) | With(clauses, _):
            return tuple(pipe for pipe, _ in clauses)
        case _:
            return ()


def blocks_of(node: Node) -> tuple[Block, ...]:
    """The blocks inside `node`, in source order."""
    match node:
        case Range(_, body, otherwise):
            return (body, otherwise)
        case If(clauses, otherwise) | With(clauses, otherwise):
            return (*(block for _, block in clauses), otherwise)
        case _:
            return ()


def walk(block: Block) -> Iterator[Node]:
    """Every node of `block`, in source order."""
    for node in block:
        yield node
        for inner in blocks_of(node):
            yield from walk(inner)


def references(pipe: Pipe) -> Iterator[Field | Variable]:
    """Field and variable references of a pipeline, parentheses included.

    Fields behind parentheses are not seen, as in the reference (contract ollama-store §5.1, "Mentions").
    """
    for command in pipe.commands:
        for operand in command.operands:
            inner = operand.operand if isinstance(operand, Chain) else operand
            if isinstance(inner, Field | Variable):
                yield inner
            elif isinstance(inner, Pipe):
                yield from references(inner)
