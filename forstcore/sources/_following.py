"""The files that one reading follows: found, opened, recognised after rotation, and closed."""

from __future__ import annotations

import fnmatch
import glob
import os
import stat
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain, islice

from forstcore.sources._place import FileId, Place
from forstcore.sources._rotation import (
    MOST_NAMES,
    Found,
    RotatedFiles,
    base_names,
    is_newer,
    rotated_in,
    style,
)
from forstcore.sources._tail import Tail, may_open

__all__ = ["MOST_FILES", "Following"]

MOST_FILES = 100
"""Files that are followed at once."""

_GRACE = 10.0  # Seconds without a write after which a rotated file is taken to be complete.
_MOST_COPIES = 100  # Rotated files that are compared with one that was truncated.
_MOST_LEFT = 1000  # Closed files whose places are remembered.


class Following:
    """The files of one reading.

    Args:
        pattern: path of a file, or a pattern of paths.
        max_line_size: bytes of the longest line.
        on_trouble: called with a path and what is wrong with it.

    Attributes:
        tails: the open files.
        has_gap: whether lines may have been missed since this was last set to False.
    """

    def __init__(
        self, pattern: str, max_line_size: int, on_trouble: Callable[[str, str], None]
    ) -> None:
        self.tails: dict[FileId, Tail] = {}
        self.has_gap = False
        self._is_full = False
        self._pattern = os.path.join(os.getcwd(), pattern)
        self._max_line_size = max_line_size
        self._on_trouble = on_trouble
        self._has_begun = False
        self._at: dict[str, Found] = {}  # What names led to at the last look,
        self._before: dict[str, Found] = {}  # and what those did that lead nowhere now.
        self._blocked: set[FileId] = set()  # Files that could not be opened,
        self._waiting: set[FileId] = set()  # and those that there is no room for.
        self._awaited: dict[FileId, Place] = {}  # Places of an offset in such files.
        self._sizes: dict[FileId, int] = {}  # Sizes of files where the reading began.
        self._left: OrderedDict[FileId, Place] = OrderedDict()  # Places in files now closed.
        self._ignored: dict[FileId, tuple[int, int]] = {}  # Sizes and times of copies.

    def places(self) -> list[str]:
        """Return the entries of an offset."""
        return [
            *(tail.entry() for tail in self.tails.values()),
            *(str(place) for place in self._awaited.values()),
        ]

    def queues(self) -> list[list[Tail]]:
        """Return the files, those together that were written one after the other."""
        queues: dict[str, list[Tail]] = {}
        for tail in self.tails.values():
            queues.setdefault(tail.base, []).append(tail)
        for queue in queues.values():
            queue.sort(key=lambda tail: (not tail.is_rotated, tail.modified_at))
        return list(queues.values())

    def is_full(self) -> bool:
        """Tell whether there are more files to read than can be followed."""
        return bool(self._waiting)

    def is_blocked(self) -> bool:
        """Tell whether there are files that cannot be read now."""
        return bool(self._blocked) or any(tail.is_broken for tail in self.tails.values())

    def is_at_end(self) -> bool:
        """Tell whether there was nothing more to read at the last look."""
        return all(tail.is_at_end() or tail.is_broken for tail in self.tails.values())

    def close(self) -> None:
        """Close all files."""
        for tail in tuple(self.tails.values()):
            self._close(tail)

    def begin(self, *, at_end: bool) -> None:
        """Open the files that there are, at the start or the end of each."""
        listed = self._list()
        if at_end:
            self._sizes = {each.file_id: each.status.st_size for each in listed.values()}
        self._take(listed)
        self._has_begun = True

    def resume(self, places: Iterable[Place]) -> None:
        """Open the files that there are, and go on from the places of an offset."""
        self._has_begun = True
        listed = self._list()
        current = [(place, self._resume(place, listed.values())) for place in places]
        lost = [place for place, found in current if found is None]
        known = {place.file_id for place, _ in current}
        if lost:
            beside = list(rotated_in(self._pattern, listed))
            rotated = [(place, self._resume(place, beside)) for place in lost]
            # Copies last, so that none is taken for another file that is known by its inode.
            rotated = [
                (place, found or self._resume_copy(place, beside)) for place, found in rotated
            ]
            lost = [place for place, found in rotated if found is None]
            files = {found.file_id: found for found in beside}
            for place in lost:
                # A rotated file that was written anew, or a later one that got the inode.
                found = files.get(place.file_id) if place.file_id is not None else None
                if found is not None and (base := self._base(found)) is not None:
                    self._open_rotated(found, base)
                    self._open_newer(found, beside)
            for _, found in rotated:
                if found is not None:
                    self._open_newer(found, beside)
        for place, found in current:
            if found is not None and (since := place.emptied_at) is not None:
                # Nothing tells an empty file from another that got the inode, but that others
                # were rotated since it was empty: they have not been read.
                for other in RotatedFiles().of(found.path):
                    is_since = other.status.st_mtime_ns > since
                    if is_since and other.file_id not in known:
                        self.has_gap = True
                        self._open_rotated(other, found.path)
        for place in lost:
            self.has_gap = True
            if place.file_id is not None:
                self._left[place.file_id] = place
        self._take(listed)

    def find(self) -> None:
        """Open files that are new, and close those that are rotated and read."""
        now = time.monotonic()
        listed = self._list()
        by_id: dict[FileId, Found] = {}
        for found in listed.values():
            by_id.setdefault(found.file_id, found)
        for tail in tuple(self.tails.values()):
            self._locate(tail, listed, by_id, now)
        self._find_between(listed)
        self._take(listed)

    def rewritten(self, tail: Tail) -> None:
        """Read a file anew that was truncated; what was unread may stand in a copy of it.

        What was written between the copying and the truncation is lost, if anything was.
        """
        self._go_on_in_copy(tail)
        self.has_gap = True
        tail.has_gap = False
        tail.go_to_start()

    def failed(self, tail: Tail, error: OSError) -> None:
        """Open a file again that could not be read, if that is possible."""
        tail.is_broken = True
        self._on_trouble(tail.path, f"cannot be read: {error.strerror}")
        with suppress(OSError):
            tail.reopen()

    def ignore(self, tail: Tail) -> None:
        """Close a file that holds nothing to read, until it changes."""
        self._ignored[tail.file_id] = (tail.size, tail.modified_at)
        self._close(tail)

    def _list(self) -> dict[str, Found]:
        """Return the files that fit the pattern, by all their names."""
        names: Iterator[str] = glob.iglob(self._pattern, recursive=True)
        if glob.has_magic(self._pattern) and os.path.lexists(self._pattern):
            # Names may hold the signs of a pattern.
            names = chain([self._pattern], names)
        paths = sorted(set(islice(names, MOST_NAMES + 1)))
        if len(paths) > MOST_NAMES:
            self._on_trouble(self._pattern, f"fits more than {MOST_NAMES} names")
        listed: dict[str, Found] = {}
        for path in paths:
            try:
                status = os.stat(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                self._on_trouble(path, f"cannot be read: {error.strerror}")
                continue
            if stat.S_ISREG(status.st_mode):
                listed[path] = Found(path, status)
            elif not stat.S_ISDIR(status.st_mode):
                self._on_trouble(path, "is no regular file")
        if not paths:
            self._check_directory()
        return listed

    def _check_directory(self) -> None:
        """Tell why there may be no files: `glob` does not."""
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

    def _locate(
        self, tail: Tail, listed: Mapping[str, Found], by_id: Mapping[FileId, Found], now: float
    ) -> None:
        """Note where a file is now, and close it when it is complete and read."""
        found = listed.get(tail.path)
        if found is None or found.file_id != tail.file_id:
            found = by_id.get(tail.file_id)
        tail.is_listed = found is not None
        if found is not None:
            tail.path = found.path
        follower = listed.get(tail.base)
        tail.is_rotated = follower is None or follower.file_id != tail.file_id
        if not tail.is_rotated:
            tail.active_at = now
            tail.is_over = False
            return
        if now - tail.active_at < _GRACE:
            return
        tail.is_over = True
        if tail.is_listed:
            return
        # A writer that has not gone on to another file may still come back to this one.
        is_left = follower is not None and follower.status.st_size > 0
        if tail.is_broken or (tail.is_read() and (is_left or tail.is_deleted())):
            self.has_gap = self.has_gap or tail.is_broken
            self._leave(tail)

    def _find_between(self, listed: Mapping[str, Found]) -> None:
        """Open files that came and were rotated since the last look."""
        rotated = RotatedFiles()
        for path, before in self._at.items():
            now = listed.get(path)
            if now is None:
                self._before[path] = before
            if now is None or now.file_id != before.file_id:
                self._open_since(path, before, rotated)
        for path in list(self._before):
            if path in listed:
                self._open_since(path, self._before.pop(path), rotated)
        while len(self._before) > _MOST_LEFT:
            del self._before[next(iter(self._before))]

    def _open_since(self, path: str, before: Found, rotated: RotatedFiles) -> None:
        files = rotated.of(path)
        styles = [style(found, path) for found in files if found.file_id == before.file_id]
        for found in files:
            if found.status.st_mtime_ns >= before.status.st_mtime_ns and style(found, path) in (
                styles or [""]
            ):
                self._open_rotated(found, path)

    def _open_rotated(self, found: Found, base: str) -> None:
        """Open a file that has been rotated before it was seen, unless it was seen."""
        if found.file_id in self.tails or self._is_ignored(found):
            return
        if not self._has_room():
            self.has_gap = True
            return
        tail = self._open(found)
        if tail is None:
            return
        place = self._left.get(tail.file_id)
        if (place is not None and tail.go_to(place) and tail.is_read()) or any(
            tail.size and tail.is_copy_of(other)
            for other in self.tails.values()
            if other.base == base and other is not tail
        ):
            self.ignore(tail)
            return
        _set_rotated(tail, base)

    def _go_on_in_copy(self, tail: Tail) -> None:
        """Read the rest of a file that was truncated in a copy of it, if there is one."""
        copies = [
            found
            for found in RotatedFiles().of(tail.path)
            if found.file_id not in self.tails
            and (found.status.st_mtime_ns >= tail.modified_at or found.file_id in self._ignored)
        ]
        copies.sort(key=lambda found: -found.status.st_mtime_ns)
        for found in copies[:_MOST_COPIES]:
            copy = self._open(found) if self._has_room() else None
            if copy is None:
                continue
            if copy.go_on_for(tail):
                _set_rotated(copy, tail.base)
                return
            self._close(copy)

    def _resume(self, place: Place, files: Iterable[Found]) -> Found | None:
        """Go on from a place in one of some files; return which, None if in none of them."""
        same = [found for found in files if found.status.st_ino == place.inode]
        for found in sorted(same, key=lambda found: found.file_id != place.file_id):
            is_it = place.device is None or place.file_id == found.file_id
            # Devices may get other numbers when they are mounted again.
            if is_it or (place.position and place.fingerprint):
                if self._open_at(found, place):
                    return found
                if is_it and found.file_id in self._blocked:
                    self._awaited[found.file_id] = place
                    return found
        return None

    def _resume_copy(self, place: Place, beside: list[Found]) -> Found | None:
        """Go on in a copy of a file that was truncated; return it, None if there is none."""
        if not (place.position and place.fingerprint):
            return None
        copies = [found for found in beside if self._base(found)]
        copies.sort(key=lambda found: -found.status.st_mtime_ns)
        for found in copies[:_MOST_COPIES]:
            if self._open_at(found, place):
                # As in `rewritten`.
                self.has_gap = True
                return found
        return None

    def _open_newer(self, found: Found, beside: list[Found]) -> None:
        """Open what was rotated after a file was."""
        base = self._base(found)
        if base is None:
            return
        if tail := self.tails.get(found.file_id):
            _set_rotated(tail, base)
        if base not in self._before or is_newer(found, self._before[base]):
            self._before[base] = found
        for other in beside:
            if (
                self._base(other) == base
                and style(other, base) == style(found, base)
                and is_newer(other, found)
            ):
                self._open_rotated(other, base)

    def _open_at(self, found: Found, place: Place) -> bool:
        """Open a file at a place, if it holds what stood before that."""
        if found.file_id in self.tails or (tail := self._open(found)) is None:
            return False
        try:
            if tail.go_to(place):
                return True
        except OSError as error:
            self._block(found, error)
            return False
        self._close(tail)
        return False

    def _base(self, found: Found) -> str | None:
        """Return the path that fits the pattern and that a file had before it was rotated."""
        directory, name = os.path.split(found.path)
        pattern = os.path.basename(self._pattern)
        for base in base_names(name):
            if base == pattern or fnmatch.fnmatchcase(base, pattern):
                return os.path.join(directory, base)
        return None

    def _take(self, listed: dict[str, Found]) -> None:
        """Open the files that are not open yet."""
        ids = {found.file_id for found in listed.values()}
        self._ignored = {key: state for key, state in self._ignored.items() if key in ids}
        self._sizes = {key: size for key, size in self._sizes.items() if key in ids}
        new: dict[FileId, Found] = {}
        for found in listed.values():
            if found.file_id not in self.tails and not self._is_ignored(found):
                new.setdefault(found.file_id, found)
        order = list(new.values())
        if len(order) + len(self.tails) > MOST_FILES:
            # Those that are written to come first.
            order.sort(key=lambda found: -found.status.st_mtime_ns)
        blocked, self._blocked = self._blocked, set()
        waiting, self._waiting = self._waiting, set()
        for found in order:
            if self._has_room():
                try:
                    self._admit(found)
                except OSError as error:
                    self._block(found, error)
            elif found.status.st_size > self._sizes.get(found.file_id, 0):
                self._waiting.add(found.file_id)
        # Files that have ended may make room at the next look.
        is_full = bool(waiting and self._waiting)
        if is_full and not self._is_full:
            self.has_gap = True
            self._on_trouble(self._pattern, f"fits more files than the {MOST_FILES} that are read")
        self._is_full = is_full
        for gone in (blocked | waiting) - ids - self.tails.keys():
            self._awaited.pop(gone, None)
            self.has_gap = True
        for tail in self.tails.values():
            if tail.base == tail.path:
                for base in _bases(tail.path):
                    if base in listed:
                        _set_rotated(tail, base)
        self._at = listed

    def _admit(self, found: Found) -> None:
        """Open a file where it is to be read from, unless it is a copy of one that is read."""
        tail = self._open(found)
        if tail is None:
            return
        bases = _bases(tail.path)
        original = next((each for each in self.tails.values() if each.path in bases), None)
        size = self._sizes.pop(tail.file_id, 0)
        if awaited := self._awaited.pop(tail.file_id, None):
            self.has_gap = not tail.go_to(awaited) or self.has_gap
        elif left := self._left.pop(tail.file_id, None):
            tail.go_to(left)
        elif 0 < size <= tail.size:
            tail.go_to_end(size)
        elif original is not None and self._has_begun:
            is_copy = tail.is_copy_of(original)
            if not original.is_intact():
                self._close(tail)
                self.rewritten(original)
                if found.file_id in self.tails or (tail := self._open(found)) is None:
                    return
            elif is_copy:
                self.ignore(tail)
                return

    def _is_ignored(self, found: Found) -> bool:
        return self._ignored.get(found.file_id) == (found.status.st_size, found.status.st_mtime_ns)

    def _has_room(self) -> bool:
        """Tell whether one more file may be opened."""
        if len(self.tails) >= MOST_FILES:
            gone = [each for each in self.tails.values() if each.is_rotated and not each.is_listed]
            for tail in sorted(gone, key=lambda each: each.active_at):
                if tail.is_read():
                    self._leave(tail)
                    break
                # What it ends with is read as a line at the next look.
                tail.is_over = True
        return len(self.tails) < MOST_FILES and (not self.tails or may_open())

    def _open(self, found: Found) -> Tail | None:
        try:
            tail = Tail(found.path, self._max_line_size)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self._block(found, error)
            return None
        if tail.file_id in self.tails:
            # The name has come to lead to another file just now.
            tail.close()
            return None
        self.tails[tail.file_id] = tail
        return tail

    def _block(self, found: Found, error: OSError) -> None:
        self._blocked.add(found.file_id)
        self._on_trouble(found.path, f"cannot be opened: {error.strerror}")
        if tail := self.tails.get(found.file_id):
            self._close(tail)

    def _leave(self, tail: Tail) -> None:
        """Close a file, and remember how far it was read, should it come again."""
        if not tail.is_deleted():
            self._left[tail.file_id] = tail.place()
            if len(self._left) > _MOST_LEFT:
                self._left.popitem(last=False)
        self._close(tail)

    def _close(self, tail: Tail) -> None:
        tail.close()
        del self.tails[tail.file_id]


def _bases(path: str) -> list[str]:
    """Return the paths that a file may have had before it was rotated."""
    directory, name = os.path.split(path)
    return [os.path.join(directory, base) for base in base_names(name)]


def _set_rotated(tail: Tail, base: str) -> None:
    tail.base = base
    tail.is_rotated = True
