"""Reading Parquet as NDJSON, with pyarrow."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO

import pyarrow as pa
import pyarrow.parquet

from forstcore._io.json_lines import dump_lines

__all__ = ["read_parquet"]

_ROWS = 1000  # At once.


def read_parquet(file: IO[bytes], name: str) -> Iterator[bytes]:
    """Yield the rows of a file as lines of NDJSON.

    Args:
        file: the file, which must be seekable.
        name: its name, for messages.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not Parquet, or JSON cannot represent a value in it.
    """
    if not file.seekable():
        raise ValueError(f"{name}: Parquet can be read from a file only")
    behind = 0
    try:
        with pyarrow.parquet.ParquetFile(file) as table:
            for batch in table.iter_batches(_ROWS, use_threads=False):
                lines = io.BytesIO()
                try:
                    dump_lines(batch.to_pylist(), lines)
                except (TypeError, ValueError) as error:
                    row = behind + lines.getvalue().count(b"\n") + 1
                    reason = str(error).replace("a result", "a value")
                    raise ValueError(f"{name}: row {row:,}: {reason}") from None
                behind += batch.num_rows
                yield lines.getvalue()
    except pa.ArrowException as error:
        raise ValueError(f"{name}: {error}") from None
