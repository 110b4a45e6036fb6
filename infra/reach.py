"""What a route may come to: every function and class that its view leads to, read from the source.

The document of the interface must name each refusal and each parameter of each route, and nobody
keeps such lists by hand for long. So the source is followed from a view through every name it
uses. Where a type is not known, a method counts if its name is used and its class was met: a
route may therefore be said to refuse more than it ever does, and never less.
"""

import ast
import importlib
import inspect
import textwrap
import typing
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import cache
from types import FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from chalicelib.kernel import Command, Decider, Refused, Value

_OURS = "chalicelib."
_UNKNOWN = object()


class Reached(NamedTuple):
    """What was met on the way: `functions` with their source, and the `refusals` they name."""

    functions: dict[FunctionType, list[ast.AST]]
    refusals: frozenset[type[Refused]]

    def calls(self) -> Iterator[tuple[FunctionType, ast.Call]]:
        """Every call that is made on the way, and where."""
        for function, nodes in self.functions.items():
            for node in nodes:
                if isinstance(node, ast.Call):
                    yield function, node

    def has(self, function: Callable[..., Any]) -> bool:
        """Whether this function may be called."""
        return inspect.unwrap(function) in self.functions


class _Line(NamedTuple):
    """A part of a function's source, and the thing it names, if it names one.

    It is carried out only for a command of each of the sets `only_for`.
    """

    node: ast.AST
    names: Any
    only_for: tuple[frozenset[type], ...]


class _Block(NamedTuple):
    """The parts of a source that are carried out together: what they name, and which attributes."""

    nodes: list[ast.AST]
    things: list[Any]
    attributes: set[str]


class _Walk:
    """One walk: it goes round until nothing new is met."""

    def __init__(self) -> None:
        self.functions: dict[FunctionType, list[ast.AST]] = {}
        self.classes: set[type] = set()
        self.attributes: set[str] = {"__init__", "__post_init__"}
        self.refusals: set[type[Refused]] = set()
        # Nothing is read twice, however often it goes round.
        self._read: set[tuple[Any, Any]] = set()

    def until_nothing_is_new(self) -> None:
        size = -1
        while size != (size := self._size()):
            for function in list(self.functions):
                for only_for, block in _blocks(function).items():
                    if any(commands.isdisjoint(self.classes) for commands in only_for):
                        continue
                    if self._is_new(function, only_for):
                        self.functions[function] += block.nodes
                        self.attributes |= block.attributes
                        self.meet(block.things)
            for kind in list(self.classes):
                members = _members(kind)
                for name in members.keys() & self.attributes:
                    if self._is_new(kind, name):
                        self.meet(members[name])

    def _is_new(self, whole: Any, part: Any) -> bool:
        fresh = (whole, part) not in self._read
        self._read.add((whole, part))
        return fresh

    def _size(self) -> int:
        return len(self.functions) + len(self.classes) + len(self.attributes) + len(self.refusals)

    def meet(self, thing: Any) -> None:
        """Something that the source names."""
        if isinstance(thing, MethodType):
            self.meet(thing.__func__)
        elif isinstance(thing, Decider):
            self.meet(thing.decide)
        elif isinstance(thing, FunctionType) or hasattr(thing, "__wrapped__"):
            function = inspect.unwrap(thing)
            if function not in self.functions and _ours(function):
                self.functions[function] = []
                self._types(function)
        elif isinstance(thing, type) and _ours(thing):
            if issubclass(thing, Refused):
                self.refusals.add(thing)
            else:
                self.classes.add(thing)
        elif isinstance(thing, Mapping | tuple | list | AbstractSet):
            # A table of what is done for each word of a request.
            for one in thing.values() if isinstance(thing, Mapping) else thing:
                self.meet(one)
        elif _ours(type(thing)):
            self.classes.add(type(thing))

    def _types(self, function: FunctionType) -> None:
        """What is given to a function, and what it gives, has methods too."""
        for kind in _hinted(function):
            self.meet(kind)


def reach(*views: Callable[..., Any]) -> Reached:
    """What these functions may come to."""
    walk = _Walk()
    for view in views:
        walk.meet(view)
    walk.until_nothing_is_new()
    return Reached(walk.functions, frozenset(walk.refusals))


def value_of(node: ast.expr, function: FunctionType) -> Any:
    """What an expression of a function's source names, None if that is not known."""
    found = _value(node, _names(function))
    return None if found is _UNKNOWN else found


def _ours(thing: Any) -> bool:
    return str(getattr(thing, "__module__", "")).startswith(_OURS)


@cache
def _below(kind: type) -> tuple[type, ...]:
    found: list[type] = list(filter(_ours, kind.__subclasses__()))
    return tuple(found) + tuple(more for below in found for more in _below(below))


@cache
def _hinted(function: FunctionType) -> tuple[type, ...]:
    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError):
        return ()
    kinds = (kind for hint in hints.values() for kind in (hint, *typing.get_args(hint)))
    # A union of commands says nothing about which of them is meant here.
    return tuple(kind for kind in kinds if isinstance(kind, type) and not issubclass(kind, Value))


@cache
def _members(kind: type) -> dict[str, list[Any]]:
    """What a class and those below it have, by name."""
    found: dict[str, list[Any]] = {}
    for one in (kind, *_below(kind)):
        for name, thing in list(vars(one).items()):
            called = getattr(thing, "__func__", None) or getattr(thing, "fget", thing)
            found.setdefault(name, []).append(called)
    return found


@cache
def _blocks(function: FunctionType) -> dict[tuple[frozenset[type], ...], _Block]:
    """A function's source, by the commands that its parts are only carried out for."""
    found: dict[tuple[frozenset[type], ...], _Block] = {}
    for line in _below_node(_tree(function), _names(function), ()):
        block = found.setdefault(line.only_for, _Block([], [], set()))
        block.nodes.append(line.node)
        if isinstance(line.node, ast.Attribute):
            block.attributes.add(line.node.attr)
        if line.names is not None and not any(line.names is one for one in block.things):
            block.things.append(line.names)
    return found


def _below_node(
    node: ast.AST, names: dict[str, Any], only_for: tuple[frozenset[type], ...]
) -> Iterator[_Line]:
    """A part of a source and all there is below it."""
    named = _value(node, names) if isinstance(node, ast.Name | ast.Attribute) else _UNKNOWN
    yield _Line(node, None if named is _UNKNOWN else named, only_for)
    for below in ast.iter_child_nodes(node):
        if isinstance(below, ast.ExceptHandler):
            # What is caught is named, not raised.
            for line in below.body:
                yield from _below_node(line, names, only_for)
        elif isinstance(below, ast.match_case):
            commands = _commands(below.pattern, names)
            yield from _below_node(below, names, (*only_for, commands) if commands else only_for)
        elif not (isinstance(below, ast.arguments) or _is_annotation(node, below)):
            yield from _below_node(below, names, only_for)


def _commands(pattern: ast.pattern, names: dict[str, Any]) -> frozenset[type]:
    """The commands that a case is for; none if it is about something else."""
    parts = [part for part in ast.walk(pattern) if isinstance(part, ast.MatchClass)]
    kinds = [_value(part.cls, names) for part in parts]
    return frozenset(k for k in kinds if isinstance(k, type) and issubclass(k, Command))


@cache
def _tree(function: FunctionType) -> ast.AST:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return ast.Module([], [])  # What pydantic and dataclasses generate has no source.
    for top in tree.body:
        if isinstance(top, ast.FunctionDef):
            top.decorator_list = []
    return tree


@cache
def _names(function: FunctionType) -> dict[str, Any]:
    names = {**function.__globals__, **inspect.getclosurevars(function).nonlocals}
    for node in ast.walk(_tree(function)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(_OURS):
            module = importlib.import_module(node.module)
            names |= {a.asname or a.name: getattr(module, a.name, _UNKNOWN) for a in node.names}
    return names


def _value(node: ast.AST, names: dict[str, Any]) -> Any:
    match node:
        case ast.Name():
            return names.get(node.id, _UNKNOWN)
        case ast.Attribute():
            of = _value(node.value, names)
            known = isinstance(of, ModuleType | type) or (of is not _UNKNOWN and _ours(type(of)))
            return inspect.getattr_static(of, node.attr, _UNKNOWN) if known else _UNKNOWN
        case _:
            return _UNKNOWN


def _is_annotation(node: ast.AST, below: ast.AST) -> bool:
    return below in (getattr(node, "annotation", None), getattr(node, "returns", None))
