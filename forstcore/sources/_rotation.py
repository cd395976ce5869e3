"""Names of rotated files: which file a name may come from, and which files have such names."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from functools import cmp_to_key
from itertools import chain, islice
from pathlib import PurePath
from typing import NamedTuple

from forstcore.sources._file_offset import FileId

__all__ = [
    "MAX_NAMES",
    "FoundFile",
    "RotatedFiles",
    "base_names",
    "base_path",
    "base_paths",
    "is_newer",
    "naming_style",
    "newest",
    "oldest_first",
    "rotated_candidates",
    "snapshot",
]

MAX_NAMES = 10_000
"""Maximum number of names considered, of those that match a pattern or are in a directory."""

_MAX_COPIES = 100  # Maximum number of rotated files compared with a truncated one.
_MAX_LOOKS = 30  # Maximum scans of a directory whose files are being renamed.

# app.log.1, app.log-20261128, app.log.2026-11-28_13-05, app.log.old
_AT_END = re.compile(r"(.+?)[-._](?:\d[\dTZ:_.+-]*|old|bak)")
# app.1.log, app-20261128.log
_BEFORE_SUFFIX = re.compile(r"(.+?)[-._]\d[\dTZ:_.+-]*(\.[A-Za-z]\w*)")
_NUMBERED = re.compile(r".*[-._](\d{1,4})(?:\.[A-Za-z]\w*)?")


class FoundFile(NamedTuple):
    """A file and one of its current paths."""

    path: str
    status: os.stat_result

    @property
    def file_id(self) -> FileId:
        """Which file it is."""
        return FileId.of(self.status)


def base_names(name: str) -> Iterator[str]:
    """Yield the names that a file may have had before it was rotated to this one."""
    names = [name]
    for _ in range(2):
        before = []
        for each in names:
            if found := _AT_END.fullmatch(each):
                before.append(found[1])
            if found := _BEFORE_SUFFIX.fullmatch(each):
                before.append(found[1] + found[2])
        yield from before
        names = before


def base_paths(path: str) -> list[str]:
    """Return the paths that a file may have had before its rotation."""
    directory, name = os.path.split(path)
    return [os.path.join(directory, base) for base in base_names(name)]


def base_path(path: str, pattern: str) -> str | None:
    """Return the path, matching a pattern, that a file had before its rotation."""
    wanted = os.path.basename(pattern)
    for base in base_paths(path):
        name = os.path.basename(base)
        if name == wanted or fnmatch.fnmatchcase(name, wanted):
            return base
    return None


def naming_style(found: FoundFile, base: str) -> str:
    """Return how a rotated name was derived from `base`.

    `app-2.log` may be unrelated to `app.log`. It counts as an older part of that only if rotation
    is known to produce such names.
    """
    name = os.path.basename(found.path)
    return "" if name.startswith(os.path.basename(base)) else re.sub(r"\d+", "0", name)


def snapshot(
    look: Callable[[], dict[str, FoundFile]], before: dict[str, FoundFile] | None = None
) -> dict[str, FoundFile]:
    """Return a consistent mapping from names to files, although files may be renamed meanwhile.

    A single scan misses a file that is renamed from a name not scanned yet to one already scanned.
    If two scans in a row find the same, the files had these names between them.

    Args:
        look: scans for the files; returns them by path.
        before: the result of an earlier scan.
    """
    found = look() if before is None else before
    for _ in range(_MAX_LOOKS):
        before, found = found, look()
        if len(found) == len(before) and all(
            path in before and before[path].file_id == each.file_id for path, each in found.items()
        ):
            break
    return found


class RotatedFiles:
    """Finds the rotated files next to others, and reads each directory once."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, list[FoundFile]]] = {}

    def of(self, path: str) -> list[FoundFile]:
        """Return the files whose names may come from the rotation of a path, the oldest first."""
        directory, base = os.path.split(path)
        directory = directory or "."
        if directory not in self._found:
            files: dict[str, list[FoundFile]] = {}
            for each in snapshot(lambda: _rotated_in(directory)).values():
                for before in base_names(os.path.basename(each.path)):
                    files.setdefault(before, []).append(each)
            self._found[directory] = files
        return oldest_first(self._found[directory].get(base, ()))


def is_newer(found: FoundFile, than: FoundFile) -> bool:
    """Return whether one file was written after another, by their times or else their names."""
    mtime, other = found.status.st_mtime_ns, than.status.st_mtime_ns
    # A writer may have gone on in an older file after it created an empty one.
    if mtime != other and found.status.st_size and than.status.st_size:
        return mtime > other
    # File systems update times about a hundred times a second, so compare names.
    names = [os.path.basename(each.path) for each in (found, than)]
    is_rotated, other_is = (any(base_names(name)) for name in names)
    if is_rotated != other_is:
        return other_is
    numbers = [_NUMBERED.fullmatch(name) for name in names]
    if numbers[0] and numbers[1]:
        return int(numbers[0][1]) < int(numbers[1][1])
    return found.path > than.path


def oldest_first(files: Iterable[FoundFile]) -> list[FoundFile]:
    """Return rotated files in the order in which they were written."""

    def compare(one: FoundFile, other: FoundFile) -> int:
        return 1 if is_newer(one, other) else -1

    return sorted(files, key=cmp_to_key(compare))


def newest(copies: list[FoundFile]) -> list[FoundFile]:
    """Return the copies worth comparing with a truncated file, the newest first."""
    return oldest_first(copies)[: -_MAX_COPIES - 1 : -1]


def rotated_candidates(pattern: str, paths: Iterable[str]) -> list[FoundFile]:
    """Return files that may have matched a pattern before their rotation, the oldest first.

    Args:
        pattern: the pattern, or a plain path.
        paths: files that match it now; their directories are searched.
    """
    name = PurePath(pattern)
    stem, suffix = name.stem, name.suffix
    wanted = f"{stem}*{suffix}*"
    literal = f"{glob.escape(stem)}*{glob.escape(suffix)}*"
    directories = {os.path.dirname(path) or "." for path in paths}
    around = os.path.dirname(pattern)
    directories.update(islice(glob.iglob(around, recursive=True), MAX_NAMES) if around else ["."])

    def look() -> dict[str, FoundFile]:
        names = chain.from_iterable(map(_listdir, sorted(directories)))
        last = ((path, os.path.basename(path)) for path in islice(names, MAX_NAMES))
        return _regular(
            path
            for path, name in last
            if fnmatch.fnmatchcase(name, wanted) or fnmatch.fnmatchcase(name, literal)
        )

    return oldest_first(snapshot(look).values())


def _rotated_in(directory: str) -> dict[str, FoundFile]:
    """Return the files of a directory whose names may come from a rotation."""
    names = islice(_listdir(directory), MAX_NAMES)
    return _regular(path for path in names if any(base_names(os.path.basename(path))))


def _regular(paths: Iterable[str]) -> dict[str, FoundFile]:
    found = {}
    for path in paths:
        try:
            status = os.lstat(path)
        except OSError:
            continue
        # No symbolic links, whose targets may be anywhere, and nothing that could block.
        if stat.S_ISREG(status.st_mode):
            found[path] = FoundFile(path, status)
    return found


def _listdir(directory: str) -> list[str]:
    try:
        return [os.path.join(directory, name) for name in os.listdir(directory)]
    except OSError:
        return []
