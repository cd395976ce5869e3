"""The file that a command writes: whole or not at all."""

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

__all__ = ["opened_output"]


@contextmanager
def opened_output(path: str) -> Iterator[Callable[[bytes], object]]:
    """Open an output for writing, compressed where its name ends in ``.gz`` or ``.zst``.

    Args:
        path: the file, which appears when the block ends well; ``-`` for standard output,
            which gets everything at once, as pipes and devices do.

    Yields:
        What writes bytes to it.
    """
    if path == "-":
        yield functools.partial(_write_at_once, sys.stdout.buffer)
        return
    with ExitStack() as stack:
        plain = stack.enter_context(written_whole(path))
        file: Any = plain
        if path.endswith(".gz"):
            # Without a name and a time in it: the same input gives the same file.
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
