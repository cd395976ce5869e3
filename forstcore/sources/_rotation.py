"""Names of rotated files: which file a name may come from, and which files have such names."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import stat
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import PurePath
from typing import NamedTuple

from forstcore.sources._file_offset import FileId

__all__ = [
    "MAX_NAMES",
    "FoundFile",
    "RotatedFiles",
    "base_names",
    "is_newer",
    "naming_style",
    "rotated_candidates",
]

MAX_NAMES = 10_000
"""Maximum number of names considered, of those that match a pattern or are in a directory."""

# app.log.1, app.log-20261128, app.log.2026-11-28_13-05, app.log.old
_AT_END = re.compile(r"(.+?)[-._](?:\d[\dTZ:_.+-]*|old|bak)")
# app.1.log, app-20261128.log
_BEFORE_SUFFIX = re.compile(r"(.+?)[-._]\d[\dTZ:_.+-]*(\.[A-Za-z]\w*)")
_NUMBERED = re.compile(r".*[-._](\d{1,4})(?:\.[A-Za-z]\w*)?")


class FoundFile(NamedTuple):
    """A file, and a path that it has now."""

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


def naming_style(found: FoundFile, base: str) -> str:
    """Return how a rotated name was derived from `base`.

    `app-2.log` may be unrelated to `app.log`. It counts as an older part of that only if rotation
    is known to produce such names.
    """
    name = os.path.basename(found.path)
    return "" if name.startswith(os.path.basename(base)) else re.sub(r"\d+", "0", name)


class RotatedFiles:
    """Finds the rotated files next to others, and reads each directory once."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, list[str]]] = {}

    def of(self, path: str) -> list[FoundFile]:
        """Return the files whose names may come from the rotation of a path."""
        directory, base = os.path.split(path)
        directory = directory or "."
        if directory not in self._names:
            names: dict[str, list[str]] = {}
            for each in islice(_listdir(directory), MAX_NAMES):
                for before in base_names(os.path.basename(each)):
                    names.setdefault(before, []).append(each)
            self._names[directory] = names
        found = map(_regular, self._names[directory].get(base, ()))
        return [each for each in found if each is not None]


def is_newer(found: FoundFile, than: FoundFile) -> bool:
    """Return whether one rotated file was written after another."""
    mtime, other = found.status.st_mtime_ns, than.status.st_mtime_ns
    if mtime != other:
        return mtime > other
    # File systems update times about a hundred times a second, so compare names.
    numbers = [_NUMBERED.fullmatch(os.path.basename(each.path)) for each in (found, than)]
    if numbers[0] and numbers[1]:
        return int(numbers[0][1]) < int(numbers[1][1])
    return found.path > than.path


def rotated_candidates(pattern: str, paths: Iterable[str]) -> Iterator[FoundFile]:
    """Yield files that may have matched a pattern before their rotation.

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
    names = chain.from_iterable(map(_listdir, sorted(directories)))
    for path in islice(names, MAX_NAMES):
        last = os.path.basename(path)
        if not (fnmatch.fnmatchcase(last, wanted) or fnmatch.fnmatchcase(last, literal)):
            continue
        if found := _regular(path):
            yield found


def _regular(path: str) -> FoundFile | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    # No symbolic links, whose targets may be anywhere, and nothing that could block.
    return FoundFile(path, status) if stat.S_ISREG(status.st_mode) else None


def _listdir(directory: str) -> list[str]:
    try:
        return [os.path.join(directory, name) for name in os.listdir(directory)]
    except OSError:
        return []
