"""What a handler may know of an exception: its text, its argument and the name of its class.

Registers have them from the place that raises an exception to the handler. They are only set for
exceptions whose text is certain: those of `raise`, of a missing member, of numbers from texts and
of divisions by zero. A handler that uses the text of another one gives the record back.
"""

from __future__ import annotations

import ast
import copy
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, NamedTuple

from forstcore._core.program import FUNCTIONS
from forstcore.compiled.assembler import Label
from forstcore.compiled.base import Base
from forstcore.compiled.scope import Path
from forstcore.compiled.statuses import RAISED
from forstcore.compiled.type_bits import BITS

__all__ = ["ExceptionTexts", "Known", "uses_of"]

_SCALARS: Final = sum(BITS[kind] for kind in (type(None), bool, int, float, str))
_NUMBER_TEXTS: Final = {
    "int": "invalid literal for int() with base 10: ",
    "float": "could not convert string to float: ",
}
_MOST_OF_INT: Final = 200  # characters of the text that the message of int() shows
_DIVISIONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "DIVIDE": operator.truediv,
    "FLOOR_DIVIDE": operator.floordiv,
    "MODULO": operator.mod,
}


class Known(NamedTuple):
    """Registers about an exception; without a value where nothing is certain.

    Attributes:
        text: what str() makes of it.
        argument: its only argument.
        name: of its class.
    """

    text: int
    argument: int
    name: int


class ExceptionTexts(Base):
    """Keep what is certain about exceptions where a handler uses it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.known: Known | None = None  # of the exception being raised, in a try that uses it

    @contextmanager
    def _telling(self, kind: type, tell: Callable[[], None]) -> Iterator[None]:
        """Keep what is certain about an exception of the instruction emitted in the block.

        Args:
            kind: its class.
            tell: emits code that does so; registers that the instruction reads are unchanged.
        """
        start = self.code.here()
        yield
        if self.known is None:
            return
        behind = Label()
        self.code.emit("JUMP", behind)
        target = self.code.here()
        with self.temporaries():
            tell()
        self.code.emit("RAISE", RAISED[kind])
        self.code.handle(start, target, target, 1 << RAISED[kind])
        self.code.place(behind)

    def new_known(self) -> Known:
        return Known(self.code.variable(), self.code.variable(), self.code.variable())

    def forget(self) -> None:
        """Emit code after which nothing is known."""
        for register in self.known or ():
            self.code.emit("UNSET", register)

    def take_known(self, to: Known) -> None:
        """Emit the beginning of a handler, in which its exception is known."""
        assert self.known is not None
        for register, mine in zip(self.known, to, strict=True):
            self.code.emit("MOVE", mine, register)
        self.forget()

    def tell(self, kind: type, argument: int | None) -> None:
        """Emit code that keeps what is certain about an exception with one argument or none."""
        assert self.known is not None
        self.constant(kind.__name__, self.known.name)
        if argument is None:
            self.constant("", self.known.text)
            return
        unknown = Label()
        with self.temporaries():
            test = self.code.temporary()
            self.code.emit("IS_A", test, argument, _SCALARS)
            self.code.emit("JUMP_UNLESS", test, unknown)
            self.code.emit("MOVE", self.known.argument, argument)
            function = "repr" if issubclass(kind, KeyError) else "str"
            self._call(function, argument, self.known.text)
        self.code.place(unknown)

    def tell_text(self, kind: type, text: int) -> None:
        """Emit code that keeps a text, the only argument of an exception."""
        assert self.known is not None
        self.constant(kind.__name__, self.known.name)
        self.code.emit("MOVE", self.known.argument, text)
        self.code.emit("MOVE", self.known.text, text)

    # Instructions that raise exceptions whose text is certain.

    def load_path(self, path: Path, to: int) -> None:
        """Emit the value of the record at a path."""
        with self._telling(KeyError, partial(self._tell_missing, path)):
            self.code.emit("LOAD", to, self.code.path(path))

    def get_item(self, to: int, container: int, key: int) -> None:
        with self._telling(KeyError, partial(self.tell, KeyError, key)):
            self.code.emit("GET_ITEM", to, container, key)

    def number_from(self, function: str, argument: int, to: int) -> None:
        """Emit int() or float() of a register that nothing else writes to."""
        with self._telling(ValueError, partial(self._tell_number, function, argument)):
            self.code.emit("CALL", to, FUNCTIONS[function][0], argument)

    def unpack(self, register: int, first: int, count: int) -> None:
        """Emit the items of a register into `count` registers from `first` on."""
        with self._telling(ValueError, partial(self._tell_missing_items, register, count)):
            self.code.emit("UNPACK", register, first, count)

    def raise_no_member(self, value: int, kind: type) -> None:
        """Emit the exception of a value that no member of an enumeration has."""
        if self.known is not None:
            with self.temporaries():
                text = self.code.temporary()
                self._call("repr", value, text)
                known = self.constant(f" is not a valid {kind.__qualname__}")
                self.code.emit("ADD", text, text, known)
                self.tell_text(ValueError, text)
        self.code.emit("RAISE", RAISED[ValueError])

    def operate(self, name: str, to: int, left: int, right: int) -> None:
        """Emit a binary operation."""
        if name not in _DIVISIONS:
            self.code.emit(name, to, left, right)
            return
        with self._telling(ZeroDivisionError, partial(self._tell_division, name, left, right)):
            self.code.emit(name, to, left, right)

    def _tell_missing(self, names: Path) -> None:
        """Emit code that keeps which member of a path is missing."""
        found = Label()
        for count in range(1, len(names)):
            with self.temporaries():
                test, present = self.code.temporary(), Label()
                self.code.emit("HAS", test, self.code.path(names[:count]), 0)
                self.code.emit("JUMP_IF", test, present)
                self.tell(KeyError, self.constant(names[count - 1]))
                self.code.emit("JUMP", found)
                self.code.place(present)
        self.tell(KeyError, self.constant(names[-1]))
        self.code.place(found)

    def _tell_number(self, function: str, text: int) -> None:
        """Emit code that keeps why a text is no number.

        Args:
            function: int or float.
            text: register of the argument, which may be of another type.
        """
        unknown = Label()
        test, shown = self.code.temporary(), self.code.temporary()
        self.code.emit("IS_A", test, text, BITS[str])
        self.code.emit("JUMP_UNLESS", test, unknown)
        self._call("repr", text, shown)
        if function == "int":
            self._call("len", shown, test)
            self.code.emit("GREATER", test, test, self.constant(_MOST_OF_INT))
            self.code.emit("JUMP_IF", test, unknown)
        self.code.emit("ADD", shown, self.constant(_NUMBER_TEXTS[function]), shown)
        self.tell_text(ValueError, shown)
        self.code.place(unknown)

    def _tell_division(self, name: str, left: int, right: int) -> None:
        """Emit code that keeps how Python calls a division by zero, which depends on its version.

        Args:
            name: of the instruction.
            left, right: registers of the operands.
        """
        is_float, end = Label(), Label()
        test = self.code.temporary()
        for register in (left, right):
            self.code.emit("IS_A", test, register, BITS[int] | BITS[float])
            self.code.emit("JUMP_UNLESS", test, end)
        for register in (left, right):
            self.code.emit("IS_A", test, register, BITS[float])
            self.code.emit("JUMP_IF", test, is_float)
        self.tell_text(ZeroDivisionError, self.constant(_division_text(name, 1, 0)))
        self.code.emit("JUMP", end)
        self.code.place(is_float)
        self.tell_text(ZeroDivisionError, self.constant(_division_text(name, 1.0, 0.0)))
        self.code.place(end)

    def _tell_missing_items(self, register: int, count: int) -> None:
        """Emit code that keeps how many items are missing; that of too many depends on Python."""
        end, test, length = Label(), self.code.temporary(), self.code.temporary()
        self.code.emit("IS_A", test, register, BITS[list] | BITS[tuple])
        self.code.emit("JUMP_UNLESS", test, end)
        self._call("len", register, length)
        for got in range(count):
            other = Label()
            self.code.emit("EQUAL", test, length, self.constant(got))
            self.code.emit("JUMP_UNLESS", test, other)
            text = f"not enough values to unpack (expected {count}, got {got})"
            self.tell_text(ValueError, self.constant(text))
            self.code.emit("JUMP", end)
            self.code.place(other)
        self.code.place(end)

    def _call(self, name: str, argument: int, to: int) -> None:
        """Emit the call of a function of one argument."""
        with self.temporaries():
            block = self.code.temporary()
            self.code.emit("MOVE", block, argument)
            self.code.emit("CALL", to, FUNCTIONS[name][0], block)


def _division_text(name: str, left: float, right: float) -> str:
    try:
        _DIVISIONS[name](left, right)
    except ZeroDivisionError as error:
        return str(error)
    raise AssertionError(name)


class _Uses(ast.NodeTransformer):
    """Replaces uses of an exception by variables.

    Args:
        name: of the exception.
        text, argument, kind: the variables.
    """

    def __init__(self, name: str, text: str, argument: str, kind: str) -> None:
        self._name = name
        self._text = text
        self._argument = argument
        self._kind = kind

    def _is_it(self, node: ast.expr | None) -> bool:
        return isinstance(node, ast.Name) and node.id == self._name

    def _variable(self, name: str, node: ast.expr) -> ast.expr:
        return ast.copy_location(ast.Name(name, ast.Load()), node)

    def _shown(self, node: ast.expr) -> ast.expr:
        """Return the repr() of the exception, which has one argument."""
        parts = [
            ast.FormattedValue(self._variable(self._kind, node), -1, None),
            ast.Constant("("),
            ast.FormattedValue(self._variable(self._argument, node), ord("r"), None),
            ast.Constant(")"),
        ]
        joined = ast.JoinedStr([ast.copy_location(each, node) for each in parts])
        return ast.copy_location(joined, node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        match node:
            case ast.Call(func=ast.Name(id="str"), args=[value], keywords=[]) if self._is_it(value):
                return self._variable(self._text, node)
            case ast.Call(func=ast.Name(id="repr"), args=[value], keywords=[]) if self._is_it(
                value
            ):
                return self._shown(node)
        self.generic_visit(node)
        return node

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.expr:
        is_plain = node.conversion == -1 and node.format_spec is None
        if self._is_it(node.value) and (is_plain or node.conversion == ord("s")):
            text = self._variable(self._text, node.value)
            return ast.copy_location(ast.FormattedValue(text, -1, node.format_spec), node)
        if self._is_it(node.value) and node.conversion == ord("r"):
            shown = self._shown(node.value)
            return ast.copy_location(ast.FormattedValue(shown, -1, node.format_spec), node)
        self.generic_visit(node)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        match node:
            case ast.Subscript(value=ast.Attribute(value=owner, attr="args"), slice=place):
                is_first = isinstance(place, ast.Constant) and place.value == 0
                if self._is_it(owner) and is_first:
                    return self._variable(self._argument, node)
        self.generic_visit(node)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if node.attr == "__name__":
            match node.value:
                case ast.Call(func=ast.Name(id="type"), args=[value], keywords=[]):
                    if self._is_it(value):
                        return self._variable(self._kind, node)
                case ast.Attribute(value=value, attr="__class__") if self._is_it(value):
                    return self._variable(self._kind, node)
        self.generic_visit(node)
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.stmt:
        self.generic_visit(node)
        if self._is_it(node.cause):
            node.cause = None
        return node


def uses_of(handler: ast.ExceptHandler, names: tuple[str, str, str]) -> list[ast.stmt]:
    """Return the statements of a handler with variables for what it uses of its exception.

    Args:
        handler: it is not changed.
        names: of the variables for the text, the argument and the name of the class.
    """
    assert handler.name is not None
    uses = _Uses(handler.name, *names)
    return [uses.visit(copy.deepcopy(each)) for each in handler.body]
