"""The output of a command, written atomically."""

from __future__ import annotations

import functools
import gzip
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, BinaryIO

from forstcore._io.atomic_file import written_whole
from forstcore._io.compressed import zstd
from forstcore.errors import RecordError
from forstcore.formats import Format
from forstcore.formats.result_types import columns_of_results
from forstcore.formats.writing import writer_of

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
    with _opened_bytes(path) as write:
        if output_format == "ndjson":
            yield write
            return
        writer = writer_of(output_format, write, path, columns_of_results(result_type))
        try:
            yield writer.write
            writer.finish()
        except RecordError:
            # The results before the line that ended the stream are still wanted on a pipe.
            writer.finish()
            raise
        finally:
            writer.close()


@contextmanager
def _opened_bytes(path: str) -> Iterator[Callable[[bytes], object]]:
    if path == "-":
        yield functools.partial(_write_at_once, sys.stdout.buffer)
        return
    with ExitStack() as stack:
        plain = stack.enter_context(written_whole(path))
        file: Any = plain
        if path.endswith(".gz"):
            # No name and no time, so that the output is reproducible.
            file = stack.enter_context(gzip.GzipFile("", "wb", 6, file, mtime=0))
        elif path.endswith(".zst"):
            if zstd is None:
                raise ValueError(f"{path}: writing zstd needs the package backports.zstd")
            file = stack.enter_context(zstd.ZstdFile(file, "wb"))
        elif not stat.S_ISREG(os.fstat(plain.fileno()).st_mode):
            yield functools.partial(_write_at_once, plain)
            return
        yield file.write


def _write_at_once(file: BinaryIO, data: bytes) -> None:
    file.write(data)
    file.flush()
