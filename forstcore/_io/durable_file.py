"""Replacing small files atomically, even in case of a power failure."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["replace_durably"]

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


def replace_durably(path: Path, content: bytes) -> None:
    """Replace a file that only this process writes.

    The draft always has the same name, so processes that are killed leave at most one.

    Args:
        path: the file.
        content: its new content.

    Raises:
        OSError: it cannot be written.
    """
    draft = path.with_name(f"{path.name}.draft")
    with os.fdopen(os.open(draft, _FLAGS | _NO_LINK, 0o666), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    _synchronize(path.parent)


def _synchronize(directory: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
