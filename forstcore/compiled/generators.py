"""Generators of the user: when all their values may be computed before any is used.

A call of a generator is compiled to a list of the yielded values, while Python alternates between
the generator and the code that iterates over it. The results are the same if neither changes what
the other reads, and if no exception is caught: an exception gives the record back.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from forstcore.compiled.scope import Definition, assigned_names
from forstcore.compiled.tables import MUTATORS

__all__ = [
    "called_functions",
    "changes_only_its_own",
    "consumed_calls",
    "makes_iterator",
    "may_change",
    "yields",
]

_CONSUMERS = frozenset(
    ("list", "tuple", "set", "frozenset", "dict", "sorted", "sum", "min", "max", "any", "all")
)
_PASSING = frozenset(("enumerate", "zip"))
_CONSUMING_METHODS = frozenset(("join", "extend"))


def yields(definition: Definition) -> bool:
    return any(isinstance(node, ast.Yield | ast.YieldFrom | ast.Await) for node in _own(definition))


def makes_iterator(node: ast.expr) -> bool:
    """Whether an expression makes an iterator that is not kept as a list."""
    match node:
        case ast.Call(func=ast.Name(id=name)):
            return name in ("iter", "zip", "enumerate", "reversed", "map", "filter")
    return False


def called_functions(definition: Definition) -> list[ast.expr]:
    """Return the callees of a function that are names or attributes."""
    return [node.func for node in _own(definition) if isinstance(node, ast.Call)]


def _own(definition: Definition) -> Iterator[ast.AST]:
    """Yield the nodes of a function without those of functions in it."""
    below: list[ast.AST] = list(ast.iter_child_nodes(definition))
    while below:
        node = below.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            below += ast.iter_child_nodes(node)


def consumed_calls(statement: ast.stmt) -> dict[ast.expr, list[ast.AST]]:
    """Return the expressions of a statement that are iterated to their end, or until it is left.

    Returns:
        For each, the code that alternates with it.
    """
    found: dict[ast.expr, list[ast.AST]] = {}

    def add(node: ast.expr, others: list[ast.AST]) -> None:
        found[node] = others
        match node:
            case ast.Call(func=ast.Name(id=name), args=args) if name in _PASSING:
                for each in args:
                    add(each, others)

    for node in ast.walk(statement):
        match node:
            case ast.For():
                add(node.iter, [*node.body])
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                for each in node.generators:
                    add(each.iter, _others(node, each.iter))
            case ast.YieldFrom() | ast.Starred():
                add(node.value, [])
            case ast.Call(func=ast.Name(id=name), args=[first], keywords=[]) if name in _CONSUMERS:
                add(first, [])
            case ast.Call(func=ast.Attribute(attr=name), args=[first]):
                if name in _CONSUMING_METHODS:
                    add(first, [])
    return found


def _others(node: ast.expr, iterable: ast.expr) -> list[ast.AST]:
    """Return what a comprehension evaluates besides an iterable."""
    parts: list[ast.AST] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.comprehension):
            parts += [part for part in (child.iter, *child.ifs) if part is not iterable]
        else:
            parts.append(child)
    return parts


def may_change(nodes: list[ast.AST], names: set[str]) -> bool:
    """Whether code might change the values of variables."""
    for top in nodes:
        for node in ast.walk(top):
            if isinstance(node, ast.Call):
                used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
                if used & names and not _only_reads(node):
                    return True
            root = _changed_root(node)
            if root in names or (isinstance(node, ast.Nonlocal) and names & set(node.names)):
                return True
    return False


def _only_reads(node: ast.Call) -> bool:
    """Whether a call changes none of its arguments, as far as its name says."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr == "join"
    return isinstance(node.func, ast.Name) and node.func.id in _READERS


_READERS = _CONSUMERS | _PASSING | {"len", "range", "isinstance", "str", "int", "float", "round"}


def _changed_root(node: ast.AST) -> str | None:
    """Return the variable whose value, or a part of it, a node changes; "" for another object."""
    top: ast.AST | None = None
    if isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
        top = node
    elif isinstance(node, ast.AugAssign):
        top = node.target
    elif isinstance(node, ast.Attribute) and node.attr in MUTATORS:
        top = node.value
    if top is None:
        return None
    while isinstance(top, ast.Subscript | ast.Attribute):
        top = top.value
    return top.id if isinstance(top, ast.Name) else ""


def changes_only_its_own(definition: Definition) -> bool:
    """Whether a function changes only objects that it has made, and that other code cannot see."""
    fresh = _fresh_names(definition)
    changed = set()
    for node in _own(definition):
        if isinstance(node, ast.Nonlocal | ast.Global):
            return False
        root = _changed_root(node)
        if root is None:
            continue
        if root not in fresh or not _is_direct(node):
            return False
        if not isinstance(node, ast.AugAssign) or root not in _counters(definition):
            changed.add(root)
    return not _escapes(definition, changed)


def _is_direct(node: ast.AST) -> bool:
    """Whether a node changes the value of a variable itself, and not a part of it."""
    if isinstance(node, ast.AugAssign):
        node = node.target
    return isinstance(node, ast.Name) or (
        isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.value, ast.Name)
    )


def _counters(definition: Definition) -> set[str]:
    """Return the variables that only ever get numbers and strings besides those of += and so on."""
    others = set()
    for node in _own(definition):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                if not isinstance(value, ast.Constant | ast.JoinedStr):
                    others.add(name)
            case ast.AnnAssign(target=ast.Name(id=name), value=value):
                if not isinstance(value, ast.Constant | ast.JoinedStr):
                    others.add(name)
    return set(assigned_names(definition)) - others


def _escapes(definition: Definition, names: set[str]) -> bool:
    """Whether the value of a variable is used in a way that others may see changes to it."""
    parents: dict[ast.AST, ast.AST] = {}
    for node in ast.walk(definition):
        for child in ast.iter_child_nodes(node):
            parents[child] = node
    return any(
        isinstance(node, ast.Name)
        and node.id in names
        and isinstance(node.ctx, ast.Load)
        and not _is_kept_apart(node, parents)
        for node in ast.walk(definition)
    )


def _is_kept_apart(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> bool:
    parent = parents[node]
    match parent:
        case ast.Subscript():
            return parent.value is node
        case ast.Attribute(attr=attr):
            if attr in MUTATORS or attr in ("get", "count", "index", "join"):
                return True
            call = parents[parent]
            if not (isinstance(call, ast.Call) and attr in ("items", "keys", "values")):
                return False
            return _is_kept_apart(call, parents)
        case ast.Call():
            return node in parent.args and _only_reads(parent) and not _makes_view(parent)
        case ast.For() | ast.comprehension():
            return parent.iter is node
    return isinstance(parent, ast.Compare | ast.UnaryOp | ast.If | ast.While)


def _makes_view(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id in _PASSING


def _fresh_names(definition: Definition) -> set[str]:
    """Return the variables whose values the function makes: displays, and numbers, are new."""
    made: Mapping[str, int] = assigned_names(definition)
    count: dict[str, int] = dict.fromkeys(made, 0)
    for node in _own(definition):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_fresh(value):
                count[name] += 1
            case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None:
                count[name] += _is_fresh(value)
            case ast.AugAssign(target=ast.Name(id=name)):
                count[name] += 2  # It counts twice, as a name and as a target.
    return {name for name, number in made.items() if count[name] == number}


def _is_fresh(value: ast.expr) -> bool:
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        return value.func.id in ("list", "dict", "set", "sorted", "int", "float", "str", "len")
    return isinstance(
        value,
        ast.Dict
        | ast.List
        | ast.Set
        | ast.ListComp
        | ast.SetComp
        | ast.DictComp
        | ast.Constant
        | ast.JoinedStr,
    )
