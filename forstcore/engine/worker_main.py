"""The main function of a worker process."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import signal
import socket
import sys
import threading
import traceback
from typing import Any, NoReturn

from forstcore._core.filter import Filter
from forstcore._json_log import VARIABLE, print_json
from forstcore.engine.failure_log import CollectedFailures
from forstcore.engine.function_reference import FunctionReference
from forstcore.engine.line_options import LineOptions
from forstcore.engine.runners import PythonRunner
from forstcore.engine.worker_channel import Channel, SharedMemory
from forstcore.errors import LoadError
from forstcore.processors import Processor, stamp_of

__all__ = ["main"]


class WorkerDiedError(Exception):
    """The worker process ended while it processed the record."""


def main() -> NoReturn:
    """Process the batches that the parent sends, until it ends or closes the connection."""
    # The parent ends this process by closing pipes, so that batches in work can be finished when
    # a service manager or a terminal sends these to all processes.
    for number in (signal.SIGINT, signal.SIGTERM):
        # Not SIG_IGN, which programs that the processor starts would inherit.
        signal.signal(number, lambda *_: None)
    if os.environ.get(VARIABLE) == "json":
        print_json()
    connection, *memories = map(int, sys.argv[1:5])
    sys.argv = sys.argv[5:]
    threading.Thread(target=_end_with_parent, args=(_take_input(),), daemon=True).start()
    channel = Channel(socket.socket(fileno=connection))
    try:
        reference, stamp, levels = channel.receive()
        _forward_log(channel, levels)
        processor = _load(channel, reference, stamp)
        _serve(channel, processor, *map(SharedMemory, memories))
    except (EOFError, OSError):
        _exit(0)


def _exit(status: int) -> NoReturn:
    """Exit at once: other threads and clean-up of libraries might take any time."""
    _flush()
    os._exit(status)


def _flush() -> None:
    """Write what the processor has printed."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


def _take_input() -> int:
    """Return the pipe from the parent, which is not for the processor to read."""
    pipe = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return pipe


def _end_with_parent(pipe: int) -> None:
    os.read(pipe, 1)
    _exit(1)


def _load(channel: Channel, reference: FunctionReference, stamp: tuple[int, int]) -> Processor:
    """Load the processor, and tell the parent whether that failed.

    Raises:
        EOFError: it did, and the parent has closed the connection.
    """
    processor = trouble = None
    try:
        processor = reference.load()
        if not reference.pickled and stamp_of(processor.function) != stamp:
            trouble = "changed", "its file has changed since it was loaded"
    except (LoadError, TypeError) as error:
        trouble = "failed", str(error)
    channel.send(("started", trouble))
    if processor is None or trouble is not None:
        channel.receive()
        raise EOFError
    return processor


def _serve(
    channel: Channel,
    processor: Processor,
    source: SharedMemory,
    target: SharedMemory,
    control: SharedMemory,
) -> NoReturn:
    """Process batch after batch."""
    numbers = control.numbers()
    calls = 0
    deadly: dict[int, str] = {}
    function = processor.function

    def is_stopped() -> bool:
        return numbers[0] != 0

    def call(record: Any) -> Any:
        nonlocal calls
        calls += 1
        numbers[1] = calls
        if calls in deadly:
            raise WorkerDiedError(deadly[calls])
        return function(record)

    processor = dataclasses.replace(processor, function=call)
    while True:
        size, (number, max_output, deadly, options, filters) = channel.receive()
        calls = 0
        failures = CollectedFailures()
        record_filter = None if filters is None else Filter(filters)
        runner = PythonRunner(
            processor, LineOptions(**options, record_filter=record_filter), failures
        )
        outcome = runner.run(source.read(size), number, is_stopped, max_output)
        failure, rejected = outcome.failure, outcome.rejected
        reply = (
            outcome.records,
            outcome.results,
            outcome.errors,
            failure and (failure.code, failure.message, failure.line, failure.offset),
            None if rejected is None else (list(map(tuple, rejected)), rejected.places),
            len(outcome.rest),
            outcome.lines,
            outcome.filtered,
            (failures.logged, failures.left_out),
        )
        _flush()
        target.write(outcome.output)
        channel.send(("done", (reply, len(outcome.output))))
        del outcome, rejected, reply


class _LogForwarder(logging.Handler):
    """Send log records to the parent."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
            if record.exc_info:
                record.exc_text = (
                    record.exc_text
                    or "".join(traceback.format_exception(*record.exc_info)).rstrip()
                )
            values = {
                name: value
                for name, value in record.__dict__.items()
                if value is None or isinstance(value, str | int | float)
            }
            self._channel.send(("log", {**values, "msg": message, "args": None}))
        except Exception:
            self.handleError(record)


def _forward_log(channel: Channel, levels: dict[str, int]) -> None:
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logging.getLogger().addHandler(_LogForwarder(channel))
