"""Putting a program together: instructions, registers, labels and what they refer to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from forstcore._core.program import FUNCTIONS, NO_VALUE, OPCODES, Program
from forstcore.compiled.patterns import pattern_integers
from forstcore.compiled.places import Place
from forstcore.compiled.source import MISSING

__all__ = ["Assembler", "FunctionCode", "Label", "Mark"]

# Until the program is whole, other registers than variables have numbers from here on.
_TEMPORARIES = 1 << 20
_CONSTANTS = 1 << 21
_ROWS = 1 << 22

# So many constants may be in a program before rows consist of temporaries, which are used again.
_MOST_CONSTANTS = 0x4000

# Functions that return an item of what others return.
_ITEMS: dict[tuple[object, object], int] = {
    (FUNCTIONS[f".{name}"][0], index): FUNCTIONS[f"<{name} {index % 3}>"][0]
    for name in ("partition", "rpartition")
    for index in (0, 2, -1, -3)
}


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
    temporaries are used again once `release` is called. A row of registers with constants among
    them has them there from the start, too, so it belongs to one instruction.
    """

    def __init__(self) -> None:
        self.source_place: Place | None = None  # that instructions belong to
        self._places: list[Place | None] = []
        self._code: list[tuple[str, tuple[int | Label, ...]]] = []
        self._constants: dict[Any, int] = {}
        self._values: list[Any] = []
        self._paths: dict[tuple[str, ...], int] = {}
        self._pieces: dict[bytes, int] = {}
        self.classes: dict[type, int] = {}  # the constants that describe them; see instances.py
        self._handlers: list[tuple[Label, Label, Label, int]] = []
        self._placed = -1  # the last instruction that a label leads to
        self._variables = 0
        self._temporaries = 0
        self._most_temporaries = 0
        self._functions = 0  # that call themselves, around this place

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

    def row(self, values: Sequence[Any]) -> int:
        """Return the first of several registers in a row, at least one, for one instruction.

        Args:
            values: the constants in it, NO_VALUE for a register that is to have no value, and
                MISSING for one whose value is still to be computed.
        """
        known = [i for i, value in enumerate(values) if value is not MISSING]
        # Each call of a function that calls itself needs registers of its own.
        if known and not self._functions and len(self._values) < _MOST_CONSTANTS:
            first = _ROWS + len(self._values)
            self._values += [NO_VALUE if value is MISSING else value for value in values]
            return first
        first = self.temporary(max(len(values), 1))
        for i in known:
            if values[i] is NO_VALUE:
                self.emit("UNSET", first + i)
            else:
                self.emit("CONSTANT", first + i, self.constant(values[i]))
        return first

    def is_temporary(self, register: int) -> bool:
        """Return whether a register is not one that expressions read: of a variable or constant."""
        return _TEMPORARIES <= register < _CONSTANTS or register >= _ROWS

    # Data that instructions refer to.

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

    def value_of(self, register: int) -> Any:
        """Return the constant that has a register; MISSING if it is that of something else."""
        return self._values[register - _CONSTANTS] if _CONSTANTS <= register < _ROWS else MISSING

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
        label.at = self._placed = len(self._code)

    def here(self) -> Label:
        label = Label()
        self.place(label)
        return label

    def take_item(self, register: int, index: int | None, to: int) -> bool:
        """Let the call that was emitted last return only an item of its result.

        Args:
            register: a temporary with the result, of which nothing else is needed.
            index: of the item; None if it is not known.
            to: register of the item.

        Returns:
            Whether there is a function that does so.
        """
        if not self._code or self._placed == len(self._code):
            return False
        name, operands = self._code[-1]
        if name != "CALL" or operands[0] != register:
            return False
        function = _ITEMS.get((operands[1], index))
        if function is None or not self.is_temporary(register):
            return False
        self._code[-1] = name, (to, function, operands[2])
        return True

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
        self._functions += 1
        try:
            yield function
            self.emit("LEAVE")
            self.place(function.end)
            self.emit("FUNCTION", variables, self._variables - variables, function.start)
            count = self._most_temporaries - temporaries
            self.emit("TEMPORARIES", _TEMPORARIES + temporaries, count)
        finally:
            self._functions -= 1
            self._most_temporaries = max(self._most_temporaries, most)

    def handle(self, start: Label, end: Label, target: Label, statuses: int) -> None:
        """Handle exceptions from `start` to `end` at `target`; call it for inner ones first."""
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
        self._drop_repeated_checks()
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
            self.classes,
        )

    def _drop_repeated_checks(self) -> None:
        """Drop each check that a path exists whose value is loaded next, which checks that, too."""
        operands = [each for _, operands in self._code for each in operands]
        labels = {each for each in operands if isinstance(each, Label)}
        labels.update(label for handler in self._handlers for label in handler[:3])
        reached = {label.at for label in labels}
        kept: list[int] = []
        moved: list[int] = []  # for each instruction, where it will be
        for at, (name, checked) in enumerate(self._code):
            moved.append(len(kept))
            next_name, loaded = self._code[at + 1] if at + 1 < len(self._code) else ("FINISH", ())
            is_repeated = name == "REQUIRE" and next_name == "LOAD" and loaded[1:] == checked
            if not is_repeated or at + 1 in reached:
                kept.append(at)
        moved.append(len(kept))
        for label in labels:
            label.at = moved[label.at]
        self._code = [self._code[at] for at in kept]
        self._places = [self._places[at] for at in kept]

    def _resolved(self, operand: int | Label, kind: str) -> int:
        if isinstance(operand, Label):
            return operand.at
        if kind in "rw" and operand >= _CONSTANTS:
            constants = self._variables + self._most_temporaries
            return operand - (_ROWS if operand >= _ROWS else _CONSTANTS) + constants
        if kind in "rw" and operand >= _TEMPORARIES:
            return operand - _TEMPORARIES + self._variables
        return operand


def _key_of(value: Any) -> Any:
    """Return what tells constants apart: 1, 1.0 and True are three, and so are 0.0 and -0.0."""
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return type(value), repr(value)
    return "object", id(value)
