"""The exceptions of forstcore. Every one derives from `ForstError`."""

from __future__ import annotations

__all__ = [
    "ClusterError",
    "FilterError",
    "ForstError",
    "LoadError",
    "OffsetError",
    "RecordError",
    "RequestRefusedError",
    "SourceError",
    "StreamFailedError",
    "StreamStateError",
]


class ForstError(Exception):
    """Base of every exception that forstcore raises on purpose."""


class RecordError(ForstError, ValueError):
    """A line that is not a valid record.

    Attributes:
        code: what kind of error, one of the codes of the wire contract
            (``invalid_json``, ``invalid_utf8``, ``too_deep``, ``not_an_object``,
            ``wrong_type``, ``line_too_long``, ``processor_failed``).
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


class FilterError(ForstError, ValueError):
    """A filter that is not one.

    Attributes:
        place: the member of the filter that is wrong, as a path from ``filters``.
        reason: what is wrong with it.
    """

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(place, reason)
        self.place = place
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.place} {self.reason}"


class LoadError(ForstError, ImportError):
    """Processors that cannot be loaded; the message names the module and the cause."""


class SourceError(ForstError, ValueError):
    """A source that cannot be read.

    Attributes:
        name: name of the source.
        reason: what is wrong with it.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"source {self.name!r} {self.reason}"


class OffsetError(SourceError):
    """An offset from which a source cannot be read."""


class ClusterError(ForstError):
    """A cluster that cannot do the work, or a part that it could not make.

    The message names the worker or the part, and the cause.
    """


class StreamStateError(ForstError, RuntimeError):
    """A stream object used in a state that does not allow it.

    Raised for a call after `finish()`, and for a call from a second thread
    while another call on the same object still runs.
    """


class RequestRefusedError(ForstError):
    """A request that was answered with an error instead of a stream.

    Attributes:
        status: the HTTP status code.
        detail: what is wrong and what would help, in the server's words.
        retry_after: seconds after which the server asks to try again, None if it does not say.
        retriable: whether the same request may be taken later: 502, 503 and 504.
    """

    def __init__(self, status: int, detail: str, retry_after: float | None = None) -> None:
        super().__init__(status, detail, retry_after)
        self.status = status
        self.detail = detail
        self.retry_after = retry_after

    @property
    def retriable(self) -> bool:
        return self.status in (502, 503, 504)

    def __str__(self) -> str:
        return f"the server refused the request with status {self.status}: {self.detail}"


class StreamFailedError(ForstError):
    """A stream that ended before all of its results were there.

    Attributes:
        code: what kind of end: a code of the server's ``:error`` line, or ``unreachable``,
            ``disconnected``, ``timeout``, ``protocol`` (the response is not what the wire
            contract allows), ``corrupt`` (its counts or its digest do not match),
            ``line_too_long``, ``refused`` (a connection to go on with), ``no_records`` (there
            was input, and every line of it was rejected) or ``closed`` (the client was).
        detail: what happened.
        lines: how many input lines, counted from the first, were acknowledged; of a stream
            with resume all their results have been handed out, and no others.
        retriable: whether another attempt may go better.
    """

    def __init__(self, code: str, detail: str, lines: int = 0, *, retriable: bool = False) -> None:
        super().__init__(code, detail, lines)
        self.code = code
        self.detail = detail
        self.lines = lines
        self.retriable = retriable

    def __str__(self) -> str:
        return f"{self.detail} ({self.code}); {self.lines} input lines were acknowledged"
