"""Names that files get when they are rotated, and the files that have such names."""

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

from forstcore.sources._place import FileId

__all__ = ["MOST_NAMES", "Found", "RotatedFiles", "base_names", "is_newer", "rotated_in", "style"]

MOST_NAMES = 10_000
"""Names that are looked at, of those that fit a pattern or of those in a directory."""

# app.log.1, app.log-20261128, app.log.2026-11-28_13-05, app.log.old
_AT_END = re.compile(r"(.+?)[-._](?:\d[\dTZ:_.+-]*|old|bak)")
# app.1.log, app-20261128.log
_BEFORE_SUFFIX = re.compile(r"(.+?)[-._]\d[\dTZ:_.+-]*(\.[A-Za-z]\w*)")
_NUMBERED = re.compile(r".*[-._](\d{1,4})(?:\.[A-Za-z]\w*)?")


class Found(NamedTuple):
    """A file, by a name that it has now."""

    path: str
    status: os.stat_result

    @property
    def file_id(self) -> FileId:
        """Which file it is."""
        return FileId.of(self.status)


def base_names(name: str) -> Iterator[str]:
    """Return the names that a file may have had before it was rotated to this one."""
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


def style(found: Found, base: str) -> str:
    """Return how a rotated name was made of another.

    `app-2.log` may be another file than `app.log`. It is taken for an older part of that only
    if that gets such names.
    """
    name = os.path.basename(found.path)
    return "" if name.startswith(os.path.basename(base)) else re.sub(r"\d+", "0", name)


class RotatedFiles:
    """The rotated files beside others, each directory read once."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, list[str]]] = {}

    def of(self, path: str) -> list[Found]:
        """Return the files whose names are that of a path when it is rotated."""
        directory, base = os.path.split(path)
        directory = directory or "."
        if directory not in self._names:
            names: dict[str, list[str]] = {}
            for each in islice(_listdir(directory), MOST_NAMES):
                for before in base_names(os.path.basename(each)):
                    names.setdefault(before, []).append(each)
            self._names[directory] = names
        found = map(_regular, self._names[directory].get(base, ()))
        return [each for each in found if each is not None]


def is_newer(found: Found, than: Found) -> bool:
    """Tell whether one rotated file was written after another."""
    mtime, other = found.status.st_mtime_ns, than.status.st_mtime_ns
    if mtime != other:
        return mtime > other
    # Clocks of file systems tick a hundred times a second: names decide.
    numbers = [_NUMBERED.fullmatch(os.path.basename(each.path)) for each in (found, than)]
    if numbers[0] and numbers[1]:
        return int(numbers[0][1]) < int(numbers[1][1])
    return found.path > than.path


def rotated_in(pattern: str, paths: Iterable[str]) -> Iterator[Found]:
    """Find files that may once have fitted a pattern, beside those that do.

    Args:
        pattern: the pattern, or a path without any.
        paths: files that fit it now.
    """
    name = PurePath(pattern)
    stem, suffix = name.stem, name.suffix
    wanted = f"{stem}*{suffix}*"
    literal = f"{glob.escape(stem)}*{glob.escape(suffix)}*"
    directories = {os.path.dirname(path) or "." for path in paths}
    around = os.path.dirname(pattern)
    directories.update(islice(glob.iglob(around, recursive=True), MOST_NAMES) if around else ["."])
    names = chain.from_iterable(map(_listdir, sorted(directories)))
    for path in islice(names, MOST_NAMES):
        last = os.path.basename(path)
        if not (fnmatch.fnmatchcase(last, wanted) or fnmatch.fnmatchcase(last, literal)):
            continue
        if found := _regular(path):
            yield found


def _regular(path: str) -> Found | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    # No link, which leads anywhere, and nothing that opening could wait for.
    return Found(path, status) if stat.S_ISREG(status.st_mode) else None


def _listdir(directory: str) -> list[str]:
    try:
        return [os.path.join(directory, name) for name in os.listdir(directory)]
    except OSError:
        return []
