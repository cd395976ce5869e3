"""Files: `file:out/results.ndjson`, appended to, or rotated with `max_size=` and `max_age=`.

A manifest next to the output has its confirmed size and the offset of the source. If a process was
killed, the next one truncates the output to that size before it continues, so the output contains
each result exactly once: see
 `forstcore.sinks._rotated_file`. Files whose names end in ``.gz`` or
``.zst`` are compressed. A series whose name ends in ``.parquet`` is Parquet, any other NDJSON;
`format=` specifies it for other names.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote_to_bytes

from forstcore._io.compressed import is_compressed, zstd
from forstcore.errors import SinkError
from forstcore.formats import Format, UnknownFormatError, format_of
from forstcore.formats.writing import NEEDS_PYARROW
from forstcore.sinks import SinkLimits, SinkUrl
from forstcore.sinks._file_writer import FileWriter
from forstcore.sinks._rotated_file import NEVER, ForeignFileError, RotatedFile
from forstcore.sources import Notice, Reader, Source
from forstcore.sources._broker_log import BrokerLog

__all__ = ["FileSink"]


class FileSink:
    """A file, or a series of them.

    Args:
        url: as above.
        limits: the bytes that a writer holds.

    Attributes:
        name: its name, for people.
        file: the file, or the path from which the names of a series are derived.
    """

    keeps_offsets = True

    def __init__(self, url: SinkUrl, limits: SinkLimits) -> None:
        self.name = url.name
        # File names are bytes, which need not be UTF-8.
        path = os.fsdecode(unquote_to_bytes(os.fsencode(url.raw_path)))
        if url.address or not path or path.endswith("/") or "\0" in path:
            raise SinkError(url.name, "names no file: file:/path/name or file:path/name")
        self._format = _format_of(url, path)
        if path.endswith(".zst") and zstd is None:
            raise SinkError(url.name, "is compressed with zstd, which needs backports.zstd")
        self._path = Path(path)
        self.file = os.path.realpath(path)
        self._max_size = url.take_size("max_size", 0)
        self._max_age = url.take_seconds("max_age", NEVER)
        if self._format == "parquet" and not self._max_size and self._max_age == NEVER:
            raise SinkError(
                url.name, "writes Parquet, which cannot be appended to: give max_size= or max_age="
            )
        self._limits = limits
        self._log = BrokerLog(url.name, "sink")
        self._writer: FileWriter | None = None

    def check(self) -> None:
        if self._path.is_dir():
            raise SinkError(self.name, f"cannot be written: {self._path} is a directory")
        directory = self._path.parent
        if not directory.is_dir():
            raise SinkError(self.name, f"cannot be written: there is no directory {directory}")
        if not os.access(directory, os.W_OK | os.X_OK):
            raise SinkError(self.name, f"cannot be written: {directory} may not be written to")

    async def offset(self) -> str:
        try:
            return await asyncio.to_thread(self._file().offset)
        except (OSError, ForeignFileError) as error:
            raise SinkError(self.name, f"cannot be written: {error}") from None

    def acknowledges(self, source: Source) -> bool:
        return False

    async def open(self, reader: Reader | None) -> FileWriter:
        executor = ThreadPoolExecutor(1, f"forstcore-sink-{self.name}")
        writer = FileWriter(self.name, self._log, self._limits, self._file(), executor)
        try:
            await writer.open()
        except BaseException:
            await writer.close()
            raise
        self._writer = writer
        return writer

    def trouble(self) -> Notice | None:
        return self._writer.trouble if self._writer is not None else None

    async def close(self) -> None:
        """Do nothing: files belong to the writer."""

    def _file(self) -> RotatedFile:
        if self._format == "parquet":
            from forstcore.sinks._parquet_file import ParquetFile

            return ParquetFile(self._path, self._max_size, self._max_age, self._limits.source)
        return RotatedFile(self._path, self._max_size, self._max_age, self._limits.source)


def _format_of(url: SinkUrl, path: str) -> Format:
    """Return the format of a file.

    Raises:
        SinkError: it is not known, or cannot be written.
    """
    given = url.take_one_of("format", ("", "ndjson", "parquet"), "")
    try:
        found: Format = format_of(path) if not given else "ndjson"
        found = "parquet" if given == "parquet" else found
    except UnknownFormatError as error:
        raise SinkError(url.name, f"has no known format: {error}; or add format=ndjson") from None
    if found not in ("ndjson", "parquet"):
        raise SinkError(url.name, f"writes NDJSON or Parquet, not the format of {path}")
    if found == "parquet" and is_compressed(path):
        raise SinkError(url.name, "writes Parquet, which is compressed inside")
    if found == "parquet" and importlib.util.find_spec("pyarrow") is None:
        raise SinkError(url.name, f"cannot be written: {NEEDS_PYARROW}")
    return found
