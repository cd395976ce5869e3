"""The dicts that go into a stream and come out of it, as types."""

from __future__ import annotations

from typing import Any, Literal, TypedDict, TypeGuard

__all__ = ["ErrorRecord", "MarkedError", "ProcessedRecord", "StreamingRecord", "is_error"]


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
        status: ``success``. With ``on_error="emit"`` or ``"fail"`` an `ErrorRecord` may come
            instead: ask `is_error`, since a processor's result may look like one.
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


class MarkedError(dict[str, Any]):
    """An `ErrorRecord` as the client hands it out: `is_error` tells it from a result."""


def is_error(result: object) -> TypeGuard[ErrorRecord]:
    """Tell whether what a stream of a client yielded is an `ErrorRecord`, and no result.

    By what the server says of its lines, not by their members: a result may have the same.
    A copy of the dict is a dict like any other.
    """
    return isinstance(result, MarkedError)
