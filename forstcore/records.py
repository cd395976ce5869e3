"""Types of the records, results and errors of streams."""

from __future__ import annotations

from typing import Any, Literal, TypedDict, TypeGuard

__all__ = ["ErrorRecord", "MarkedError", "ProcessedRecord", "StreamingRecord", "is_error"]


class StreamingRecord(TypedDict):
    """A record of the built-in processor.

    Attributes:
        id: copied to the result.
        data: the text to process.
    """

    id: str
    data: str


class ProcessedRecord(TypedDict):
    """The result of a record.

    Attributes:
        id: the id of the record.
        result: the processed text.
        status: ``success``. With ``on_error="emit"`` or ``"fail"`` a stream may yield an
            `ErrorRecord` instead: use `is_error` to check, since a result may look like one.
    """

    id: str
    result: str
    status: str


class ErrorRecord(TypedDict):
    """The result of an invalid line, with ``on_error="emit"``.

    Attributes:
        status: ``error``.
        line: number of the input line, counted from 1.
        offset: position of the error in bytes from the start of that line.
        code: the error code; see `RecordError`.
        message: the reason, human-readable.
    """

    status: Literal["error"]
    line: int
    offset: int
    code: str
    message: str


class MarkedError(dict[str, Any]):
    """An `ErrorRecord` as the client yields it, recognized by `is_error`."""


def is_error(result: object) -> TypeGuard[ErrorRecord]:
    """Return whether an item of a client's stream is an `ErrorRecord` and not a result.

    The server marks error lines, so a result with the same members is not mistaken for one. The
    mark is lost if the dict is copied.
    """
    return isinstance(result, MarkedError)
