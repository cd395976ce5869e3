"""The output of a command, written atomically."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from forstcore.formats import Format
from forstcore.formats.output_file import formatted, opened_file, write_at_once

__all__ = ["opened_output"]


@contextmanager
def opened_output(
    path: str, output_format: Format = "ndjson", result_type: object = None
) -> Iterator[Callable[[bytes], object]]:
    """Open an output for results, compressed if its name ends in ``.gz`` or ``.zst``.

    Args:
        path: the file, which appears when the block ends without an exception; ``-`` for
            standard output. Standard output, pipes and devices are flushed after each write.
        output_format: the format of the file.
        result_type: the annotation of what the processor returns, None if there is none.

    Yields:
        A function that takes results as NDJSON.
    """
    with ExitStack() as stack:
        if path == "-":
            write: Callable[[bytes], object] = functools.partial(write_at_once, sys.stdout.buffer)
        else:
            write = stack.enter_context(opened_file(path))
        yield stack.enter_context(formatted(write, path, output_format, result_type))
