"""The first results, whose values decide the columns of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from forstcore.formats import ResultFormatError
from forstcore.formats._results import loaded
from forstcore.formats.columns import SAMPLE, Column, ColumnError

__all__ = ["Sample", "blocks_of"]

_PARSED: Final = 1 << 20  # Bytes of results that are parsed at once.


class Sample:
    """Widen columns to those of the results in the first 16 MiB.

    Args:
        name: the name of the file, for messages.
        columns: the type of the results, None if it is unknown.
        fits: returns whether columns hold results unchanged, faster than looking at each of them;
            None if there is no such function.

    Attributes:
        columns: as given, widened.
        results: the number of results so far.
    """

    def __init__(
        self,
        name: str,
        columns: Column | None = None,
        fits: Callable[[bytes, Column], bool] | None = None,
    ) -> None:
        self.columns = columns or Column("object")
        self.results = 0
        self._name = name
        self._fits = fits
        self._size = 0

    @property
    def is_full(self) -> bool:
        """Whether more results would not change the columns."""
        return self._size >= SAMPLE or self.columns.is_complete

    def take(self, lines: bytes) -> None:
        """Take results into account, unless there have been enough of them.

        Raises:
            ResultFormatError: a result does not fit into a table with those before it.
        """
        if self.is_full:
            return
        # Cut at a line rather than at a chunk, so that the columns do not depend on the chunks.
        end = lines.find(b"\n", SAMPLE - self._size - 1) + 1 or len(lines)
        for block in blocks_of(lines[:end], _PARSED):
            if self._fits is not None and self.results and self._fits(block, self.columns):
                self.results += block.count(b"\n")
                continue
            for result in loaded(block, self._name, self.results):
                self.results += 1
                try:
                    self.columns.take(result)
                except ColumnError as error:
                    raise ResultFormatError(self._name, self.results, str(error)) from None
        self._size += end

    def fix(self) -> Column:
        """Fix the columns, and return them.

        Raises:
            ResultFormatError: a value does not fit into its column.
        """
        try:
            self.columns.fix()
        except ColumnError as error:
            raise ResultFormatError(self._name, 0, str(error)) from None
        return self.columns


def blocks_of(lines: bytes, size: int) -> Iterator[bytes]:
    """Cut lines into blocks of whole lines; a block is longer than `size` by less than a line."""
    at = 0
    while at < len(lines):
        end = lines.find(b"\n", at + size - 1) + 1 or len(lines)
        yield lines[at:end]
        at = end
