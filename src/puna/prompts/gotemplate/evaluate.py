"""Running a template: the tree and the data in, text out, under a budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum, auto

from puna.prompts.gotemplate.budget import Budget
from puna.prompts.gotemplate.fault import Fault
from puna.prompts.gotemplate.functions import FUNCTIONS, SHORT_CIRCUIT
from puna.prompts.gotemplate.literals import to_bytes
from puna.prompts.gotemplate.nodes import (
    ROOT,
    Action,
    Block,
    Blocks,
    Break,
    Chain,
    Command,
    Dot,
    Field,
    Function,
    If,
    Invoke,
    Literal,
    Nil,
    Node,
    Operand,
    Pipe,
    Range,
    Text,
    Variable,
    With,
)
from puna.prompts.gotemplate.printing import shown
from puna.prompts.gotemplate.values import Value, field, plain, truth, type_name


def execute(blocks: Blocks, data: Value, budget: Budget) -> str:
    """The text of the template `ROOT`. Raises `Fault` with the line of the pipeline that failed."""
    run = _Run(blocks, budget)
    try:
        run.template(ROOT, data)
    except Fault as fault:
        raise Fault(fault.detail, run.line) from None
    return to_bytes("".join(run.output)).decode("utf-8", "replace")


class _Leave(Enum):
    """Why a block ended early."""

    BREAK = auto()
    CONTINUE = auto()


class _Run:
    def __init__(self, blocks: Blocks, budget: Budget) -> None:
        self.output: list[str] = []
        self.line = 0
        self._blocks = blocks
        self._budget = budget
        self._variables: list[tuple[str, Value]] = []  # innermost last

    def template(self, name: str, dot: Value) -> None:
        block = self._blocks.get(name)
        if block is None:
            raise Fault(f'template "{name}" not defined')
        outside, self._variables = self._variables, [("$", dot)]
        self._block(block, dot)
        self._variables = outside

    # -- nodes

    def _block(self, block: Block, dot: Value) -> _Leave | None:
        self._budget.enter()
        leave = None
        for node in block:
            self._budget.step()
            leave = self._node(node, dot)
            if leave is not None:
                break
        self._budget.leave()
        return leave

    def _node(self, node: Node, dot: Value) -> _Leave | None:
        match node:
            case Text(text):
                self._write(text)
            case Action(pipe):
                value = self._pipe(pipe, dot)
                if not pipe.declared:
                    self._write(self._text(value))
            case If() | With():
                return self._conditional(node, dot)
            case Range():
                return self._range(node, dot)
            case Invoke(name, pipe):
                self.template(name, self._pipe(pipe, dot))
            case Break():
                return _Leave.BREAK
            case _:
                return _Leave.CONTINUE
        return None

    def _text(self, value: Value) -> str:
        return value if isinstance(value, str) else self._budget.make(shown(value))

    def _write(self, text: str) -> None:
        self._budget.write(text)
        self.output.append(text)

    def _conditional(self, node: If | With, dot: Value) -> _Leave | None:
        known = len(self._variables)
        for pipe, block in node.clauses:
            value = self._pipe(pipe, dot)
            if truth(value):
                leave = self._block(block, value if isinstance(node, With) else dot)
                break
        else:
            leave = self._block(node.otherwise, dot)
        del self._variables[known:]
        return leave

    def _range(self, node: Range, dot: Value) -> _Leave | None:
        known = len(self._variables)
        value = self._pipe(node.pipe, dot)
        leave, empty = None, True
        inner = len(self._variables)
        for key, item in _items(value, len(node.pipe.declared)):
            empty = False
            self._budget.step()
            self._bind(node.pipe, key, item, inner)
            if self._block(node.body, item) is _Leave.BREAK:
                break
            del self._variables[inner:]
        if empty:
            leave = self._block(node.otherwise, dot)
        del self._variables[known:]
        return leave

    def _bind(self, pipe: Pipe, key: Value, item: Value, top: int) -> None:
        """Give the variables of a range this turn's values: the item, or the key and the item."""
        values = (key, item)[-len(pipe.declared) :] if pipe.declared else ()
        for position, (name, value) in enumerate(zip(pipe.declared, values, strict=True)):
            if pipe.assigns:
                self._assign(name, value)
            else:
                self._variables[top - len(values) + position] = (name, value)

    # -- pipelines

    def _pipe(self, pipe: Pipe, dot: Value) -> Value:
        self.line = pipe.line
        value: Value = None
        for number, command in enumerate(pipe.commands):
            value = self._command(command, dot, (value,) if number else ())
        for name in pipe.declared:
            if pipe.assigns:
                self._assign(name, value)
            else:
                self._variables.append((name, value))
        return value

    def _command(self, command: Command, dot: Value, piped: tuple[Value, ...]) -> Value:
        """The value of one command; `piped` holds the result of the one before, if any, as its last argument."""
        first, *rest = command.operands
        if isinstance(first, Function):
            return self._call(first.name, rest, dot, piped)
        if rest or piped:
            raise Fault(f"can't give argument to non-function {_described(first)}")
        if isinstance(first, Nil):
            raise Fault("nil is not a command")
        return self._operand(first, dot)

    def _call(self, name: str, operands: Iterable[Operand], dot: Value, piped: tuple[Value, ...]) -> Value:
        stops_at = SHORT_CIRCUIT.get(name)
        args: list[Value] = []
        for operand in operands:
            args.append(self._operand(operand, dot))
            if stops_at is not None and truth(args[-1]) is stops_at:
                return args[-1]
        args += piped
        builtin = FUNCTIONS[name]
        builtin.check(name, len(args))
        try:
            return builtin.call(args, self._budget)
        except Fault as fault:
            raise Fault(f"error calling {name}: {fault.detail}") from None

    def _operand(self, operand: Operand, dot: Value) -> Value:
        self._budget.step()
        match operand:
            case Dot():
                return dot
            case Literal(value):
                return value
            case Field(names):
                return _fields(dot, names)
            case Variable(name, names):
                return _fields(self._lookup(name), names)
            case Function(name):
                return self._call(name, (), dot, ())
            case Chain(inner, names):
                return _fields(self._operand(inner, dot), names)
            case Pipe():
                self._budget.enter()
                result = self._pipe(operand, dot)
                self._budget.leave()
                return result
            case _:
                return None

    # -- variables

    def _lookup(self, name: str) -> Value:
        for known, value in reversed(self._variables):
            if known == name:
                return value
        raise Fault(f"undefined variable: {name}")

    def _assign(self, name: str, value: Value) -> None:
        for position in range(len(self._variables) - 1, -1, -1):
            if self._variables[position][0] == name:
                self._variables[position] = (name, value)
                return
        raise Fault(f"undefined variable: {name}")


def _fields(value: Value, names: tuple[str, ...]) -> Value:
    for name in names:
        value = field(value, name)
    return value


def _items(value: Value, variables: int) -> Iterable[tuple[Value, Value]]:
    """What a range goes through: positions and items of a list, sorted keys and values of a map, 0…n-1."""
    value = plain(value)
    if value is None:
        return ()
    if isinstance(value, Mapping):
        return ((key, value[key]) for key in sorted(value))
    if isinstance(value, list | tuple):
        return enumerate(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if variables > 1:
            raise Fault(f"can't use {value} to iterate over more than one variable")
        return ((number, number) for number in range(value))
    raise Fault(f"range can't iterate over {type_name(value)}")


def _described(operand: Operand) -> str:
    match operand:
        case Field(names):
            return "." + ".".join(names)
        case Variable(name, names):
            return ".".join((name, *names))
        case Literal(value):
            return repr(value)
        case _:
            return type(operand).__name__.lower()
