"""Putting a program together: instructions, registers, labels and what they refer to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from forstcore._core.program import OPCODES, Program
from forstcore.compiled.patterns import pattern_integers
from forstcore.compiled.places import Place

__all__ = ["Assembler", "FunctionCode", "Label", "Mark"]

# Until the program is whole, temporary registers and those of constants have numbers from here on.
_TEMPORARIES = 1 << 20
_CONSTANTS = 1 << 21


class Label:
    """A place in the program that instructions jump to."""

    def __init__(self) -> None:
        self.at = -1


class FunctionCode(NamedTuple):
    """Where the code of a function that calls itself begins and ends."""

    start: Label
    end: Label


class Mark(NamedTuple):
    """A state of the assembler to return to."""

    instructions: int
    temporaries: int
    handlers: int


class Assembler:
    """Collects the parts of a program.

    Variables have registers of their own, and so have constants, which are there from the start;
    temporaries are used again once `release` is called.
    """

    def __init__(self) -> None:
        self.source_place: Place | None = None  # that instructions belong to
        self._places: list[Place | None] = []
        self._code: list[tuple[str, tuple[int | Label, ...]]] = []
        self._constants: dict[Any, int] = {}
        self._values: list[Any] = []
        self._paths: dict[tuple[str, ...], int] = {}
        self._pieces: dict[bytes, int] = {}
        self._handlers: list[tuple[Label, Label, Label, int]] = []
        self._variables = 0
        self._temporaries = 0
        self._most_temporaries = 0

    # Registers.

    def variable(self) -> int:
        """Return a register that has no value when the program starts."""
        self._variables += 1
        return self._variables - 1

    def temporary(self, count: int = 1) -> int:
        """Return the first of `count` registers in a row."""
        first = self._temporaries
        self._temporaries += count
        self._most_temporaries = max(self._most_temporaries, self._temporaries)
        return _TEMPORARIES + first

    def is_temporary(self, register: int) -> bool:
        return _TEMPORARIES <= register < _CONSTANTS

    # What instructions refer to.

    def constant(self, value: Any) -> int:
        """Return the number of a constant."""
        key = _key_of(value)
        if key not in self._constants:
            self._constants[key] = len(self._values)
            self._values.append(value)
        return self._constants[key]

    def constant_register(self, value: Any) -> int:
        """Return the register of a constant, which is read-only."""
        return _CONSTANTS + self.constant(value)

    def path(self, names: tuple[str, ...]) -> int:
        """Return the number of a path; the paths that lead to it have lower ones."""
        if len(names) > 1:
            self.path(names[:-1])
        return self._paths.setdefault(names, len(self._paths))

    def piece(self, text: bytes) -> int:
        return self._pieces.setdefault(text, len(self._pieces))

    # Instructions.

    def emit(self, name: str, *operands: int | Label) -> None:
        self._code.append((name, operands))
        self._places.append(self.source_place)

    def place(self, label: Label) -> None:
        """Let a label be the next instruction."""
        label.at = len(self._code)

    def here(self) -> Label:
        label = Label()
        self.place(label)
        return label

    def each(self, iterable: int, body: Callable[[int], None]) -> None:
        """Emit a loop; `body` emits what is done with an item, of which it gets the register."""
        iterator, item, end = self.temporary(), self.temporary(), Label()
        self.emit("ITERATE", iterator, iterable)
        start = self.here()
        self.emit("NEXT", item, iterator, end)
        body(item)
        self.emit("JUMP", start)
        self.place(end)

    @contextmanager
    def function(self) -> Iterator[FunctionCode]:
        """Collect the code of a function that calls itself; all registers taken here are its own.

        It begins where `start` is placed.
        """
        function = FunctionCode(Label(), Label())
        variables, temporaries = self._variables, self._temporaries
        most, self._most_temporaries = self._most_temporaries, temporaries
        try:
            yield function
            self.emit("LEAVE")
            self.place(function.end)
            self.emit("FUNCTION", variables, self._variables - variables, function.start)
            count = self._most_temporaries - temporaries
            self.emit("TEMPORARIES", _TEMPORARIES + temporaries, count)
        finally:
            self._most_temporaries = max(self._most_temporaries, most)

    def handle(self, start: Label, end: Label, target: Label, statuses: int) -> None:
        """Let exceptions from `start` to `end` go on at `target`; call it for inner ones first."""
        self._handlers.append((start, end, target, statuses))

    def mark(self) -> Mark:
        return Mark(len(self._code), self._temporaries, len(self._handlers))

    def undo(self, mark: Mark) -> None:
        """Forget what has been emitted since."""
        del self._code[mark.instructions :]
        del self._places[mark.instructions :]
        del self._handlers[mark.handlers :]
        self._temporaries = mark.temporaries

    def release(self, mark: Mark) -> None:
        """Use the temporaries again that have been taken since."""
        self._temporaries = mark.temporaries

    def finish(self) -> Program:
        """Return the program.

        Raises:
            ValueError: it is too long, or has a constant that cannot be one.
        """
        code: list[int] = []
        for name, operands in [*self._code, ("FINISH", ())]:
            number, kinds = OPCODES[name]
            code.append(number)
            for i, kind in enumerate(kinds):
                operand = operands[i] if i < len(operands) else 0
                code.append(self._resolved(operand, kind))
        handlers = [
            (start.at, end.at, target.at, statuses)
            for start, end, target, statuses in self._handlers
        ]
        registers = self._variables + self._most_temporaries + len(self._values)
        if max(len(code) // 4, registers) > 0xFFFF:
            raise ValueError("the function is too long")
        return Program(
            code,
            self._values,
            list(self._paths),
            list(self._pieces),
            handlers,
            registers,
            self._variables,
            [*self._places, None],
            pattern_integers,
        )

    def _resolved(self, operand: int | Label, kind: str) -> int:
        if isinstance(operand, Label):
            return operand.at
        if kind in "rw" and operand >= _CONSTANTS:
            return operand - _CONSTANTS + self._variables + self._most_temporaries
        if kind in "rw" and operand >= _TEMPORARIES:
            return operand - _TEMPORARIES + self._variables
        return operand


def _key_of(value: Any) -> Any:
    """Return what tells constants apart: 1, 1.0 and True are three, and so are 0.0 and -0.0."""
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return type(value), repr(value)
    return "object", id(value)
