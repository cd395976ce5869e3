"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["written_whole"]


@contextmanager
def written_whole(target: Path) -> Iterator[BinaryIO]:
    """Open a file for writing under another name; it gets its own when the block ends well.

    Args:
        target: the file; one that is there is replaced. A pipe or a device is written as it is.

    Raises:
        OSError: it cannot be written.
    """
    target = target.resolve()
    if target.exists() and not target.is_file():
        # Nothing can take its place.
        with target.open("wb") as file:
            yield file
        return
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
