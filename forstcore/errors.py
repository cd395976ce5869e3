"""The exceptions of forstcore. Every one derives from `ForstError`."""

from __future__ import annotations

__all__ = ["ForstError", "RecordError", "StreamStateError"]


class ForstError(Exception):
    """Base of every exception that forstcore raises on purpose."""


class RecordError(ForstError, ValueError):
    """A line that is not a valid record.

    Attributes:
        code: what kind of error, one of the codes of the wire contract
            (``invalid_json``, ``invalid_utf8``, ``too_deep``, ``not_an_object``,
            ``wrong_type``, ``line_too_long``).
        message: the reason, for people.
        line: number of the input line, counted from 1.
        offset: place of the error in bytes from the start of that line.
    """

    def __init__(self, code: str, message: str, line: int, offset: int) -> None:
        super().__init__(code, message, line, offset)
        self.code = code
        self.message = message
        self.line = line
        self.offset = offset

    def __str__(self) -> str:
        return f"line {self.line}, byte {self.offset}: {self.message} ({self.code})"


class StreamStateError(ForstError, RuntimeError):
    """A stream object used in a state that does not allow it.

    Raised for a call after `finish()`, and for a call from a second thread
    while another call on the same object still runs.
    """
