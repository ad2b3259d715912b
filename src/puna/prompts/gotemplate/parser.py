"""Tokens into the tree: a recursive-descent reader with Go's rules for variables, pipelines and nesting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from puna.prompts.gotemplate.budget import MAX_DEPTH
from puna.prompts.gotemplate.fault import Fault
from puna.prompts.gotemplate.functions import FUNCTIONS
from puna.prompts.gotemplate.lexer import Kind, Token, tokens
from puna.prompts.gotemplate.literals import number, unquote, unquote_character
from puna.prompts.gotemplate.nodes import (
    ROOT,
    Action,
    Block,
    Blocks,
    Break,
    Chain,
    Command,
    Continue,
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

_T = TypeVar("_T")

MAX_SOURCE = 256 * 1024  # characters; the longest template in use has some twenty thousand
_OPERANDS = {
    Kind.BOOL, Kind.CHARACTER, Kind.DOT, Kind.FIELD, Kind.IDENTIFIER, Kind.LEFT,
    Kind.NIL, Kind.NUMBER, Kind.STRING, Kind.VARIABLE,
}  # fmt: skip


def parse_blocks(source: str) -> Blocks:
    """The template under `ROOT` and its named parts under their names. Raises `Fault`."""
    if len(source) > MAX_SOURCE:
        raise Fault(f"template is longer than {MAX_SOURCE} characters")
    return _Parser(list(tokens(source))).parse()


class _Parser:
    def __init__(self, stream: list[Token]) -> None:
        self._tokens = stream
        self._position = 0
        self._blocks: dict[str, Block] = {}
        self._variables = ["$"]
        self._ranges = 0
        self._depth = 0

    def parse(self) -> Blocks:
        nodes, end = self._block(top=True)
        if end.kind is not Kind.END:
            raise Fault(f"unexpected {{{{{end.text}}}}}", end.line)
        self._blocks[ROOT] = nodes
        return self._blocks

    # -- blocks and the keywords that make them

    def _block(self, *, top: bool = False) -> tuple[Block, Token]:
        """Nodes up to the token that ends them: `end`, `else` (both consumed) or the end of the source."""
        nodes: list[Node] = []
        while True:
            token = self._next()
            if token.kind is Kind.TEXT:
                nodes.append(Text(token.text))
                continue
            if token.kind is Kind.END:
                if not top:
                    raise Fault("unexpected EOF", token.line)
                return tuple(nodes), token
            keyword = self._peek_solid()
            if keyword.kind is not Kind.KEYWORD:
                nodes.append(Action(self._pipe("command", Kind.CLOSE)))
                continue
            self._next_solid()
            if keyword.text in ("end", "else"):
                return tuple(nodes), keyword
            node = self._statement(keyword, top)
            if node is not None:
                nodes.append(node)

    def _statement(self, keyword: Token, top: bool) -> Node | None:
        match keyword.text:
            case "if" | "with":
                return self._conditional(keyword.text)
            case "range":
                return self._range()
            case "break" | "continue":
                self._expect(Kind.CLOSE, keyword.text)
                if not self._ranges:
                    raise Fault(f"{{{{{keyword.text}}}}} outside {{{{range}}}}", keyword.line)
                return Break() if keyword.text == "break" else Continue()
            case "template":
                name = self._name("template clause")
                if self._peek_solid().kind is Kind.CLOSE:  # refused by the reference too (contract §5.1)
                    raise Fault("undefined template specified", keyword.line)
                return Invoke(name, self._pipe("template clause", Kind.CLOSE))
            case "block":
                name = self._name("block clause")
                pipe = self._pipe("block clause", Kind.CLOSE)
                self._named(name)
                return Invoke(name, pipe)
            case "define" if top:
                name = self._name("define clause")
                self._expect(Kind.CLOSE, "define clause")
                self._named(name)
                return None
            case _:
                raise _unexpected(keyword, "command")

    def _conditional(self, keyword: str) -> If | With:
        clauses: list[tuple[Pipe, Block]] = []
        otherwise: Block = ()
        with self._nested():
            while True:
                pipe = self._pipe(keyword, Kind.CLOSE)
                body, end = self._block()
                clauses.append((pipe, body))
                if end.text == "else" and self._peek_solid().text == keyword:
                    self._next_solid()
                    continue
                otherwise = self._otherwise(end)
                break
        return If(tuple(clauses), otherwise) if keyword == "if" else With(tuple(clauses), otherwise)

    def _range(self) -> Range:
        with self._nested():
            pipe = self._pipe("range", Kind.CLOSE)
            self._ranges += 1
            body, end = self._block()
            self._ranges -= 1
            return Range(pipe, body, self._otherwise(end))

    def _otherwise(self, end: Token) -> Block:
        """The block after `else`, empty when the statement ended before; takes the `}}` of both."""
        self._expect(Kind.CLOSE, end.text)
        if end.text == "end":
            return ()
        body, last = self._block()
        if last.text != "end":
            raise Fault("expected end; found {{else}}", last.line)
        self._expect(Kind.CLOSE, "end")
        return body

    def _named(self, name: str) -> None:
        """The body of a `define` or `block`: it sees no variables of its surroundings."""
        outside = self._variables, self._ranges
        self._variables, self._ranges = ["$"], 0
        with self._nested():
            body, end = self._block()
        if end.text != "end":
            raise _unexpected(end, "define clause")
        self._expect(Kind.CLOSE, "end")
        self._variables, self._ranges = outside
        if self._blocks.get(name) and body:
            raise Fault(f'multiple definition of template "{name}"', end.line)
        self._blocks[name] = body or self._blocks.get(name, ())

    def _name(self, context: str) -> str:
        token = self._next_solid()
        if token.kind is not Kind.STRING:
            raise _unexpected(token, context)
        name = self._literal(unquote, token)
        if name == ROOT:
            raise Fault(f"missing name in {context}", token.line)
        return name

    @contextmanager
    def _nested(self) -> Iterator[None]:
        """One level of depth; variables declared inside end with it."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Fault(f"nested deeper than {MAX_DEPTH} levels", self._peek().line)
        known = len(self._variables)
        yield
        del self._variables[known:]
        self._depth -= 1

    # -- pipelines

    def _pipe(self, context: str, end: Kind) -> Pipe:
        line = self._peek_solid().line
        declared, assigns = self._declarations(context)
        commands: list[Command] = []
        while (token := self._peek_solid()).kind is not end:
            if token.kind not in _OPERANDS:
                self._next_solid()
                raise _unexpected(token, context)
            commands.append(self._command())
        self._next_solid()
        if not commands:
            raise Fault(f"missing value for {context}", line)
        for stage, command in enumerate(commands[1:], start=2):
            if isinstance(command.operands[0], Dot | Nil | Literal):
                raise Fault(f"non executable command in pipeline stage {stage}", line)
        return Pipe(tuple(commands), declared, assigns, line)

    def _declarations(self, context: str) -> tuple[tuple[str, ...], bool]:
        """`$a :=`, `$a =` or, in a range, `$a, $b :=`; nothing is consumed when the pipe begins otherwise."""
        names: list[str] = []
        start = self._position
        while self._peek_solid().kind is Kind.VARIABLE:
            names.append(self._next_solid().text)
            token = self._next_solid()
            if token.kind in (Kind.DECLARE, Kind.ASSIGN):
                assigns = token.kind is Kind.ASSIGN
                if not assigns:
                    self._variables += names
                for name in names:
                    self._check_variable(name, token.line)
                return tuple(names), assigns
            if token.kind is not Kind.COMMA:
                break
            if context != "range" or len(names) > 1:
                raise Fault(f"too many declarations in {context}", token.line)
        if len(names) > 1 or (names and self._tokens[self._position - 1].kind is Kind.COMMA):
            raise Fault("range can only initialize variables", self._tokens[start].line)
        self._position = start
        return (), False

    def _command(self) -> Command:
        """Operands with blanks between them; the `|` after the last one is taken, a closing token is left."""
        operands = [self._operand()]
        while self._peek().kind is Kind.BLANK and self._peek_solid().kind in _OPERANDS:
            operands.append(self._operand())
        token = self._peek_solid()
        if token.kind is Kind.PIPE:
            self._next()
        elif token.kind not in (Kind.CLOSE, Kind.RIGHT):
            raise _unexpected(token, "operand")
        return Command(tuple(operands))

    def _operand(self) -> Operand:
        token = self._peek()
        operand = self._term()
        names: list[str] = []
        while self._peek().kind is Kind.FIELD:
            names.append(self._next().text[1:])
        if not names:
            return operand
        match operand:
            case Field(first):
                return Field((*first, *names))
            case Variable(name, first):
                return Variable(name, (*first, *names))
            case Literal() | Nil() | Dot():
                raise Fault(f"unexpected . after term {token.text!r}", token.line)
        return Chain(operand, tuple(names))

    def _term(self) -> Operand:
        token = self._next()
        match token.kind:
            case Kind.DOT:
                return Dot()
            case Kind.NIL:
                return Nil()
            case Kind.BOOL:
                return Literal(token.text == "true")
            case Kind.FIELD:
                return Field((token.text[1:],))
            case Kind.VARIABLE:
                self._check_variable(token.text, token.line)
                return Variable(token.text)
            case Kind.IDENTIFIER:
                if token.text not in FUNCTIONS:
                    raise Fault(f'function "{token.text}" not defined', token.line)
                return Function(token.text)
            case Kind.LEFT:
                return self._parenthesised()
            case Kind.NUMBER:
                return Literal(self._literal(number, token))
            case Kind.CHARACTER:
                return Literal(self._literal(unquote_character, token))
            case _:
                return Literal(self._literal(unquote, token))

    def _parenthesised(self) -> Pipe:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Fault(f"nested deeper than {MAX_DEPTH} levels", self._tokens[self._position - 1].line)
        pipe = self._pipe("parenthesized pipeline", Kind.RIGHT)
        self._depth -= 1
        return pipe

    def _check_variable(self, name: str, line: int) -> None:
        if name not in self._variables:
            raise Fault(f'undefined variable "{name}"', line)

    @staticmethod
    def _literal(read: Callable[[str], _T], token: Token) -> _T:
        try:
            return read(token.text)
        except Fault as fault:
            raise Fault(fault.detail, token.line) from None

    # -- tokens

    def _peek(self) -> Token:
        return self._tokens[self._position]

    def _next(self) -> Token:
        token = self._tokens[self._position]
        self._position += 1
        return token

    def _peek_solid(self) -> Token:
        """The next token that is no blank; the blanks before it are consumed."""
        while self._tokens[self._position].kind is Kind.BLANK:
            self._position += 1
        return self._tokens[self._position]

    def _next_solid(self) -> Token:
        token = self._peek_solid()
        self._position += 1
        return token

    def _expect(self, kind: Kind, context: str) -> None:
        token = self._next_solid()
        if token.kind is not kind:
            raise _unexpected(token, context)


def _unexpected(token: Token, context: str) -> Fault:
    return Fault(f"unexpected {token.text!r} in {context}", token.line)
