"""Logs, and everything else that a process writes to standard error, as lines of JSON."""

from __future__ import annotations

import atexit
import io
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, TextIO

__all__ = [
    "FORMATS",
    "VARIABLE",
    "JsonErrors",
    "JsonFormatter",
    "error_stream",
    "json_line",
    "log_json",
    "now",
    "print_json",
    "wants_json",
]

FORMATS = ("text", "json")
"""The formats of a log."""

VARIABLE = "FORSTCORE_LOG_FORMAT"
"""Environment variable with the format, which the processes that this one starts inherit."""

_FLAG = "--log-format"
_MOST = 1 << 16  # Maximum characters of an incomplete line.


def now() -> str:
    """Return the time of a log entry."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def json_line(event: str, message: str) -> str:
    """Return a log entry that consists of a message, without LF."""
    return json.dumps({"time": now(), "event": event, "message": message})


def wants_json(arguments: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Return whether arguments or environment ask for JSON, even if they are otherwise invalid."""
    given = environ.get(VARIABLE, "")
    for argument, following in pairwise([*arguments, ""]):
        if argument == _FLAG:
            given = following
        elif argument.startswith(f"{_FLAG}="):
            given = argument.partition("=")[2]
    return given == "json"


class JsonFormatter(logging.Formatter):
    """Format log records as objects with time, event, level, logger, message and traceback.

    The messages of the access log are such objects already: they have the attribute `is_json`.
    """

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if getattr(record, "is_json", False):
            return message
        entry = {
            "time": now(),
            "event": "log",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message,
        }
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            entry["traceback"] = record.exc_text
        if record.stack_info:
            entry["stack"] = record.stack_info
        return json.dumps(entry)


class JsonErrors(io.TextIOBase):
    """A text stream that writes each of its lines as an object with time, event and message.

    Args:
        stream: where to write the objects.

    Attributes:
        stream: as above.

    Thread-safety: any thread may write.
    """

    encoding = "utf-8"

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.stream = stream
        # Reentrant, because a finalizer may print while this thread writes.
        self._lock = threading.RLock()
        self._line = ""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.stream.fileno()

    def write(self, text: str, /) -> int:
        with self._lock:
            *lines, self._line = (self._line + text).split("\n")
            if len(self._line) > _MOST:
                lines.append(self._line)
                self._line = ""
            for line in lines:
                self._put(line)
        return len(text)

    def flush(self) -> None:
        self.stream.flush()

    def end(self) -> None:
        """Write an incomplete line."""
        with self._lock:
            self._put(self._line)
            self._line = ""

    def _put(self, line: str) -> None:
        if line.strip():
            self.stream.write(json_line("output", line) + "\n")


def print_json() -> None:
    """Write what is printed to `sys.stderr` as JSON from now on."""
    if sys.stderr is not None and not isinstance(sys.stderr, JsonErrors):
        sys.stderr = JsonErrors(sys.stderr)
        atexit.register(sys.stderr.end)


def error_stream() -> TextIO:
    """Return the stream that `sys.stderr` writes to in the end."""
    return sys.stderr.stream if isinstance(sys.stderr, JsonErrors) else sys.stderr


def log_json(handler: logging.StreamHandler[Any]) -> None:
    """Write everything that appears on standard error as JSON.

    That includes the logs of all libraries, warnings, uncaught exceptions, and anything else
    written to `sys.stderr`.

    Args:
        handler: writes to the real standard error.
    """
    print_json()
    os.environ[VARIABLE] = "json"
    handler.setFormatter(JsonFormatter())
    logging.getLogger().addHandler(handler)
    logging.captureWarnings(True)
    logger = logging.getLogger("forstcore")

    def uncaught(*error: Any) -> None:
        if issubclass(error[0], KeyboardInterrupt):
            return
        logger.critical("uncaught exception", exc_info=error)

    def uncaught_in_thread(arguments: threading.ExceptHookArgs, /) -> None:
        if arguments.exc_value is not None:
            uncaught(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)

    def unraisable(arguments: Any, /) -> None:
        text = arguments.err_msg or "exception ignored in"
        error = (arguments.exc_type, arguments.exc_value, arguments.exc_traceback)
        logger.error("%s: %r", text, arguments.object, exc_info=error)

    sys.excepthook = uncaught
    threading.excepthook = uncaught_in_thread
    sys.unraisablehook = unraisable
