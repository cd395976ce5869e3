"""One line: from bytes to a record or an error, and from what a processor returns to lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from forstcore._io.json_lines import dump_line as dump
from forstcore._io.json_lines import object_of
from forstcore.errors import RecordError

__all__ = ["LineReader", "bounded", "dump", "dump_all", "error_line", "failure_of", "object_of"]

_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r"
_MESSAGE_SIZE = 300  # Bytes of an exception's text that go into an error line.


def dump_all(result: object) -> list[bytes]:
    """Write what a processor returned as lines of JSON.

    Args:
        result: None for no result, or one, or an iterable of results.

    Raises:
        Exception: a result cannot be written, or the iterable raises.
    """
    if type(result) is dict:
        return [dump(result)]
    if result is None:
        return []
    if isinstance(result, Iterable) and not isinstance(result, Mapping | str | bytes):
        return [dump(each) for each in result]
    return [dump(result)]


class LineReader:
    """Read the lines of one stream as records.

    Args:
        decode: makes a record of a line, or raises RecordError.
        max_line_size: longest line in bytes, LF excluded.

    Attributes:
        decode: as above.

    Thread-safety: as `decode`.
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
            RecordError: the line is no record.
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
            refusal: what `decode` raised.

        Raises:
            RecordError: the line is no record.
        """
        if len(line) > self._max_line_size:
            raise refusal
        # With its traceback it would hold the caller's frame, which holds it: the batch would
        # stay in memory until the garbage collector finds both.
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
    """Write what stands in the place of a line that is no record, as the core writes it."""
    message = json.dumps(error.message, ensure_ascii=False)
    return (
        f'{{"status":"error","line":{error.line},"offset":{error.offset},'
        f'"code":"{error.code}","message":{message}}}\n'
    ).encode()


def failure_of(error: BaseException, number: int) -> RecordError:
    """Make the error of a record from what its processor raised."""
    try:
        text = str(error)
    except Exception:
        text = "its text cannot be read"
    message = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return RecordError("processor_failed", bounded(message), number, 0)


def bounded(message: str) -> str:
    """Cut what somebody else wrote to a size that is fit for an error line."""
    return message.encode("utf-8", "replace")[:_MESSAGE_SIZE].decode("utf-8", "ignore")
