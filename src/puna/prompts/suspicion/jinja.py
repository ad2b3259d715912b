"""The words that a Jinja template looks for in the conversation. It is read by the library and never run."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable
from itertools import pairwise
from typing import TypeAlias

from jinja2 import Environment, TemplateError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser

from puna.prompts.suspicion.trace import (
    UNKNOWN,
    Flow,
    TooComplex,
    Trace,
    compared,
    field,
    fields,
    literal,
    settled,
    union,
)

_Scope: TypeAlias = "ChainMap[str, Trace]"

_MAX_STEPS = 50_000  # nodes looked at; the largest templates in use need two thousand
_SEARCHES = {
    "startswith", "endswith", "find", "rfind", "index", "rindex", "count", "split", "rsplit", "partition",
    "rpartition", "replace", "strip", "lstrip", "rstrip", "removeprefix", "removesuffix",
}  # fmt: skip
_VIEWS = {"keys", "values", "items"}  # of an object: its keys are no texts, and neither are most of its values
_MEASURES = {"length", "count"}
_CHOICES = {"selectattr", "rejectattr"}
_OF_LISTS = {"list", "reverse", "first", "last", "select", "reject", "sort", "unique", *_CHOICES}


class _Generation(Extension):
    """`{% generation %}`, with which training code marks what the model wrote; its body counts as usual."""

    tags = {"generation"}  # noqa: RUF012 - the library's own declaration

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


_ENVIRONMENT = Environment(extensions=["jinja2.ext.loopcontrols", "jinja2.ext.do", _Generation])  # noqa: S701 - parses


def words_sought(text: str) -> frozenset[str]:
    """Nothing for a text that is no Jinja template. Raises `TooComplex`, `RecursionError`."""
    try:
        tree = _ENVIRONMENT.parse(text)
    except (TemplateError, ValueError):  # ValueError: a number of thousands of digits
        return frozenset()
    return settled(_Walk(tree))


class _Walk:
    """Passes over one template. Only loops and macros have a scope; elsewhere a name only ever gains origins."""

    def __init__(self, tree: nodes.Template) -> None:
        self._tree = tree
        self._globals: _Scope = ChainMap({"messages": Trace(Flow.CHAT)})
        self._attributes: dict[str, Trace] = {}  # of all namespaces
        self._macros = {macro.name: macro for macro in tree.find_all(nodes.Macro)}
        self._written: dict[tuple[str, frozenset[tuple[str, Trace]]], Trace] = {}  # by a macro for its arguments
        self._steps = _MAX_STEPS
        self.found: frozenset[str] = frozenset()

    def once(self) -> bool:
        """Tells whether anything new became known."""
        before = dict(self._globals), dict(self._attributes)
        self._written.clear()
        self._all(self._tree.body, self._globals)
        return before != (dict(self._globals), self._attributes)

    # -- statements; each gives what it writes

    def _all(self, body: Iterable[nodes.Node], scope: _Scope) -> Trace:
        return union([self._visit(node, scope) for node in body])

    def _visit(self, node: nodes.Node, scope: _Scope) -> Trace:
        self._steps -= 1
        if self._steps < 0:
            raise TooComplex
        match node:
            case nodes.Expr():
                return self._value(node, scope)
            case nodes.Assign(target=target, node=value):
                self._bind(target, self._value(value, scope), scope)
            case nodes.AssignBlock(target=target, body=body):
                self._bind(target, self._all(body, scope).made, scope)
            case nodes.For():
                return self._loop(node, scope)
            case nodes.With(targets=targets, values=values, body=body):
                inner = scope.new_child()
                for target, value in zip(targets, values, strict=True):
                    self._bind(target, self._value(value, scope), inner)
                return self._all(body, inner)
            case nodes.Macro():  # read where it is called
                pass
            case _:
                return self._all(node.iter_child_nodes(), scope)
        return UNKNOWN

    def _loop(self, node: nodes.For, scope: _Scope) -> Trace:
        inner = scope.new_child()
        self._bind(node.target, self._value(node.iter, scope).element, inner)
        if node.test is not None:
            self._value(node.test, inner)
        return self._all(node.body, inner) | self._all(node.else_, scope)

    def _bind(self, target: nodes.Node, value: Trace, scope: _Scope) -> None:
        match target:
            case nodes.Name(name=name):
                scope[name] = value | scope.get(name, UNKNOWN)
            case nodes.NSRef(attr=name):
                self._set_attribute(name, value)
            case _:
                for part in target.iter_child_nodes():
                    self._bind(part, value, scope)

    def _set_attribute(self, name: str, value: Trace) -> None:
        self._attributes[name] = value | self._attributes.get(name, UNKNOWN)

    # -- expressions

    def _value(self, node: nodes.Node, scope: _Scope) -> Trace:
        match node:
            case nodes.Const(value=str(text)) | nodes.TemplateData(data=text):
                return literal(text)
            case nodes.Name(name=name):
                return scope.get(name, UNKNOWN)
            case nodes.Getattr(node=owner, attr=name):
                return self._field(self._value(owner, scope), name)
            case nodes.Getitem(node=owner, arg=key):
                return self._item(self._value(owner, scope), key, scope)
            case nodes.Compare(expr=first, ops=operands):
                sides = [self._value(side, scope) for side in (first, *(operand.expr for operand in operands))]
                for left, right in pairwise(sides):
                    self.found |= compared(left, right)
                return UNKNOWN
            case nodes.Test():
                self.found |= compared(self._value(node.node, scope), self._arguments(node, scope))
                return UNKNOWN
            case nodes.Filter():
                return self._filter(node, scope)
            case nodes.Call():
                return self._call(node, scope)
            case nodes.CondExpr(test=test, expr1=then, expr2=otherwise):
                self._value(test, scope)
                return union(self._value(choice, scope) for choice in (then, otherwise) if choice is not None)
            case nodes.BinExpr() | nodes.Concat():
                value = self._children(node, scope)
                return value.joined if isinstance(node, nodes.Add) else value.made
            case _:
                return self._children(node, scope)

    def _children(self, node: nodes.Node, scope: _Scope) -> Trace:
        return self._all(node.iter_child_nodes(), scope)

    def _arguments(self, node: nodes.Call | nodes.Filter | nodes.Test, scope: _Scope) -> Trace:
        return self._all([*node.args, *node.kwargs], scope)

    def _field(self, owner: Trace, name: str) -> Trace:
        found = field(name) | self._attributes.get(name, UNKNOWN)
        return found if owner.flow else found | owner

    def _item(self, owner: Trace, key: nodes.Node, scope: _Scope) -> Trace:
        match key:
            case nodes.Const(value=str(name)):
                return self._field(owner, name)
            case nodes.Slice():
                return owner if Flow.CHAT in owner.flow else owner.made
        wanted = self._value(key, scope)
        self.found |= compared(wanted, Trace(words=owner.words))  # a table of words, and what is said looked up in it
        return owner.element | (fields(wanted.words) if Flow.CHAT in owner.flow else UNKNOWN)

    def _filter(self, node: nodes.Filter, scope: _Scope) -> Trace:
        value = self._value(node.node, scope) if node.node is not None else UNKNOWN
        arguments = self._arguments(node, scope)
        if node.name in _MEASURES:
            return UNKNOWN
        if node.name == "attr" or any(pair.key == "attribute" for pair in node.kwargs):
            return fields(arguments.words).joined
        if node.name in _CHOICES:
            chosen = self._all(node.args[:1], scope)
            self.found |= compared(fields(chosen.words), self._all(node.args[2:], scope))
        elif node.name in _SEARCHES:
            self.found |= compared(value, self._all(node.args[:1], scope))
        return value if node.name in _OF_LISTS else value.made | Trace(words=arguments.words)

    def _call(self, node: nodes.Call, scope: _Scope) -> Trace:
        arguments = self._arguments(node, scope)
        match node.node:
            case nodes.Getattr(node=owner, attr="get") if node.args:
                return self._item(self._value(owner, scope), node.args[0], scope) | self._all(node.args[1:], scope)
            case nodes.Getattr(attr=method) if method in _VIEWS:
                return UNKNOWN
            case nodes.Getattr(node=owner, attr=method):
                value = self._value(owner, scope)
                if method in _SEARCHES:
                    self.found |= compared(value, self._all(node.args[:1], scope))
                return (value | arguments).joined
            case nodes.Name(name=name) if name in self._macros:
                return self._expand(self._macros[name], node, scope) | arguments.made
            case nodes.Name(name="namespace"):
                for pair in node.kwargs:
                    self._set_attribute(pair.key, self._value(pair.value, scope))
                return UNKNOWN
            case _:
                return (self._value(node.node, scope) | arguments).joined

    def _expand(self, macro: nodes.Macro, call: nodes.Call, scope: _Scope) -> Trace:
        """What the macro writes for these arguments; each set of arguments is looked at once in a pass."""
        names = [argument.name for argument in macro.args]
        given = dict.fromkeys(names, UNKNOWN)
        for name, default in zip(reversed(names), reversed(macro.defaults), strict=False):
            given[name] = self._value(default, self._globals)
        given.update((name, self._value(value, scope)) for name, value in zip(names, call.args, strict=False))
        given.update((pair.key, self._value(pair.value, scope)) for pair in call.kwargs)
        key = macro.name, frozenset(given.items())
        if key not in self._written:
            self._written[key] = UNKNOWN  # for a macro that calls itself
            self._written[key] = self._all(macro.body, self._globals.new_child(given)).made
        return self._written[key]
