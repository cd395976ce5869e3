"""Reading lines as records or errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from forstcore._io.json_lines import object_of, objects_of
from forstcore._received_signals import may_be_signal
from forstcore.errors import RecordError

__all__ = [
    "LineReader",
    "bounded",
    "error_line",
    "failure_of",
    "object_group_reader",
    "object_of",
]

_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r"
_MESSAGE_SIZE = 300  # Bytes of an exception's text that go into an error line.


def object_group_reader(longest: int) -> Callable[[bytes], list[Any] | None] | None:
    """Return a function that reads many lines as dicts, or None if it would not be faster.

    The function returns None if one of the lines has to be read on its own.

    Args:
        longest: maximum length of a line in bytes, without LF.
    """
    if objects_of is None:
        return None
    read = objects_of
    return lambda lines: read(lines, longest)


class LineReader:
    """Read the lines of one stream as records.

    Args:
        decode: converts a line to a record, or raises RecordError.
        max_line_size: maximum length of a line in bytes, without LF.

    Attributes:
        decode: as above.

    Thread-safety: that of `decode`.
    """

    def __init__(self, decode: Callable[[bytes], Any], max_line_size: int) -> None:
        self.decode = decode
        self._max_line_size = max_line_size

    def read(self, line: bytes, number: int) -> Any:
        """Return the record of a line, None if the line is blank.

        Args:
            line: the line without LF.
            number: its number, counted from 1.

        Raises:
            RecordError: the line is not a record.
        """
        if len(line) > self._max_line_size:
            raise RecordError(
                "line_too_long",
                "the line is longer than max_line_size",
                number,
                self._max_line_size,
            )
        try:
            return self.decode(line)
        except RecordError as error:
            refusal = error
        return self.reread(line, number, refusal)

    def reread(self, line: bytes, number: int, refusal: RecordError) -> Any:
        """Return the record of a line that `decode` refused, None if the line is blank.

        Args:
            line, number: as for `read`.
            refusal: the error that `decode` raised.

        Raises:
            RecordError: the line is not a record.
        """
        if len(line) > self._max_line_size:
            raise refusal
        # Break the reference cycle between the traceback and the caller's frame, which would keep
        # the batch in memory until the next garbage collection.
        refusal.with_traceback(None)
        skipped = 0
        if number == 1 and line.startswith(_BOM):
            skipped = len(_BOM)
            line = line[skipped:]
        if not line.strip(_SPACE):
            return None
        if skipped:
            try:
                return self.decode(line)
            except RecordError as error:
                refusal = error.with_traceback(None)
        raise RecordError(refusal.code, refusal.message, number, refusal.offset + skipped)


def error_line(error: RecordError) -> bytes:
    """Write the error line for an invalid line, in the same format as the core."""
    message = json.dumps(error.message, ensure_ascii=False)
    return (
        f'{{"status":"error","line":{error.line},"offset":{error.offset},'
        f'"code":"{error.code}","message":{message}}}\n'
    ).encode()


def failure_of(error: BaseException, number: int) -> RecordError:
    """Return the record's error for an exception that its processor raised."""
    try:
        text = str(error)
    except BaseException as failure:
        if may_be_signal(failure):
            raise
        text = "its text cannot be read"
    message = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return RecordError("processor_failed", bounded(message), number, 0)


def bounded(message: str) -> str:
    """Truncate a foreign error message to the size that error lines allow."""
    return message.encode("utf-8", "replace")[:_MESSAGE_SIZE].decode("utf-8", "ignore")
