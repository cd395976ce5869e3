"""The exceptions of forstcore. Every one derives from `ForstError`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from forstcore._plural import plural

__all__ = [
    "ClusterError",
    "FilterError",
    "ForstError",
    "LoadError",
    "OffsetError",
    "PipelineConfigError",
    "RecordError",
    "RequestRefusedError",
    "SinkError",
    "SourceError",
    "StreamFailedError",
    "StreamStateError",
]


class ForstError(Exception):
    """Base class of all exceptions that forstcore defines."""


class RecordError(ForstError, ValueError):
    """A line that is not a valid record.

    Attributes:
        code: the error code, as in the wire contract
            (``invalid_json``, ``invalid_utf8``, ``too_deep``, ``not_an_object``,
            ``wrong_type``, ``line_too_long``, ``processor_failed``).
        message: the reason, human-readable.
        line: number of the input line, counted from 1.
        offset: position of the error in bytes from the start of that line.
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
    """An invalid filter.

    Attributes:
        place: the invalid member of the filter, as a path from ``filters``.
        reason: why it is invalid.
    """

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(place, reason)
        self.place = place
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.place} {self.reason}"


class LoadError(ForstError, ImportError):
    """Processors that cannot be loaded; the message names the module and the cause."""


class _PlaceError(ForstError, ValueError):
    """Something that is wrong with a source or a sink.

    Attributes:
        name: its name.
        reason: why it cannot be used.
    """

    _kind: ClassVar[str]

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"{self._kind} {self.name!r} {self.reason}"


class SourceError(_PlaceError):
    """A source that cannot be read.

    Attributes:
        name: name of the source.
        reason: why it cannot be read.
    """

    _kind = "source"


class SinkError(_PlaceError):
    """A sink that cannot be written.

    Attributes:
        name: name of the sink.
        reason: why it cannot be written.
    """

    _kind = "sink"


class OffsetError(SourceError):
    """An offset from which a source cannot be read."""


class PipelineConfigError(ForstError, ValueError):
    """A file with pipelines that cannot run.

    Attributes:
        problems: everything that is wrong with it, each with its place.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(problems)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


class ClusterError(ForstError):
    """A cluster that cannot process its input, or a part of it.

    The message names the worker or the part, and the cause.
    """


class StreamStateError(ForstError, RuntimeError):
    """A call that the state of a stream object does not allow.

    Raised for a call after `finish()`, and for a call while another thread is in a call on the
    same object.
    """


RETRIABLE_STATUSES: Final = frozenset({429, 502, 503, 504})
"""The HTTP status codes of a request that may succeed later."""


class RequestRefusedError(ForstError):
    """A request that was answered with an error instead of a stream.

    Attributes:
        status: the HTTP status code.
        detail: the server's description of the problem.
        retry_after: seconds after which to retry, from the server's response, five minutes at
            most; None if absent.
        retriable: whether the same request may succeed later: for `RETRIABLE_STATUSES`.
    """

    def __init__(self, status: int, detail: str, retry_after: float | None = None) -> None:
        super().__init__(status, detail, retry_after)
        self.status = status
        self.detail = detail
        self.retry_after = retry_after

    @property
    def retriable(self) -> bool:
        return self.status in RETRIABLE_STATUSES

    def __str__(self) -> str:
        return f"the server refused the request with status {self.status}: {self.detail}"


class StreamFailedError(ForstError):
    """A stream that ended before all of its results were received.

    Attributes:
        code: the code of the server's ``:error`` line, or ``unreachable``, ``disconnected``,
            ``timeout``, ``protocol`` (the response violates the wire contract), ``corrupt`` (its
            counts or its digest do not match), ``line_too_long``, ``refused`` (the server
            refused the connection that was to resume the stream), ``no_records`` (every line of
            the input was rejected) or ``closed`` (the client was closed).
        detail: a description of the failure.
        lines: the number of acknowledged input lines, counted from the first. A stream with
            resume has delivered exactly the results of these lines.
        retriable: whether another attempt may succeed.
    """

    def __init__(self, code: str, detail: str, lines: int = 0, *, retriable: bool = False) -> None:
        super().__init__(code, detail, lines)
        self.code = code
        self.detail = detail
        self.lines = lines
        self.retriable = retriable

    def __str__(self) -> str:
        lines = plural(self.lines, "line was", "lines were")
        return f"{self.detail} ({self.code}); {self.lines} input {lines} acknowledged"
