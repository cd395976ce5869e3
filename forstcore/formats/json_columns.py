"""Columns that hold any results: where the values have no common type, they are JSON text."""

from __future__ import annotations

import json
from typing import Any, Final, Literal

from forstcore.formats.columns import KINDS, MOST_DEPTH, Column, Kind

__all__ = ["JsonColumn", "row_of"]

_MOST_MEMBERS: Final = 1000  # Members of an object column; if there are more, they are data.
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def row_of(result: Any) -> dict[str, Any]:
    """Return a result as a row; one that is not an object becomes the member ``value``."""
    return result if isinstance(result, dict) else {"value": result}


class JsonColumn:
    """The type of the values of all results: `take` each of them, then `settle`.

    Args:
        is_row: whether the values are rows, which stay objects.

    Attributes:
        kind: what the values are: ``json`` if they have several types, or one that Parquet does
            not have; None if all are null.
        has_json: whether the column, or one in it, is JSON text. Valid once it is settled.
    """

    __slots__ = ("_is_row", "_item", "_members", "has_json", "kind")

    def __init__(self, *, is_row: bool = False) -> None:
        self.kind: Kind | Literal["json"] | None = "object" if is_row else None
        self._is_row = is_row
        self.has_json = False
        self._item: JsonColumn | None = None
        self._members: dict[str, JsonColumn] = {}

    def take(self, value: Any) -> None:
        """Widen the type so that it holds a value."""
        if value is None or self.kind == "json":
            return
        kind = KINDS[type(value)]
        if kind != self.kind and not (kind == "integer" and self.kind == "number"):
            widens = self.kind is None or (self.kind == "integer" and kind == "number")
            self.kind = kind if widens else "json"
        if self.kind == "integer" and not -1 << 63 <= value < 1 << 63:
            self.kind = "json"
        elif self.kind == "object":
            for name, member in value.items():
                if (column := self._members.get(name)) is None:
                    column = self._members[name] = JsonColumn()
                column.take(member)
            if len(self._members) > _MOST_MEMBERS and not self._is_row:
                self.kind = "json"
        elif self.kind == "array":
            self._item = self._item or JsonColumn()
            for element in value:
                self._item.take(element)

    def settle(self, depth: int = 0) -> None:
        """Make JSON text of types that Parquet does not have: empty objects, and deep nesting."""
        if self._is_row and not self._members:
            # Without a column there would be no rows.
            self._members["value"] = JsonColumn()
        inner = list(self._members.values()) if self._item is None else [self._item]
        is_empty = self.kind == "object" and not inner
        if self.kind in ("object", "array") and (is_empty or depth >= MOST_DEPTH):
            self.kind = "json"
        if self.kind == "json":
            self.has_json = True
            return
        for column in inner:
            column.settle(depth + 1)
        self.has_json = any(column.has_json for column in inner)

    def converted(self, value: Any) -> Any:
        """Return a value with JSON text in the columns of JSON text."""
        if value is None or not self.has_json:
            return value
        if self.kind == "json":
            return _encode(value)
        if self._item is not None:
            return [self._item.converted(element) for element in value]
        return {name: self._members[name].converted(member) for name, member in value.items()}

    def column(self) -> Column:
        """Return the column for what `converted` returns."""
        kind: Kind | None = "string" if self.kind == "json" else self.kind
        found = Column(kind, is_fixed=True)
        if kind == "array":
            found.item = (self._item or JsonColumn()).column()
        elif kind == "object":
            found.members = {name: each.column() for name, each in self._members.items()}
        return found
