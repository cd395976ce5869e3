"""Calls of the standard library with arguments that are not values: an algorithm, a namespace."""

from __future__ import annotations

import ast
import bisect
import collections
import copy
import hashlib
import hmac
import itertools
import json
import operator
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from forstcore._addresses import networks_of
from forstcore._core.program import FUNCTIONS
from forstcore._decimals import is_decimal, is_decimal_class
from forstcore._zones import is_zone_class
from forstcore.compiled.assembler import Label
from forstcore.compiled.pattern_calls import PatternCalls
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.source import MISSING
from forstcore.compiled.tables import has_values
from forstcore.compiled.type_bits import DICT, LIST

__all__ = ["LibraryCalls"]

_T = TypeVar("_T")

_MOST_LIMITS = 64  # for bisect, which becomes a loop

_DIGESTS = {getattr(hashlib, name): name for name in ("md5", "sha1", "sha224", "sha256", "sha384")}
_DIGESTS[hashlib.sha512] = "sha512"
_DIGEST_NAMES = (*_DIGESTS.values(), "blake2b")

# The numbers of fst_missing, by the function that makes it, and by the body of a lambda. Those of
# copies of a constant are its own number, counted from 1, times the factor.
_COUNT, _DICT = 1, 7
_DICT_OF = 8  # Factor of the number for the inner dicts of a dict of dicts.
_MISSING = {
    collections.Counter: _DICT + _DICT_OF * _COUNT,
    int: 2,
    float: 3,
    str: 4,
    list: 5,
    set: 6,
    dict: _DICT,
}
_MISSING_TEXTS = {
    **{"0": 2, "0.0": 3, "''": 4, "[]": 5, "list()": 5, "set()": 6},
    **{"{}": _DICT, "dict()": _DICT},
}


_BINARY = {
    **{operator.add: ast.Add, operator.sub: ast.Sub, operator.mul: ast.Mult},
    **{operator.truediv: ast.Div, operator.floordiv: ast.FloorDiv},
}
_COMPARE = {
    **{operator.eq: ast.Eq, operator.ne: ast.NotEq, operator.lt: ast.Lt, operator.le: ast.LtE},
    **{operator.gt: ast.Gt, operator.ge: ast.GtE},
}


class LibraryCalls(PatternCalls):
    """Compile calls of functions of the standard library."""

    def call_library(
        self, node: ast.Call, callee: Any, keywords: dict[str, ast.expr], to: int
    ) -> bool:
        """Compile a call with arguments known at compile time; return whether it is one."""
        if callee is str and len(node.args) == 1 and not keywords:
            return self._text_of_uuid(node.args[0], to)
        if len(node.args) == 2 and not keywords and self._call_operator(node, callee, to):
            return True
        if callee is zip and [type(each) for each in node.args] == [ast.Starred]:
            starred = node.args[0]
            assert isinstance(starred, ast.Starred)
            if any(not _is_false(each) for each in keywords.values()):
                raise Unsupported(node, "a strict zip of * arguments")
            self.call_native(node, "<zip all>", [starred.value], {}, to)
        elif callee is itertools.chain and not keywords:
            several = ast.copy_location(ast.List(node.args, ast.Load()), node)
            self.call_native(node, "itertools.chain.from_iterable", [several], {}, to)
        elif callee in (bisect.bisect_left, bisect.bisect_right) and not keywords:
            self._bisect(node, to, is_right=callee is bisect.bisect_right)
        elif callee is itertools.groupby:
            self._groupby(node, keywords, to)
        elif callee is hmac.new:
            self._hmac(node, keywords, to)
        elif callee in (copy.copy, copy.deepcopy) and len(node.args) == 1 and not keywords:
            if callee is copy.copy:
                self._copy(node.args[0], to)
            else:
                self._copy_deeply(node, node.args[0], to)
        elif is_decimal_class(callee) and (known := _decimal_of(node, callee)) is not None:
            self.constant(known, to)
        elif is_zone_class(callee) and not keywords:
            self.constant(_zone_of(node, callee), to)
        elif callee is json.dumps:
            self._dumps(node, keywords, to)
        elif callee is collections.defaultdict and node.args and not keywords:
            number = self._missing_of(node.args[0])
            known = ast.copy_location(ast.Constant(number), node)
            self.call_native(node, "<defaultdict>", [known, *node.args[1:]], {}, to)
        elif _entry_of(callee, _DIGESTS) is not None:
            _require_digests(node, lambda digest: digest(b""), [callee])
            return False
        elif callee is hashlib.new and (node.args or "name" in keywords):
            name = node.args[0] if node.args else keywords["name"]
            _require_digests(name, hashlib.new, _digest_names(name))
            return False
        else:
            return False
        return True

    def _call_operator(self, node: ast.Call, callee: Any, to: int) -> bool:
        """Compile a function of the module operator as its operator."""
        left, right = node.args
        binary, compare = _entry_of(callee, _BINARY), _entry_of(callee, _COMPARE)
        if binary is not None:
            self.into(ast.copy_location(ast.BinOp(left, binary(), right), node), to)
        elif compare is not None:
            self.into(ast.copy_location(ast.Compare(left, [compare()], [right]), node), to)
        return binary is not None or compare is not None

    def _copy(self, node: ast.expr, to: int) -> None:
        with self.temporaries():
            value, test, is_container = self.code.temporary(), self.code.temporary(), Label()
            self.into(node, value)
            self.code.emit("IS_A", test, value, DICT | LIST)
            self.code.emit("JUMP_IF", test, is_container)
            self.code.emit("GIVE_BACK")
            self.code.place(is_container)
            self.call_native(node, ".copy", [node], {}, to, first=value)

    def _copy_deeply(self, node: ast.Call, value: ast.expr, to: int) -> None:
        """Emit a deep copy of the unchanged record, or of a part of it.

        Other objects may contain the same part twice, and so must their copies.
        """
        path = self.path_of(value)
        if isinstance(value, ast.Name) and self._is_record_as_it_came(node, value.id):
            path = ()
        if path is None or self.types is not None:
            raise Unsupported(node, "a deep copy of anything but the record as it came")
        with self.temporaries():
            copied = self.code.temporary()
            if path:
                self.code.emit("LOAD", copied, self.code.path(path))
            else:
                self.code.emit("RECORD", copied)
            self.code.emit("THAW", copied, 1)
            self.code.emit("MOVE", to, copied)

    def _is_record_as_it_came(self, call: ast.Call, name: str) -> bool:
        """Whether a variable is the parameter for the record, which has not changed before."""
        owner = self.scope.owner(name)
        if name != self.record_name or owner is None or owner.depth or name in owner.assigned:
            return False
        return call is self.first_value or (self.changes is None and name in owner.bound)

    def _missing_of(self, factory: ast.expr) -> int:
        """Return the number for the values that a defaultdict with this factory adds."""
        known = _entry_of(self.static(factory), _MISSING)
        if known is not None:
            return known
        if isinstance(factory, ast.Lambda) and not ast.unparse(factory.args):
            body = factory.body
            if ast.unparse(body) in _MISSING_TEXTS:
                return _MISSING_TEXTS[ast.unparse(body)]
            if (
                isinstance(body, ast.Call)
                and self.static(body.func) is collections.defaultdict
                and len(body.args) == 1
                and not body.keywords
            ):
                return _DICT + _DICT_OF * self._missing_of(body.args[0])
            template = _template_of(body)
            if template is not MISSING:
                return _DICT_OF * (1 + self.code.constant(template))
        raise Unsupported(factory, f"a defaultdict of {ast.unparse(factory)}")

    def _into_Attribute(self, node: ast.Attribute, to: int) -> None:
        if node.attr == "hex" and self._text_of_uuid(node.value, to):
            hyphen, nothing = (ast.copy_location(ast.Constant(each), node) for each in ("-", ""))
            self.call_native(node, ".replace", [node.value, hyphen, nothing], {}, to, first=to)
        elif (networks := networks_of(node.attr)) is not None:
            # Nodes without a place in the source belong to the surrounding expression.
            known = [ast.Constant(each) for each in networks]  # type: ignore[arg-type]
            self.call_native(node, f"@{node.attr}", [node.value, *known], {}, to)
        else:
            super()._into_Attribute(node, to)

    def _text_of_uuid(self, node: ast.expr, to: int) -> bool:
        """Compile the text of uuid.uuid5(namespace, name) or uuid.UUID(text)."""
        callee = self.static(node.func) if isinstance(node, ast.Call) else MISSING
        if not isinstance(node, ast.Call) or callee not in (uuid.uuid5, uuid.UUID):
            return False
        if node.keywords or len(node.args) != (2 if callee is uuid.uuid5 else 1):
            raise Unsupported(node, f"a call of {ast.unparse(node.func)} with other arguments")
        if callee is uuid.UUID:
            self.call_native(node, "<text of uuid>", node.args, {}, to)
            return True
        namespace = self.static(node.args[0])
        if not isinstance(namespace, uuid.UUID):
            raise Unsupported(node.args[0], f"the namespace {ast.unparse(node.args[0])}")
        _require_digests(node, lambda name: uuid.uuid5(namespace, name), [""])
        known = ast.copy_location(ast.Constant(namespace.bytes), node.args[0])
        self.call_native(node, "<text of uuid5>", [known, node.args[1]], {}, to)
        return True

    def _bisect(self, node: ast.Call, to: int, *, is_right: bool) -> None:
        """Emit the number of limits that a value is behind: limits are few, and known."""
        limits = self.constant_value(node.args[0]) if len(node.args) == 2 else MISSING
        if not (isinstance(limits, list | tuple) and _are_limits(limits)):
            raise Unsupported(node, "bisect of other than sorted constants")
        with self.temporaries():
            value, count = self.value(node.args[1]), self.code.temporary()
            self.constant(0, count)

            def compare(limit: int) -> None:
                is_less, skip = self.code.temporary(), Label()
                if is_right:
                    self.code.emit("LESS", is_less, value, limit)
                    self.code.emit("JUMP_IF", is_less, skip)
                else:
                    self.code.emit("LESS", is_less, limit, value)
                    self.code.emit("JUMP_UNLESS", is_less, skip)
                self.code.emit("ADD", count, count, self.constant(1))
                self.code.place(skip)

            self.code.each(self.value(node.args[0]), compare)
            self.code.emit("MOVE", to, count)

    def _groupby(self, node: ast.Call, keywords: dict[str, ast.expr], to: int) -> None:
        arguments = dict(zip(("iterable", "key"), node.args, strict=False)) | keywords
        key = arguments.get("key")
        if set(arguments) - {"iterable", "key"} or "iterable" not in arguments:
            raise Unsupported(node, "a call of groupby with other arguments")
        with self.temporaries():
            block = self.code.temporary(3)
            self.into(arguments["iterable"], block)
            self.code.emit("LIST", block + 1, block, 0)
            self.code.emit("LIST", block + 2, block, 0)

            def add(item: int) -> None:
                of_item = self.code.temporary()
                if key is None or (isinstance(key, ast.Constant) and key.value is None):
                    self.code.emit("MOVE", of_item, item)
                else:
                    self.apply(key, item, of_item)
                self.code.emit("APPEND", block + 1, item)
                self.code.emit("APPEND", block + 2, of_item)

            if key is not None:
                self.hand_over(key)
            self.code.each(block, add)
            self.code.emit("CALL", to, FUNCTIONS["<groupby>"][0], block)

    def _hmac(self, node: ast.Call, keywords: dict[str, ast.expr], to: int) -> None:
        arguments = dict(zip(("key", "msg", "digestmod"), node.args, strict=False)) | keywords
        if "digestmod" not in arguments:
            raise Unsupported(node, "a call of hmac.new without digestmod")
        algorithm = arguments["digestmod"]
        callee = self.static(algorithm)
        name = _entry_of(callee, _DIGESTS)
        algorithms = _digest_names(algorithm) if name is None else [callee]
        _require_digests(algorithm, lambda each: hmac.new(b"", None, each), algorithms)
        if name is not None:
            arguments["digestmod"] = ast.copy_location(ast.Constant(name), algorithm)
        self.call_native(node, "hmac.new", [], arguments, to)

    def _dumps(self, node: ast.Call, keywords: dict[str, ast.expr], to: int) -> None:
        keywords = dict(keywords)
        otherwise = keywords.pop("default", None)
        if otherwise is not None:
            # Give back values that only another function could write.
            if self.static(otherwise) is MISSING:
                raise Unsupported(otherwise, f"the function {ast.unparse(otherwise)}")
            is_str = self.static(otherwise) is str
            keywords["default"] = ast.copy_location(ast.Constant(is_str), otherwise)
        self.call_native(node, "json.dumps", node.args, keywords, to)


def _entry_of(callee: Any, table: dict[Any, _T]) -> _T | None:
    """Look up an object, which may be unhashable, in a table."""
    return next((entry for each, entry in table.items() if each is callee), None)


def _are_limits(values: Sequence[Any]) -> bool:
    """Whether values are few and sorted, and all numbers or all strings."""
    is_text = all(type(each) is str for each in values)
    if len(values) > _MOST_LIMITS or not (
        is_text or all(type(each) in (int, float) and each == each for each in values)
    ):
        return False
    return all(one <= other for one, other in itertools.pairwise(values))


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def _zone_of(node: ast.Call, kind: Any) -> Any:
    """Return the zone with a constant name."""
    name = node.args[0] if len(node.args) == 1 else None
    if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
        raise Unsupported(node, "a zone whose name is no constant", "use a table of zones")
    try:
        return kind(name.value)
    except (KeyError, ValueError, OSError):  # Of a folder of zones, Python may raise the last.
        raise Unsupported(node, f"the zone {name.value!r}, which is not known here") from None


def _template_of(body: ast.expr) -> Any:
    """Return the value of an expression of constants; MISSING for others."""
    try:
        value = ast.literal_eval(body)
    except (ValueError, TypeError, SyntaxError):
        return MISSING
    return value if has_values(value, [0]) else MISSING


def _decimal_of(node: ast.Call, kind: Any) -> Any:
    """Return a decimal of a constant text or integer; None for others."""
    match node:
        case ast.Call(args=[ast.Constant(value=str() | int() as value)], keywords=[]):
            try:
                found = kind(value)
            except ArithmeticError:
                return None
            return found if is_decimal(found) else None
    return None


def _digest_names(algorithm: ast.expr) -> Iterable[str]:
    """Return the names that an expression for an algorithm may have as its value."""
    if isinstance(algorithm, ast.Constant):
        return [each for each in _DIGEST_NAMES if each == algorithm.value]
    return _DIGEST_NAMES


def _require_digests(
    node: ast.expr, compute: Callable[[Any], object], algorithms: Iterable[Any]
) -> None:
    """Check that Python computes digests with these algorithms: FIPS mode refuses some."""
    for algorithm in algorithms:
        try:
            compute(algorithm)
        except ValueError as error:
            raise Unsupported(node, f"a digest that is refused here ({error})") from None
