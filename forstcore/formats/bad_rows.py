"""The invalid rows of CSV inputs, in whose place the core gets a line that it rejects."""

from __future__ import annotations

from dataclasses import replace

from forstcore._io.error_file import ErrorFileEntry
from forstcore.errors import RecordError

__all__ = ["BadRows"]

_CODE = "invalid_csv"
_CODE_OF_LINE = "invalid_json"


class BadRows:
    """Invalid rows, by the numbers of the lines that replace them in the stream.

    Attributes:
        is_kept: whether `explain` or `explain_error` will be called for each of them; they are
            only counted otherwise.

    Thread-safety: one thread adds rows while another has them explained.
    """

    def __init__(self) -> None:
        self.is_kept = False
        self._count = 0
        self._rows: dict[int, tuple[str, int, bytes, bool]] = {}

    def add(self, line: int, why: str, offset: int, raw: bytes, is_cut: bool) -> None:
        """Add a row, before its line is processed."""
        self._count += 1
        if self.is_kept:
            self._rows[line] = why, offset, raw, is_cut

    def explain(self, line: int, entry: ErrorFileEntry) -> ErrorFileEntry:
        """Return what to report of a rejected line."""
        if (row := self._rows.pop(line, None)) is None:
            return entry
        why, offset, raw, is_cut = row
        return replace(entry, code=_CODE, message=why, offset=offset, raw=raw, is_cut=is_cut)

    def explain_error(self, error: RecordError) -> RecordError:
        """Return the error to report for a rejected line that ends the stream."""
        if (row := self._rows.pop(error.line, None)) is None:
            return error
        return RecordError(_CODE, row[0], error.line, row[1])

    def corrected(self, errors: dict[str, int]) -> dict[str, int]:
        """Return numbers of errors by code, with invalid rows under their own code."""
        # Rows may have been read that have not been processed yet.
        rows = min(self._count, errors.get(_CODE_OF_LINE, 0))
        if not rows:
            return errors
        others = errors[_CODE_OF_LINE] - rows
        rest = {code: each for code, each in errors.items() if code != _CODE_OF_LINE}
        return rest | ({_CODE_OF_LINE: others} if others else {}) | {_CODE: rows}
