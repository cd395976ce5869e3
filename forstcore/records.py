"""The dicts that go into a stream and come out of it, as types."""

from __future__ import annotations

from typing import Literal, TypedDict

__all__ = ["ErrorRecord", "ProcessedRecord", "StreamingRecord"]


class StreamingRecord(TypedDict):
    """A record of the native processor.

    Attributes:
        id: comes back in the result.
        data: the text to process.
    """

    id: str
    data: str


class ProcessedRecord(TypedDict):
    """The result of a record.

    Attributes:
        id: the record's.
        result: the processed text.
        status: ``success``; with ``on_error="emit"`` or ``"fail"`` also ``error``, and then
            the dict is an `ErrorRecord`.
    """

    id: str
    result: str
    status: str


class ErrorRecord(TypedDict):
    """What stands in the place of a line that is no record, with ``on_error="emit"``.

    Attributes:
        status: ``error``.
        line: number of the input line, counted from 1.
        offset: place of the error in bytes from the start of that line.
        code: what kind of error; see `RecordError`.
        message: the reason, for people.
    """

    status: Literal["error"]
    line: int
    offset: int
    code: str
    message: str
