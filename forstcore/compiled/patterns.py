"""Regular expressions for programs: from the output of re's parser to regex_program.h."""

from __future__ import annotations

import functools
import re
import warnings
from array import array
from collections.abc import Sequence
from typing import Any

from forstcore._core.program import REGEX_CODES
from forstcore.compiled.character_sets import (
    ANY_BYTE,
    CharacterSet,
    character_set,
    first_byte,
    first_bytes,
)
from forstcore.compiled.pattern_parts import (
    REPEATS,
    UNITS,
    after_place,
    combined,
    deciding_bytes,
    fixed_range,
    is_itself,
    place,
    union,
    unit,
)
from forstcore.compiled.re_internals import missing, operations, parsed

__all__ = ["UnsupportedPattern", "pattern_integers"]

_NO_LIMIT = 0xFFFFFFFF
_MOST_GROUPS = 99
_MOST_LOOPS = 32
_MOST = 1 << 14  # Maximum number of instructions, sets and so on.
_MOST_DEPTH = 100
_MOST_UNROLLED = 64  # Instructions, of a part that comes several times.

_BACKREFS = {"BACKREF", "BACKREF_FOLDED", "BACKREF_FOLDED_ASCII", "IF_GROUP"}


class UnsupportedPattern(ValueError):
    """Raised for a regular expression that programs do not support; the message says why."""


@functools.lru_cache(maxsize=256)
def pattern_integers(pattern: re.Pattern[str]) -> array[int]:
    """Compile a regular expression; see regex_program.h for what the integers are.

    Raises:
        UnsupportedPattern: programs do not support it.
    """
    if not isinstance(pattern.pattern, str):
        raise UnsupportedPattern("a regular expression of bytes")
    if pattern.groups > _MOST_GROUPS:
        raise UnsupportedPattern("a regular expression with so many groups")
    if missing():
        raise UnsupportedPattern(f"a regular expression, as {missing()}")
    flags = pattern.flags & ~re.DEBUG
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # re warned when it compiled the pattern.
        parts = parsed(pattern.pattern, flags)
    try:
        return _PatternCompiler(parts, pattern).integers()
    except UnicodeEncodeError:
        raise UnsupportedPattern("a regular expression with a surrogate") from None


class _PatternCompiler:
    """Compile one pattern.

    A part of a pattern is compiled together with `follow`: the set of the bytes that may follow
    it, including NO_BYTE for the end of the text.
    """

    def __init__(self, parts: Any, pattern: re.Pattern[str]) -> None:
        self._parsed = parts
        self._items = list(parts)
        self._pattern = pattern
        self._ops: list[list[int | str]] = []
        self._sets: dict[CharacterSet, int] = {}
        self._loops: list[tuple[int, int]] = []
        self._text = bytearray()
        self._firsts: dict[tuple[int, int, int], int] = {}  # by parts of what was parsed
        self._depth = 0

    def integers(self) -> array[int]:
        """Return the integers for the loader."""
        flags = self._parsed.state.flags
        self._sequence(self._items, flags, ANY_BYTE)
        self._emit("MATCH")
        prefix = self._take_prefix()
        first = self._first_set(self._first(self._items, flags, ANY_BYTE))
        second = 0
        if prefix:
            behind = self._behind_prefix(flags)
            second = self._first_set(self._first(behind, flags, ANY_BYTE))
        fixed = fixed_range(self._items, flags, prefix) if prefix else (0, 0, 0)
        names = []
        for name, group in self._pattern.groupindex.items():
            names += [group, *self._put_text(name.encode())]
        head = [
            len(self._ops),
            0,  # Sets: there may be more.
            len(self._loops),
            len(self._pattern.groupindex),
            len(self._text),
            self._pattern.groups,
            prefix,
            first,
            second,
            int(self._is_anchored()),
            self._run_set(),
            min(self._parsed.getwidth()[0], _NO_LIMIT),
            *fixed,
        ]
        head[1] = len(self._sets)
        if max(head[:5]) > _MOST or len(self._loops) > _MOST_LOOPS:
            raise UnsupportedPattern("a regular expression that is so long")
        integers = array("I", head)
        for each in self._sets:
            integers.extend(each.integers())
        for code, *operands in self._ops:
            integers.append(REGEX_CODES[str(code)])
            integers.extend(int(operand) for operand in operands)
        for least, most in self._loops:
            integers.extend((least, most))
        integers.extend(names)
        integers.extend(self._text)
        return integers

    # Instructions.

    def _emit(self, name: str, a: int = 0, b: int = 0, c: int = 0, *, set: int = 0) -> int:
        """Add an instruction; return its number."""
        self._ops.append([name, set, a, b, c])
        return len(self._ops) - 1

    def _here(self) -> int:
        return len(self._ops)

    def _patch(self, op: int, operand: str, value: int) -> None:
        self._ops[op]["_sabc".index(operand)] = value

    def _set(self, characters: CharacterSet) -> int:
        return self._sets.setdefault(characters, len(self._sets) + 1)

    def _first_set(self, bytes_: int) -> int:
        """Return the number of a set of bytes; 0 if it has all of them."""
        return 0 if bytes_ == ANY_BYTE else self._set(CharacterSet(bytes_))

    def _put_text(self, text: bytes) -> tuple[int, int]:
        start = self._text.find(text)
        if start < 0:
            start = len(self._text)
            self._text += text
        return start, len(text)

    # First bytes.

    def _first(self, items: Sequence[Any], flags: int, follow: int) -> int:
        """Return a set of bytes that has those which items can begin with."""
        key = (id(items), flags, follow)
        if key not in self._firsts:
            for op, value in reversed(items):
                follow = self._first_of(op, value, flags, follow)
            self._firsts[key] = follow
        return self._firsts[key]

    def _first_of(self, op: Any, value: Any, flags: int, follow: int) -> int:
        if op is operations.LITERAL and not flags & re.IGNORECASE:
            return 1 << first_byte(value)
        if op in UNITS:
            return first_bytes(character_set(op, value, flags))
        if op is operations.SUBPATTERN:
            _, added, removed, items = value
            return self._first(items, combined(flags, added, removed), follow)
        if op is operations.BRANCH:
            return union(self._first(items, flags, follow) for items in value[1])
        if op in REPEATS:
            least, _, items = value
            again = self._first(items, flags, follow) | follow
            first = self._first(items, flags, again)
            return first if least > 0 else first | follow
        if op is operations.ATOMIC_GROUP:
            return self._first(value, flags, follow)
        if op is operations.ASSERT and value[0] > 0:
            return self._first(value[1], flags, ANY_BYTE) & follow
        if op is operations.AT:
            return follow & after_place(value, flags)
        if op is operations.GROUPREF:
            return ANY_BYTE
        if op is operations.GROUPREF_EXISTS:
            _, yes, no = value
            first = self._first(yes, flags, follow)
            return first | (self._first(no, flags, follow) if no else follow)
        if op is operations.FAILURE:
            return 0
        return follow

    # Parts of the pattern.

    def _sequence(self, items: Sequence[Any], flags: int, follow: int) -> None:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise UnsupportedPattern("a regular expression that is nested so deeply")
        follows = [follow]
        for op, value in reversed(items[1:]):
            follows.append(self._first_of(op, value, flags, follows[-1]))
        literal = b""
        for op, value in items:
            behind = follows.pop()
            if op is operations.LITERAL and is_itself(value, flags):
                literal += chr(value).encode()
                continue
            self._literal(literal)
            literal = b""
            self._item(op, value, flags, behind)
        self._literal(literal)
        self._depth -= 1
        if len(self._ops) > _MOST:
            raise UnsupportedPattern("a regular expression that is so long")

    def _literal(self, text: bytes) -> None:
        if len(text) == 1:
            self._emit("BYTE", text[0])
        elif text:
            self._emit("TEXT", *self._put_text(text))

    def _item(self, op: Any, value: Any, flags: int, follow: int) -> None:
        if op in UNITS:
            self._emit("SET", set=self._set(character_set(op, value, flags)))
        elif op is operations.SUBPATTERN:
            group, added, removed, items = value
            if group is not None:
                self._emit("MARK", 2 * group)
            self._sequence(items, combined(flags, added, removed), follow)
            if group is not None:
                self._emit("MARK", 2 * group + 1)
        elif op is operations.BRANCH:
            self._branch(value[1], flags, follow)
        elif op in REPEATS:
            least, most, repeated = value
            self._repeat(op, least, most, repeated, flags, follow)
        elif op is operations.ATOMIC_GROUP:
            start = self._emit("ATOMIC")
            self._sequence(value, flags, ANY_BYTE)
            self._emit("ATOMIC_END")
            self._patch(start, "a", self._here())
        elif op in (operations.ASSERT, operations.ASSERT_NOT):
            direction, looked_for = value
            name = "LOOK" if op is operations.ASSERT else "LOOK_NOT"
            self._look(name, direction, looked_for, flags)
        elif op is operations.AT:
            self._emit(place(value, flags))
        elif op is operations.GROUPREF:
            name = "BACKREF"
            if flags & re.IGNORECASE:
                name = "BACKREF_FOLDED_ASCII" if flags & re.ASCII else "BACKREF_FOLDED"
            self._emit(name, value)
        elif op is operations.GROUPREF_EXISTS:
            group, yes, no = value
            self._condition(group, yes, no, flags, follow)
        elif op is operations.FAILURE:
            self._emit("FAIL")
        else:
            raise UnsupportedPattern(f"{str(op).lower()} in a regular expression")

    def _branch(self, alternatives: Sequence[Any], flags: int, follow: int) -> None:
        firsts = [self._first(items, flags, follow) for items in alternatives]
        ends = []
        for i, items in enumerate(alternatives[:-1]):
            rest = union(firsts[i + 1 :])
            start = self._emit(
                "ALTERNATIVE", 0, self._first_set(rest), set=self._first_set(firsts[i])
            )
            self._sequence(items, flags, follow)
            ends.append(self._emit("JUMP"))
            self._patch(start, "a", self._here())
        self._sequence(alternatives[-1], flags, follow)
        for end in ends:
            self._patch(end, "a", self._here())

    def _look(self, name: str, direction: int, items: Any, flags: int) -> None:
        back = items.getwidth()[0] if direction < 0 else 0
        decides = deciding_bytes(items, flags) if name == "LOOK" and direction > 0 else 0
        if decides:
            first = self._first_set(self._first(items, flags, ANY_BYTE))
            decision = self._emit("DECIDE", 0, first, set=self._first_set(decides))
        start = self._emit(name, 0, back)
        self._sequence(items, flags, ANY_BYTE)
        self._emit(f"{name}_END")
        self._patch(start, "a", self._here())
        if decides:
            self._patch(decision, "a", self._here())

    def _condition(self, group: int, yes: Any, no: Any, flags: int, follow: int) -> None:
        start = self._emit("IF_GROUP", group)
        self._sequence(yes, flags, follow)
        if no:
            end = self._emit("JUMP")
            self._patch(start, "b", self._here())
            self._sequence(no, flags, follow)
            self._patch(end, "a", self._here())
        else:
            self._patch(start, "b", self._here())

    # Repetition.

    def _repeat(self, op: Any, least: int, most: Any, items: Any, flags: int, follow: int) -> None:
        limit = _NO_LIMIT if most == operations.MAXREPEAT else int(most)
        character = unit(items, flags)
        if character is not None:
            self._repeat_unit(REPEATS[op], character, least, limit, follow)
        elif op is operations.POSSESSIVE_REPEAT:
            raise UnsupportedPattern("a possessive quantifier behind a group")
        elif least == limit and self._unroll(items, flags, least, follow):
            pass
        elif (least, limit) == (0, 1):
            self._maybe(op is operations.MIN_REPEAT, items, flags, follow)
        elif limit == _NO_LIMIT and least <= 1 and items.getwidth()[0] > 0:
            self._repeat_any(op is operations.MIN_REPEAT, least, items, flags, follow)
        else:
            self._count(op is operations.MIN_REPEAT, least, limit, items, flags, follow)

    def _repeat_unit(
        self, name: str, unit: tuple[Any, Any, int], least: int, limit: int, follow: int
    ) -> None:
        characters = character_set(*unit)
        if least == limit == 1:
            self._emit("SET", set=self._set(characters))
            return
        if not first_bytes(characters) & follow or least == limit:
            # The rest cannot match as long as there are more characters of the set.
            name = "POSSESSIVE"
        behind = 0 if name == "POSSESSIVE" else self._first_set(follow)
        self._emit(name, least, limit, behind, set=self._set(characters))

    def _unroll(self, items: Any, flags: int, count: int, follow: int) -> bool:
        """Emit a part several times, if that does not get too long."""
        again = self._first(items, flags, follow) | follow
        start, loops = self._here(), len(self._loops)
        for i in range(count):
            self._sequence(items, flags, again if i < count - 1 else follow)
            if self._here() - start > _MOST_UNROLLED and i < count - 1:
                del self._ops[start:]
                del self._loops[loops:]
                return False
        return True

    def _maybe(self, lazy: bool, items: Any, flags: int, follow: int) -> None:
        first = self._first_set(self._first(items, flags, follow))
        behind = self._first_set(follow)
        if lazy:
            start = self._emit("ALTERNATIVE", 0, first, set=behind)
            end = self._emit("JUMP")
            self._patch(start, "a", self._here())
        else:
            end = self._emit("ALTERNATIVE", 0, behind, set=first)
        self._sequence(items, flags, follow)
        self._patch(end, "a", self._here())

    def _repeat_any(self, lazy: bool, least: int, items: Any, flags: int, follow: int) -> None:
        """Emit any number of repetitions of a part that never matches the empty text."""
        first = self._first(items, flags, ANY_BYTE)
        again, behind = self._first_set(first), self._first_set(follow)
        start = self._here()
        if least == 0:
            choice = self._choose(lazy, again, behind)
            self._sequence(items, flags, first | follow)
            self._emit("JUMP", start)
        else:
            self._sequence(items, flags, first | follow)
            choice = self._choose(lazy, again, behind)
            self._emit("JUMP", start)
        self._patch(choice, "a", self._here())

    def _choose(self, lazy: bool, again: int, behind: int) -> int:
        """Emit the choice between the next part and the rest; return the instruction to patch."""
        if not lazy:
            return self._emit("ALTERNATIVE", 0, behind, set=again)
        start = self._emit("ALTERNATIVE", 0, again, set=behind)
        end = self._emit("JUMP")
        self._patch(start, "a", self._here())
        return end

    def _count(
        self, lazy: bool, least: int, limit: int, items: Any, flags: int, follow: int
    ) -> None:
        loop = len(self._loops)
        self._loops.append((least, limit))
        start = self._emit("LOOP", loop)
        body = self._here()
        again = self._first(items, flags, follow) | follow
        self._sequence(items, flags, again)
        self._patch(start, "b", self._here())
        if lazy:
            until = self._emit("UNTIL_LAZY", loop, body)
            end = self._emit("JUMP")
            self._patch(until, "c", self._emit("AGAIN", loop, body))
            self._patch(end, "a", self._here())
        else:
            self._emit("UNTIL", loop, body)

    # Searching.

    def _take_prefix(self) -> int:
        """Make the first instruction the literal text that a search looks for; return its size."""
        if len(self._behind_prefix(self._parsed.state.flags)) == len(self._items):
            return 0
        name, _, a, b, _ = self._ops[0]
        if name == "BYTE":
            self._ops[0] = ["TEXT", 0, *self._put_text(bytes([int(a)])), 0]
            return 1
        return int(b)

    def _behind_prefix(self, flags: int) -> list[Any]:
        """Return the rest after the literal text at the start."""
        count = 0
        for op, value in self._items:
            if op is not operations.LITERAL or not is_itself(value, flags):
                break
            count += 1
        return self._items[count:]

    def _is_anchored(self) -> bool:
        at = next(i for i, op in enumerate(self._ops) if op[0] != "MARK")
        return self._ops[at][0] == "START"

    def _run_set(self) -> int:
        """Return the set of a run of characters that the pattern begins with, whose length is free.

        If the rest does not match after such a run, it does not match from a later start in it.
        """
        at = next(i for i, op in enumerate(self._ops) if op[0] != "MARK")
        name, characters, _, most, _ = self._ops[at]
        if name not in REPEATS.values() or most != _NO_LIMIT:
            return 0
        if any(op[0] in _BACKREFS for op in self._ops):
            return 0
        return int(characters)
