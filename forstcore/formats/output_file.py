"""A file for results, written atomically, in any format, compressed or not."""

from __future__ import annotations

import gzip
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, BinaryIO

from forstcore._io.atomic_file import written_whole
from forstcore._io.compressed import zstd
from forstcore.errors import RecordError
from forstcore.formats import Format
from forstcore.formats.result_types import columns_of_results
from forstcore.formats.writing import writer_of

__all__ = ["formatted", "opened_file", "write_at_once"]

Write = Callable[[bytes], object]


@contextmanager
def formatted(
    write: Write, path: str, output_format: Format, result_type: object
) -> Iterator[Write]:
    """Convert results to the format of a file while writing them.

    Args:
        write: writes bytes to the file.
        path: the file, for messages.
        output_format: its format.
        result_type: the return annotation of the processor, None if there is none.

    Yields:
        A function that takes results as NDJSON.
    """
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
def opened_file(path: str | os.PathLike[str]) -> Iterator[Write]:
    """Open a file, compressed if its name ends in ``.gz`` or ``.zst``.

    Args:
        path: the file, which appears when the block ends without an exception. Pipes and devices
            are flushed after each write.

    Yields:
        A function that writes to it.
    """
    name = os.fsdecode(path)
    with ExitStack() as stack:
        plain = stack.enter_context(written_whole(path))
        file: Any = plain
        if name.endswith(".gz"):
            # No name and no time, so that the output is reproducible.
            file = stack.enter_context(gzip.GzipFile("", "wb", 6, file, mtime=0))
        elif name.endswith(".zst"):
            if zstd is None:
                raise ValueError(f"{name}: writing zstd needs the package backports.zstd")
            file = stack.enter_context(zstd.ZstdFile(file, "wb"))
        elif not stat.S_ISREG(os.fstat(plain.fileno()).st_mode):
            yield lambda data: write_at_once(plain, data)
            return
        yield file.write


def write_at_once(file: BinaryIO, data: bytes) -> None:
    """Write to a file that another process may be reading."""
    file.write(data)
    file.flush()
