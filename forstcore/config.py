"""Typed configurations: limits of streams, retries and client settings."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import Field, dataclass, field, fields
from typing import Any, Literal, TypeAlias

from forstcore._proc import DEFAULT_MAX_LINE_SIZE, HIGHEST_MAX_LINE_SIZE

__all__ = [
    "DEFAULT_BLOCKSIZE",
    "WORKER_KINDS",
    "Option",
    "RetryConfig",
    "StreamLimits",
    "StreamingConfig",
    "WorkerKind",
    "option",
    "options_of",
]

DEFAULT_BLOCKSIZE = "128 MiB"
"""Input bytes of one part of a dataset. Declared here because commands do not import the cluster's
libraries."""

WorkerKind: TypeAlias = Literal["threads", "processes"]
"""Kinds of workers of a Python processor that is not async."""

WORKER_KINDS: tuple[WorkerKind, ...] = typing.get_args(WorkerKind)


@dataclass(frozen=True)
class Option:
    """The help text, range and choices of a configuration field.

    Attributes:
        help: a one-line description.
        lowest, highest: the allowed range of a number, inclusive.
        unit: the unit of a number.
        choices: the allowed values of a string; empty for any.
        secret: whether the value must not be printed or logged.
        metavar: what stands for the value in the help, such as ``FILE``; empty for that of its
            type.
    """

    help: str
    lowest: float = 0
    highest: float = float("inf")
    unit: str = ""
    choices: tuple[str, ...] = ()
    secret: bool = False
    metavar: str = ""

    def check(self, name: str, value: object) -> None:
        """Raise ValueError if `value` is out of range, naming the option and the range."""
        if isinstance(value, bool) or value is None:
            return
        texts = value if isinstance(value, tuple) else (value,) if isinstance(value, str) else ()
        if not all(isinstance(text, str) and text for text in texts):
            # An empty token or host list would silently disable a security check.
            raise ValueError(f"{name} must be text that is not empty")
        if any("\0" in text for text in texts):
            raise ValueError(f"{name} must be text without NUL characters")
        if isinstance(value, int | float) and not self.lowest <= value <= self.highest:
            bounds = f"at least {self.lowest:g}"
            if self.highest != float("inf"):
                bounds = f"from {self.lowest:,.14g} to {self.highest:,.14g}"
            unit = f" {self.unit}" if self.unit else ""
            raise ValueError(f"{name} must be {bounds}{unit}, not {value}")
        if self.choices and value not in self.choices:
            raise ValueError(f"{name} must be one of {', '.join(self.choices)}, not {value!r}")


def option(default: Any, text: str, **limits: Any) -> Any:
    """Declare a configuration field with its default, its help text and its limits."""
    metadata = {"option": Option(text, **limits)}
    if isinstance(default, list | tuple):
        return field(default=tuple(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def options_of(config: type) -> Iterator[tuple[Field[Any], type, Option]]:
    """Yield each option of a configuration class: its field, its type without None, its limits.

    Fields that are configurations themselves are left out.
    """
    hints = typing.get_type_hints(config)
    for declared in fields(config):
        if "option" not in declared.metadata:
            continue
        hint = hints[declared.name]
        if isinstance(hint, types.UnionType):
            hint = next(member for member in hint.__args__ if member is not type(None))
        if typing.get_origin(hint) is Literal:
            hint = str
        yield declared, typing.get_origin(hint) or hint, declared.metadata["option"]


@dataclass(frozen=True, kw_only=True)
class _Checked:
    """A configuration whose options are checked against their limits when it is made."""

    def __post_init__(self) -> None:
        for declared, _, limits in options_of(type(self)):
            limits.check(declared.name, getattr(self, declared.name))


def _timeout() -> Any:
    """Declare the timeout option, which server and client share."""
    return option(
        30.0,
        "time without progress in either direction after which a stream ends",
        lowest=0.1,
        highest=86400,
        unit="seconds",
    )


@dataclass(frozen=True, kw_only=True)
class StreamLimits(_Checked):
    """Limits of a stream that is being processed.

    Raises:
        ValueError: a value is out of its range; the message names both.

    Thread-safety: immutable.
    """

    timeout: float = _timeout()
    compression: bool = option(True, "compress responses for clients that accept it")
    max_line_size: int = option(
        DEFAULT_MAX_LINE_SIZE,
        "maximum length of an input line; a longer one is an error and is skipped",
        lowest=1,
        highest=HIGHEST_MAX_LINE_SIZE,
        unit="bytes",
    )
    max_stream_bytes: int = option(
        0, "maximum input of a stream after decompression, 0 for no limit", unit="bytes"
    )
    max_stream_records: int = option(
        0, "maximum input lines of a stream, 0 for no limit", unit="lines"
    )
    max_ratio: int = option(
        200,
        "maximum expansion of a compressed body beyond 16 MiB",
        lowest=1,
        highest=100_000,
        unit="times",
    )
    workers: int = option(
        10,
        "concurrent batches, or calls of an async processor, per stream",
        lowest=1,
        highest=10_000,
        unit="workers",
    )
    worker_kind: WorkerKind = option(  # noqa: RUF009 (ruff does not see that it is a string)
        "threads",
        "kind of workers of a Python processor that is not async: processes use several cores",
        choices=WORKER_KINDS,
    )
    buffer_size: int = option(
        1000,
        "records that an async processor may hold at once, per stream",
        lowest=1,
        highest=1_000_000,
        unit="records",
    )


@dataclass(frozen=True, kw_only=True)
class RetryConfig(_Checked):
    """How often and with which delays a failed operation is retried.

    The delay doubles with each attempt and is shortened by a random amount of up to half, so
    that the clients of a restarted server do not all reconnect at the same moment.

    Raises:
        ValueError: a value is out of its range; the message names both.

    Thread-safety: immutable.
    """

    attempts: int = option(
        3, "total number of attempts, including the first", lowest=1, unit="attempts"
    )
    delay: float = option(
        1.0, "delay before the second attempt; it doubles with each further one", unit="seconds"
    )
    max_delay: float = option(30.0, "maximum delay between two attempts", unit="seconds")


@dataclass(frozen=True, kw_only=True)
class StreamingConfig(_Checked):
    """The configuration of a client's streams.

    Raises:
        ValueError: a value is out of its range; the message names both.

    Thread-safety: immutable.
    """

    chunk_size: int = option(
        1 << 20, "maximum size of the chunks into which records are grouped", lowest=1, unit="bytes"
    )
    buffer_size: int = option(
        1000,
        "maximum number of unacknowledged lines, or one chunk if that has more",
        lowest=1,
        unit="lines",
    )
    timeout: float = _timeout()
    compression: bool = option(False, "compress requests, and ask for compressed responses")
    retry: RetryConfig = RetryConfig()
