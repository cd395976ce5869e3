"""Returned and yielded values, which are written as lines while the program runs."""

from __future__ import annotations

import ast
import dataclasses
import enum
import sys
from typing import Any, NamedTuple

from forstcore._io.json_lines import dump_line
from forstcore.compiled.assembler import Label
from forstcore.compiled.handed_over import HandedOver
from forstcore.compiled.record_types import field_names, written_names
from forstcore.compiled.remarks import Unsupported
from forstcore.compiled.scope import Path
from forstcore.compiled.tables import is_scalar
from forstcore.compiled.type_bits import DICT

__all__ = ["Results"]


class _Copied(NamedTuple):
    """A value of the record that is copied: its path, and the expression for it."""

    path: Path
    node: ast.expr


_Part = bytes | int | _Copied
"""A piece of a result's text, or a value in it: its register, or where it is in the record."""


class Results(HandedOver):
    """Compile returns and yields.

    A dict display that is returned is never created: the text between its values is known at
    compile time, and the values are written between these pieces.
    """

    is_generator = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.assigned: dict[str, str] = {}  # fields of the record that are variables, with these

    def do_return(self, value: ast.expr | None) -> None:
        """Emit code that ends the function with a value."""
        if value is None or self.is_generator:
            if value is not None:
                self.value(value)
            self.code.emit("FINISH")
        elif isinstance(value, ast.Constant) and value.value is None:
            self.code.emit("FINISH")
        elif isinstance(value, ast.IfExp):
            otherwise = Label()
            self.jump(value.test, otherwise, when=False)
            self.do_return(value.body)
            self.code.place(otherwise)
            self.do_return(value.orelse)
        elif (
            isinstance(value, ast.Dict)
            or (isinstance(value, ast.Call) and self._is_instance(value))
            or self._fields_of(value) is not None
        ):
            self._write(value)
            self.code.emit("FINISH")
        elif isinstance(value, ast.List) and not any(
            isinstance(each, ast.Starred) for each in value.elts
        ):
            self._write_all(value.elts)
            self.code.emit("FINISH")
        else:
            with self.temporaries():
                self.code.emit("RETURN", self.value(value))

    def do_yield(self, node: ast.Yield | ast.YieldFrom) -> None:
        """Emit code that writes a result, or several."""
        if isinstance(node, ast.YieldFrom):
            self._write_each(node.value)
            return
        if node.value is None:
            raise Unsupported(node, "yield without a value")
        self._write(node.value)

    def _write_all(self, values: list[ast.expr]) -> None:
        # All of them are evaluated first: writing one may not change another.
        with self.temporaries():
            parts = [self._parts(each) for each in values]
            for each in parts:
                self._emit(each)

    def _write_each(self, value: ast.expr) -> None:
        with self.temporaries():
            self.code.each(self.value(value), lambda item: self.code.emit("EMIT", item))

    def _write(self, value: ast.expr) -> None:
        with self.temporaries():
            self._emit(self._parts(value))

    def _emit(self, parts: list[_Part]) -> None:
        text = b""
        depth = 0
        for part in parts:
            if isinstance(part, bytes):
                text += part
                depth += (part in (b"{", b"[")) - (part in (b"}", b"]"))
                continue
            if isinstance(part, int):
                self.code.emit("PUT_VALUE", self.code.piece(text), part, depth)
            else:
                with self.at(part.node):
                    path = self.code.path(part.path)
                    self.code.emit("PUT_PATH", self.code.piece(text), path, depth)
            text = b""
        self.code.emit("END", self.code.piece(text))

    def _parts(self, node: ast.expr) -> list[_Part]:
        """Emit code for the values of a display; return the pieces of its text."""
        if isinstance(node, ast.Dict):
            names = [each.value for each in node.keys if isinstance(each, ast.Constant)]
            plain = all(isinstance(name, str) for name in names)
            if plain and len(names) == len(node.keys) == len(set(names)):
                parts: list[_Part] = [b"{"]
                for name, value in zip(names, node.values, strict=True):
                    parts += [b"" if len(parts) == 1 else b",", _text_of(name), b":"]
                    parts += self._parts(value)
                return [*parts, b"}"]
        if isinstance(node, ast.List) and not any(
            isinstance(each, ast.Starred) for each in node.elts
        ):
            parts = [b"["]
            for each in node.elts:
                parts += [b"" if len(parts) == 1 else b",", *self._parts(each)]
            return [*parts, b"]"]
        if isinstance(node, ast.Constant) and isinstance(
            node.value, str | bool | int | float | None
        ):
            try:
                return [_text_of(node.value)]
            except (TypeError, ValueError):
                raise Unsupported(node, "a result that is no JSON") from None
        member = self.static(node) if isinstance(node, ast.Attribute) else None
        if isinstance(member, enum.Enum) and is_scalar(member.value):
            return [_text_of(member)]
        if isinstance(node, ast.Call):
            instance = self._instance(node)
            if instance is not None:
                return instance
        written = self.written_member(node)
        if written is not None:
            return [written]
        fields = self._fields_of(node)
        if fields is not None:
            return self._object(fields)
        path = self.path_of(node)
        if path and not self.tries and (self.types is None or self.types.is_plain(path)):
            return [_Copied(path, node)]
        register = self.code.temporary()
        self.into(node, register)
        return [register]

    def _is_instance(self, node: ast.Call) -> bool:
        kind = self.static(node.func)
        return isinstance(kind, type) and field_names(kind) is not None

    def _instance(self, node: ast.Call) -> list[_Part] | None:
        """As `_parts`, for an instance of a class; None if it is none that can be written."""
        kind = self.static(node.func)
        names = field_names(kind) if isinstance(kind, type) else None
        if names is None:
            return None
        keywords = {each.arg: each.value for each in node.keywords}
        given = dict(zip(names, node.args, strict=False)) | keywords
        if len(node.args) > len(names) or set(given) - set(names):
            raise Unsupported(node, f"a call of {ast.unparse(node.func)} with other arguments")
        fields: dict[str, ast.expr] = {}
        for name, (shown, default) in names.items():
            if name in given:
                value = given[name]
                assert value is not None
                fields[shown] = value
            elif is_scalar(default):
                fields[shown] = ast.copy_location(ast.Constant(default), node)
            else:
                raise Unsupported(node, f"the default of {name!r}")
        return self._object(fields)

    def _object(self, fields: dict[str, ast.expr]) -> list[_Part]:
        """As `_parts`, for an instance of a class, from its names in the JSON and their values."""
        self.code.emit("REFUSE_DATES")
        parts: list[_Part] = [b"{"]
        for shown, value in fields.items():
            parts += [b"" if len(parts) == 1 else b",", _text_of(shown), b":"]
            parts += self._parts(value)
        return [*parts, b"}"]

    def _fields_of(self, node: ast.expr) -> dict[str, ast.expr] | None:
        """Return what is written of an object of a declared class, by the names in the JSON.

        Returns:
            None if it is no such object, or may be None. It may also be a changed copy.
        """
        changed: dict[str, ast.expr] = {}
        owner = node
        if isinstance(node, ast.Call) and len(node.args) == 1:
            function = self.static(node.func)
            owner = node.args[0]
            is_dict = function is dataclasses.asdict and not node.keywords
            if not (is_dict or _replaces(function, self.class_of(owner))):
                return None
            changed = {each.arg: each.value for each in node.keywords if each.arg is not None}
            if len(changed) < len(node.keywords):
                raise Unsupported(node, "** in a call", "name the arguments")
        kind = self.class_of(owner)
        path = self.path_of(owner)
        if kind is None or path is None or self.types is None:
            return None
        names = written_names(kind)
        if names is None or (path and self.types.checks.get(path) != DICT):
            return None
        if set(changed) - set(names):
            raise Unsupported(node, f"a call of {ast.unparse(node)} with other arguments")
        return {
            shown: changed.get(name) or self._field(node, owner, name, path)
            for name, shown in names.items()
        }

    def _field(self, node: ast.expr, owner: ast.expr, name: str, path: Path) -> ast.expr:
        """Return the expression for a field of an object at a path, for a place in the source."""
        value: ast.expr = ast.Attribute(owner, name, ast.Load())
        if not path and name in self.assigned:
            value = ast.Name(self.assigned[name], ast.Load())
        return ast.copy_location(value, node)


def _replaces(function: Any, kind: type | None) -> bool:
    """Whether a function makes changed copies of instances of a class."""
    if kind is None:
        return False
    if dataclasses.is_dataclass(kind):
        is_usual = "__init__" in vars(kind) and all(each.init for each in dataclasses.fields(kind))
        return function is dataclasses.replace and is_usual
    # It need not be installed; Structs exist only where it has been imported.
    msgspec: Any = sys.modules.get("msgspec")
    return msgspec is not None and function is msgspec.structs.replace


def _text_of(value: object) -> bytes:
    return dump_line(value).removesuffix(b"\n")
