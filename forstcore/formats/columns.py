"""The types of columns, inferred from values."""

from __future__ import annotations

from typing import Any, Final, Literal

__all__ = ["KINDS", "MOST_DEPTH", "SAMPLE", "Column", "ColumnError", "Kind"]

SAMPLE: Final = 16 << 20
"""Bytes of results whose values decide the types of columns."""

Kind = Literal["boolean", "integer", "number", "string", "array", "object"]
MOST_DEPTH: Final = 30
"""Containers inside each other: readers of Parquet refuse schemas of more than 100 levels, and an
array has up to three."""

KINDS: Final[dict[type, Kind]] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}
_ARTICLES: Final = {"a": "an", "i": "an", "o": "an"}
_FROM: Final = f"the type of the results, or the first {SAMPLE >> 20} MiB of them"


class ColumnError(Exception):
    """A value that a column cannot hold.

    Args:
        reason: what is wrong with the value.

    Attributes:
        path: the names of the members that lead to it, and ``[]`` for elements of arrays.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[str] = []

    def __str__(self) -> str:
        path = ".".join(self.path).replace(".[]", "[]")
        return f"member {path!r} {self.reason}" if path else self.reason


class Column:
    """The type of a value that may also be null.

    Args:
        kind: the type, None while only nulls have been seen.
        is_fixed: whether the kind, and the members of an object, stay as they are.

    Attributes:
        item: the type of the elements of an array.
        members: the types of the members of an object.
    """

    __slots__ = ("_too_large", "is_fixed", "item", "kind", "members")

    def __init__(self, kind: Kind | None = None, *, is_fixed: bool = False) -> None:
        self.kind = kind
        self.is_fixed = is_fixed
        self.item: Column | None = Column() if kind == "array" else None
        self.members: dict[str, Column] = {}
        self._too_large: ColumnError | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the column and all columns in it are fixed."""
        return self.is_fixed and all(column.is_complete for _, column in self._inner())

    def take(self, value: Any) -> None:
        """Check that the column can hold a value; widen it for that unless it is fixed.

        A column of integers becomes one of numbers, and one of nulls any other.

        Raises:
            ColumnError: it cannot; the column may have been widened in part.
        """
        if value is None:
            return
        kind = KINDS[type(value)]
        if kind != self.kind and not (kind == "integer" and self.kind == "number"):
            self._widen(kind)
        if kind == "object":
            self._take_members(value)
        elif kind == "array":
            self._take_elements(value)
        elif kind == "integer" and not -1 << 63 <= value < 1 << 63 and self.kind == "integer":
            error = ColumnError(f"is {value}, which does not fit into 64 bits")
            if self.is_fixed:
                raise error
            # It fits if another value makes this a column of numbers.
            self._too_large = self._too_large or error

    def fix(self) -> None:
        """Fix the column and all columns in it; a column of nulls only becomes one of strings.

        Not all readers of Parquet have a type for nulls.

        Raises:
            ColumnError: an integer is too large for a column of integers.
        """
        self.is_fixed = True
        if self.kind is None:
            self.kind = "string"
        if self._too_large is not None and self.kind == "integer":
            raise self._too_large
        for name, column in self._inner():
            try:
                column.fix()
            except ColumnError as error:
                error.path.insert(0, name)
                raise

    def _inner(self) -> list[tuple[str, Column]]:
        items = [] if self.item is None else [("[]", self.item)]
        return [*self.members.items(), *items]

    def _widen(self, kind: Kind) -> None:
        if self.is_fixed or not (
            self.kind is None or (self.kind == "integer" and kind == "number")
        ):
            article = _ARTICLES.get(kind[0], "a")
            raise ColumnError(
                f"is {article} {kind}, where its column has {self.kind}s (by {_FROM})"
            )
        self.kind = kind
        if kind == "array":
            self.item = Column()

    def _take_members(self, value: dict[str, Any]) -> None:
        members = self.members
        name = ""
        try:
            for name, member in value.items():
                column = members.get(name)
                if column is None:
                    if self.is_fixed:
                        raise ColumnError(f"has no column (by {_FROM})")
                    column = members[name] = Column()
                column.take(member)
        except ColumnError as error:
            error.path.insert(0, name)
            raise

    def _take_elements(self, value: list[Any]) -> None:
        assert self.item is not None
        take = self.item.take
        try:
            for element in value:
                take(element)
        except ColumnError as error:
            error.path.insert(0, "[]")
            raise
