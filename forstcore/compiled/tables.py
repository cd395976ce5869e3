"""Values of a module that can become constants of the program because they never change."""

from __future__ import annotations

import ast
import datetime
import enum
import functools
import inspect
import re
import sys
import types
import typing
from typing import Any

from forstcore._addresses import is_address
from forstcore._decimals import is_decimal
from forstcore._zones import is_zone
from forstcore.compiled.instance_classes import fields_of, is_constant_instance
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.source import MISSING, FunctionSource, parsed_module

__all__ = [
    "MUTATORS",
    "check_attribute_only_read",
    "check_constant",
    "check_functions",
    "check_table",
    "check_value",
    "has_values",
    "is_immutable",
    "is_scalar",
    "is_usual_enumeration",
    "plain_value",
    "uses_of",
]

MUTATORS = frozenset(
    (
        *(
            "append",
            "extend",
            "insert",
            "pop",
            "popitem",
            "remove",
            "clear",
            "update",
            "setdefault",
        ),
        *("sort", "reverse", "add", "discard", "difference_update", "intersection_update"),
        *("symmetric_difference_update", "move_to_end", "appendleft", "extendleft", "popleft"),
    )
)
"""Methods that change the object they belong to."""

_READERS = frozenset(
    [
        "get",
        "items",
        "keys",
        "values",
        "copy",
        "index",
        "count",
        "union",
        "intersection",
        "difference",
        "issubset",
        "issuperset",
        "isdisjoint",
        "symmetric_difference",
    ]
)
# Functions that return no part of their arguments, and those that do.
_PURE = frozenset(
    ("len", "sum", "any", "all", "isinstance", "bool", "str", "repr", "print", "range")
)
_PASSING = frozenset(
    [
        "sorted",
        "list",
        "dict",
        "set",
        "tuple",
        "frozenset",
        "min",
        "max",
        "enumerate",
        "zip",
        "iter",
        "reversed",
        "map",
        "filter",
        "next",
    ]
)
_PURE_METHODS = _READERS | {"join", "startswith", "endswith", "translate"}
_PASSING_METHODS = frozenset(("extend", "update", "choice"))
_OPERATORS = frozenset(
    f"__{name}__" for name in ("eq", "ne", "lt", "le", "gt", "ge", "hash", "add")
)
# What would change how members of an enumeration compare or are looked up.
_DEFINED_BY_ENUM = (
    *("__eq__", "__ne__", "__hash__", "__getattribute__", "_missing_"),
    *("value", "name"),
)
_DATES = (datetime.date, datetime.time, datetime.timedelta, datetime.timezone)
_LONGEST = datetime.timedelta(microseconds=1 << 61)
_MOST_ITEMS = 1_000_000


def check_constant(source: FunctionSource, node: ast.Name, value: Any) -> None:
    """Check that a value from outside of the function can be a constant.

    Raises:
        Unsupported: it may change, or is of a type that programs have no values of.
    """
    if is_immutable(value):
        if source.is_global(node.id) and _uses(source.function.__globals__).is_rebound(node.id):
            raise Unsupported(
                node,
                f"{node.id!r} is assigned in a function of the module",
                "pass it as a default of a parameter, or assign it once",
            )
        return
    if not isinstance(value, dict | list | set):
        raise Unsupported(node, f"{node.id!r} is a {type(value).__name__}")
    if not has_values(value, [0]):
        raise Unsupported(node, f"{node.id!r} has values that are no JSON")
    _check_only_read(source, node, value)


def _check_only_read(source: FunctionSource, node: ast.Name, value: Any) -> None:
    if _is_final(source, node.id):
        return
    advice = f"declare it Final if nobody changes it: {node.id}: Final = …"
    if not source.is_global(node.id):
        raise Unsupported(node, f"{node.id!r} may change", "make it a global of the module")
    uses = _uses(source.function.__globals__)
    if not uses.is_only_read(node.id, value):
        raise Unsupported(node, f"{node.id!r} may change", advice)


def check_table(
    source: FunctionSource, node: ast.Attribute, module: types.ModuleType, value: Any
) -> None:
    """Check that a dict, list or set of another module can be a constant.

    Raises:
        Unsupported: it may change, or has values that programs have none of.
    """
    if not has_values(value, [0]):
        raise Unsupported(node, f"{ast.unparse(node)!r} has values that are no JSON")
    check_attribute_only_read(source, node, module, value)


def check_functions(
    source: FunctionSource, node: ast.Name | ast.Attribute, owner: Any, value: Any
) -> None:
    """Check that a container of functions can be a constant.

    Args:
        source: of the function that uses it.
        node: the name of the container, or an attribute.
        owner: that the attribute belongs to.
        value: the container.

    Raises:
        Unsupported: it may change.
    """
    if isinstance(node, ast.Name):
        _check_only_read(source, node, value)
    elif isinstance(owner, types.ModuleType):
        check_attribute_only_read(source, node, owner, value)
    else:
        raise Unsupported(node, f"{ast.unparse(node)!r} may change", "make it a global")


def check_attribute_only_read(
    source: FunctionSource, node: ast.Attribute, module: types.ModuleType, value: Any
) -> None:
    shown = repr(ast.unparse(node))
    if _is_final_in(vars(module), node.attr):
        return
    is_only_read = uses_of(module).is_only_read(node.attr, value)
    if not is_only_read or not _uses(source.function.__globals__).reads_attribute(node.attr, value):
        advice = f"declare it Final if nobody changes it: {node.attr}: Final = …"
        raise Unsupported(node, f"{shown} may change", advice)


def plain_value(value: Any) -> Any:
    """Return the value as which a member of an enumeration of int or str compares and computes.

    Returns:
        MISSING if it is none, or one with operators of its own.
    """
    if not isinstance(value, int | str) or not isinstance(value, enum.Enum):
        return MISSING
    if isinstance(value, enum.Flag):
        return MISSING  # Operators on flags return flags.
    own = {name for kind in type(value).__mro__ if _is_own(kind) for name in vars(kind)}
    if own & _OPERATORS:
        return MISSING
    # Its attribute `value` may be another one.
    return int.__int__(value) if isinstance(value, int) else str.__str__(value)


def is_usual_enumeration(kind: type[enum.Enum]) -> bool:
    """Whether the members of an enumeration compare, and are looked up, as usual."""
    if type(kind) is not enum.EnumMeta or issubclass(kind, enum.Flag) or not len(kind):
        return False
    makes = getattr(kind, "_new_member_", None)
    if isinstance(makes, types.FunctionType) and makes.__module__ != "enum":
        return False
    own = [each for each in kind.__mro__ if _is_own(each)]
    return not any(name in vars(each) for each in own for name in _DEFINED_BY_ENUM)


def _is_own(kind: type) -> bool:
    return kind.__module__ not in ("builtins", "enum")


def is_scalar(value: Any) -> bool:
    return value is None or type(value) in (bool, int, float, str)


def check_value(node: ast.expr, value: Any) -> None:
    """Check that an attribute of a module or class can be a constant.

    Raises:
        Unsupported: it is of a type that programs have no values of, or may change.
    """
    if isinstance(value, enum.Enum):
        shown = ast.unparse(node)
        construct = f"{shown!r} is a member of an enumeration"
        raise Unsupported(node, construct, f"use its value: {shown}.value")
    if not is_immutable(value):
        raise Unsupported(node, f"{ast.unparse(node)!r} is a {type(value).__name__}")


def is_immutable(value: Any) -> bool:
    if type(value) in (tuple, frozenset):
        return all(is_immutable(each) for each in value)
    if is_constant_instance(value):
        return all(map(is_immutable, fields_of(value)))
    if isinstance(value, _DATES):
        return _is_known_date(value)
    is_plain = is_scalar(value) or type(value) is bytes or _is_pattern(value)
    return is_plain or is_zone(value) or is_address(value) or is_decimal(value)


def _is_known_date(value: Any) -> bool:
    """Whether programs support this value of the module datetime."""
    match value:
        case datetime.timedelta():
            return type(value) is datetime.timedelta and abs(value) < _LONGEST
        case datetime.time():
            return type(value) is datetime.time and value.tzinfo is None and not value.fold
        case datetime.timezone():
            offset = value.utcoffset(None)
            return str(value) == str(datetime.timezone(offset)) and not offset.microseconds
        case datetime.datetime():
            zone = value.tzinfo
            is_fixed = type(zone) is datetime.timezone and _is_known_date(zone)
            return type(value) is datetime.datetime and (zone is None or is_fixed)
        case _:
            return type(value) is datetime.date


def _is_pattern(value: Any) -> bool:
    return isinstance(value, re.Pattern) and isinstance(value.pattern, str)


def has_values(value: Any, count: list[int]) -> bool:
    """Whether a constant consists of types that programs support, and is not too large."""
    count[0] += 1
    if count[0] > _MOST_ITEMS:
        return False
    if type(value) is dict:
        return all(is_immutable(k) and has_values(v, count) for k, v in value.items())
    if type(value) in (list, tuple, set, frozenset):
        return all(has_values(each, count) for each in value)
    return is_immutable(value)


def _levels_of(value: Any) -> int:
    """Return after how many subscripts a value has only immutable parts."""
    if isinstance(value, dict):
        return 1 + max(map(_levels_of, value.values()), default=0)
    if isinstance(value, list | tuple):
        return 1 + max(map(_levels_of, value), default=0)
    return 1 if isinstance(value, set) else 0


def _is_final(source: FunctionSource, name: str) -> bool:
    return _is_final_in(source.function.__globals__, name)


def _is_final_in(module: dict[str, Any], name: str) -> bool:
    hint = module.get("__annotations__", {}).get(name)
    if isinstance(hint, str):
        return hint.partition("[")[0].rpartition(".")[2] == "Final"
    return hint is typing.Final or typing.get_origin(hint) is typing.Final


class _Uses:
    """How the names of a module are used in its source.

    Args:
        tree: the module; None if there is no source, and so nothing is known.
    """

    def __init__(self, tree: ast.Module | None) -> None:
        self._known = tree is not None
        self._parents: dict[ast.AST, ast.AST] = {}
        self._names: dict[str, list[ast.Name]] = {}
        self._attributes: dict[str, list[ast.Attribute]] = {}
        self._changed: set[str] = set()
        self._rebound: set[str] = set()
        if tree is None:
            return
        waiting: list[ast.AST] = [tree]
        while waiting:
            parent = waiting.pop()
            if isinstance(parent, ast.Global):
                self._rebound.update(parent.names)
            elif isinstance(parent, ast.Name):
                self._names.setdefault(parent.id, []).append(parent)
            elif isinstance(parent, ast.Attribute):
                self._attributes.setdefault(parent.attr, []).append(parent)
            for child in ast.iter_child_nodes(parent):
                self._parents[child] = parent
                waiting.append(child)
        for name, nodes in self._names.items():
            if any(self._changes(node) for node in nodes):
                self._changed.add(name)

    def is_rebound(self, name: str) -> bool:
        return name in self._rebound

    def is_only_read(self, name: str, value: Any) -> bool:
        if not self._known or name in self._rebound or name in self._changed:
            return False
        levels = _levels_of(value)
        return all(self._only_reads(node, levels) for node in self._names.get(name, []))

    def reads_attribute(self, name: str, value: Any) -> bool:
        """Whether attributes with a name are never changed, whatever they belong to."""
        levels = _levels_of(value)
        return self._known and all(
            isinstance(node.ctx, ast.Load)
            and not self._changes(node)
            and self._only_reads(node, levels)
            for node in self._attributes.get(name, [])
        )

    def assigns_to_class(self, name: str, classes: set[str]) -> bool:
        """Whether an attribute of a class is assigned, as far as the source shows it.

        Args:
            name: of the attribute.
            classes: the names that the class may have there.
        """
        stores = (each for each in self._attributes.get(name, []) if _is_changed(each))
        return any(_is_class(each.value, classes) for each in stores)

    def _top(self, node: ast.AST) -> ast.AST:
        """Return the subscripts that begin with a name."""
        parent = self._parents.get(node)
        while isinstance(parent, ast.Subscript) and parent.value is node:
            node, parent = parent, self._parents.get(parent)
        return node

    def _subscripts(self, node: ast.AST) -> int:
        """Count the subscripts that begin with a name."""
        count, top = 0, self._top(node)
        while node is not top:
            node = self._parents[node]
            count += 1
        return count

    def _changes(self, node: ast.Name | ast.Attribute) -> bool:
        """Whether the value of a name, or one in it, is changed here."""
        top = self._top(node)
        parent = self._parents.get(top)
        if top is not node and isinstance(top, ast.Subscript):
            if not isinstance(top.ctx, ast.Load):
                return True
            if isinstance(parent, ast.AugAssign) and parent.target is top:
                return True
        if isinstance(parent, ast.AugAssign) and parent.target is top:
            return True
        return isinstance(parent, ast.Attribute) and parent.attr in MUTATORS

    def _only_reads(self, node: ast.Name | ast.Attribute, levels: int) -> bool:
        """Whether a name is used in a way that changes nothing.

        Args:
            node: the name, or an attribute of a module.
            levels: after how many subscripts its value has only immutable parts.
        """
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            return self._is_first_store(node)
        top = self._top(node)
        if self._subscripts(node) >= levels:
            return True
        parent = self._parents.get(top)
        match parent:
            case ast.Attribute():
                return parent.attr in _READERS
            case ast.Call(func=ast.Name(id=name)):
                return name in _PURE or (
                    name in _PASSING
                    and (self._subscripts(node) + 1 >= levels or self._loops(parent))
                )
            case ast.Call(func=ast.Attribute(attr=attr)):
                return attr in _PURE_METHODS or (
                    attr in _PASSING_METHODS and self._subscripts(node) + 1 >= levels
                )
            case ast.Assign() if len(parent.targets) == 1:
                # A part gets another name, through which it must not be changed either.
                target = parent.targets[0]
                return isinstance(target, ast.Name) and target.id not in self._changed
            case ast.For() | ast.comprehension():
                return self._loops(top)
            case ast.Expr() | ast.Delete() | ast.Return() | ast.Yield():
                return top is not node and not isinstance(parent, ast.Delete)
            case ast.keyword() | ast.Dict():
                return top is not node or (isinstance(parent, ast.Dict) and top in parent.values)
        return isinstance(
            parent,
            ast.Compare
            | ast.Starred
            | ast.FormattedValue
            | ast.BinOp
            | ast.BoolOp
            | ast.IfExp
            | ast.If
            | ast.UnaryOp
            | ast.Subscript,
        )

    def _loops(self, node: ast.AST) -> bool:
        """Whether a loop iterates over an expression, and does not change its items."""
        loop = self._parents.get(node)
        if not isinstance(loop, ast.For | ast.comprehension) or loop.iter is not node:
            return False
        targets = {each.id for each in ast.walk(loop.target) if isinstance(each, ast.Name)}
        return not targets & self._changed

    def _is_first_store(self, node: ast.Name) -> bool:
        """Whether a name is assigned here at the level of the module, and only here."""
        parent = self._parents.get(node)
        stores = [each for each in self._names[node.id] if isinstance(each.ctx, ast.Store)]
        here = [each for each in stores if not self._is_local(each)]
        return self._is_local(node) or (
            len(here) == 1 and isinstance(parent, ast.Assign | ast.AnnAssign | ast.With | ast.Tuple)
        )

    def _is_local(self, node: ast.AST) -> bool:
        """Whether a name that is stored belongs to a function."""
        at: ast.AST | None = node
        while at is not None:
            if isinstance(at, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                return True
            at = self._parents.get(at)
        return False


def _is_changed(node: ast.Attribute) -> bool:
    return not isinstance(node.ctx, ast.Load)


def _is_class(node: ast.expr, names: set[str]) -> bool:
    """Whether an expression is a class, by its name, or that of an object."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in names or name in ("cls", "__class__")
        case ast.Call(func=ast.Name(id="type")):
            return True
    return False


def _uses(scope: dict[str, Any]) -> _Uses:
    """Return how the module uses its names that has these globals."""
    module = sys.modules.get(scope.get("__name__", ""))
    if module is None or module.__dict__ is not scope:
        module = None
    return uses_of(module)


@functools.lru_cache(maxsize=64)
def uses_of(module: types.ModuleType | None) -> _Uses:
    if module is None:
        return _Uses(None)
    try:
        return _Uses(parsed_module(inspect.getsource(module)).tree)
    except (OSError, TypeError, SyntaxError):
        return _Uses(None)
