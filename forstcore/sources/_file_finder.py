"""Finds the files whose paths match a pattern."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Callable, Iterator
from itertools import chain, islice

from forstcore.sources._rotation import MAX_NAMES, FoundFile, snapshot

__all__ = ["FileFinder"]


class FileFinder:
    """Finds the files whose paths match a pattern.

    Args:
        pattern: path of a file, or a pattern of paths.
        on_trouble: called with a path and what is wrong with it.
    """

    def __init__(self, pattern: str, on_trouble: Callable[[str, str], None]) -> None:
        self._pattern = pattern
        self._on_trouble = on_trouble
        self._is_first = True

    def find(self, before: dict[str, FoundFile] | None = None) -> dict[str, FoundFile]:
        """Return the files that match the pattern, by each of their paths.

        Args:
            before: the last result, which saves a second look if nothing has changed.
        """
        return snapshot(self._look, before)

    def _look(self) -> dict[str, FoundFile]:
        names: Iterator[str] = glob.iglob(self._pattern, recursive=True)
        if glob.has_magic(self._pattern) and os.path.lexists(self._pattern):
            # A file name may contain the special characters of a pattern.
            names = chain([self._pattern], names)
        paths = sorted(set(islice(names, MAX_NAMES + 1)))
        if len(paths) > MAX_NAMES:
            self._on_trouble(self._pattern, f"matches more than {MAX_NAMES} names")
        listed: dict[str, FoundFile] = {}
        for path in paths:
            try:
                status = os.stat(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                self._on_trouble(path, f"cannot be read: {error.strerror}")
                continue
            if stat.S_ISREG(status.st_mode):
                listed[path] = FoundFile(path, status)
            elif not stat.S_ISDIR(status.st_mode):
                self._on_trouble(path, "is not a regular file")
            elif path == self._pattern:
                self._on_trouble(path, "is a directory: name its files, as DIRECTORY/*.ndjson")
        if not paths:
            self._check_directory()
        if self._is_first and not listed:
            self._on_trouble(self._pattern, "matches no file")
        self._is_first = False
        return listed

    def _check_directory(self) -> None:
        """Report an unreadable directory, which `glob` ignores."""
        directory = os.path.dirname(self._pattern) or "."
        if glob.has_magic(directory):
            return
        try:
            with os.scandir(directory):
                pass
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            self._on_trouble(directory, f"cannot be read: {error.strerror}")
