"""The words that a Go template looks for in the conversation."""

from __future__ import annotations

from collections.abc import Sequence

from puna.prompts.gotemplate import GoTemplate
from puna.prompts.gotemplate.nodes import (
    ROOT,
    Action,
    Block,
    Chain,
    Command,
    Dot,
    Field,
    Function,
    If,
    Invoke,
    Literal,
    Node,
    Operand,
    Pipe,
    Range,
    Variable,
    With,
)
from puna.prompts.suspicion.trace import UNKNOWN, Trace, compared, field, literal, settled, union

_COMPARISONS = {"eq", "ne", "lt", "le", "gt", "ge"}
_MEASURES = {"len", "not"}
_USUAL_ROLES = ("system", "developer", "user", "assistant", "tool", "ipython")


def words_sought(template: GoTemplate) -> frozenset[str]:
    """Raises `TooComplex`, `RecursionError`."""
    return settled(_Walk(template))


class _Walk:
    """Passes over one template. Names are not told apart by scope: a value only ever gains origins."""

    def __init__(self, template: GoTemplate) -> None:
        self._blocks = template.blocks
        self._variables: dict[str, Trace] = {}
        self._dots: dict[str, Trace] = {ROOT: UNKNOWN}  # of the blocks that are invoked
        self._grew = False
        self._control = 0  # depth of branches for roles that no conversation has
        self.found: frozenset[str] = frozenset()

    def once(self) -> bool:
        """Tells whether anything new became known."""
        self._grew = False
        for name, dot in list(self._dots.items()):
            self._block(self._blocks.get(name, ()), dot)
        return self._grew

    def _block(self, block: Block, dot: Trace) -> None:
        for node in block:
            self._node(node, dot)

    def _node(self, node: Node, dot: Trace) -> None:
        match node:
            case Action(pipe):
                self._pipe(pipe, dot)
            case If(clauses, otherwise) | With(clauses, otherwise):
                for pipe, body in clauses:
                    special = _asks_for_special_role(pipe)
                    self._control += special
                    value = self._pipe(pipe, dot)
                    self._block(body, value if isinstance(node, With) else dot)
                    self._control -= special
                self._block(otherwise, dot)
            case Range(pipe, body, otherwise):
                self._block(body, self._pipe(pipe, dot, loops=True))
                self._block(otherwise, dot)
            case Invoke(name, pipe):
                self._learn(self._dots, name, self._pipe(pipe, dot))
            case _:
                return

    def _pipe(self, pipe: Pipe, dot: Trace, *, loops: bool = False) -> Trace:
        value: Trace | None = None
        for command in pipe.commands:
            value = self._command(command, dot, value)
        result = (value or UNKNOWN).element if loops else value or UNKNOWN
        for name in pipe.declared:
            self._learn(self._variables, name, result)
        return result

    def _command(self, command: Command, dot: Trace, piped: Trace | None) -> Trace:
        head, *rest = command.operands
        if not isinstance(head, Function):
            return self._operand(head, dot)
        arguments = [self._operand(operand, dot) for operand in rest]
        if piped is not None:
            arguments.append(piped)
        if head.name in _COMPARISONS:
            for argument in arguments[1:]:
                self._compare(arguments[0], argument)
        if head.name in _COMPARISONS | _MEASURES:
            return UNKNOWN
        if head.name == "index":
            return arguments[0].element if arguments else UNKNOWN
        return union(arguments)

    def _operand(self, operand: Operand, dot: Trace) -> Trace:
        match operand:
            case Dot():
                return dot
            case Literal(value):
                return _of_literal(value)
            case Field(names) | Variable(_, names) | Chain(_, names) if names:
                if isinstance(operand, Chain):
                    self._operand(operand.operand, dot)
                return field(names[-1])
            case Variable(name, _):
                return self._variables.get(name, UNKNOWN)
            case Pipe():
                return self._pipe(operand, dot)
            case _:
                return UNKNOWN

    def _compare(self, left: Trace, right: Trace) -> None:
        if not self._control:
            self.found |= compared(left, right)

    def _learn(self, known: dict[str, Trace], name: str, value: Trace) -> None:
        before = known.get(name)
        known[name] = value | (before or UNKNOWN)
        self._grew = self._grew or known[name] != before


def _of_literal(value: str | int | float | bool) -> Trace:
    """A number may be the code of a character: that is what an index into a string gives."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 128:
        return literal(chr(value))
    return literal(value) if isinstance(value, str) else UNKNOWN


def _asks_for_special_role(pipe: Pipe) -> bool:
    """True only for messages of a role such as `control`, by which some families switch features on."""
    if len(pipe.commands) != 1:
        return False
    head, *rest = pipe.commands[0].operands
    if isinstance(head, Pipe) and not rest:
        return _asks_for_special_role(head)
    if head == Function("and"):
        return any(isinstance(operand, Pipe) and _asks_for_special_role(operand) for operand in rest)
    return head == Function("eq") and len(rest) == 2 and _is_special_role(rest)


def _is_special_role(operands: Sequence[Operand]) -> bool:
    wanted = [operand.value for operand in operands if isinstance(operand, Literal)]
    return (
        len(wanted) == 1
        and any(map(_is_role, operands))
        and all(isinstance(text, str) and not any(text in role for role in _USUAL_ROLES) for text in wanted)
    )


def _is_role(operand: Operand) -> bool:
    """`.Role`, or a slice of it."""
    match operand:
        case Field(names) | Variable(_, names):
            return names[-1:] == ("Role",)
        case Pipe((Command((Function("slice"), sliced, *_)),), _, _, _):
            return _is_role(sliced)
        case _:
            return False
