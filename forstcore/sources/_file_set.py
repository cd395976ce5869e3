"""The set of files that one reader follows, through creation, rotation and deletion."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress

from forstcore.sources._file_finder import FileFinder
from forstcore.sources._file_offset import FileId, FilePosition
from forstcore.sources._file_order import grouped, with_rotated
from forstcore.sources._followed_file import FollowedFile, can_open
from forstcore.sources._rotation import (
    FoundFile,
    RotatedFiles,
    base_path,
    base_paths,
    is_newer,
    naming_style,
    newest,
    oldest_first,
    rotated_candidates,
)

__all__ = ["MAX_FILES", "FileSet"]

MAX_FILES = 100
"""Maximum number of files followed at once."""

_GRACE = 10.0  # Seconds without a write after which a rotated file counts as complete.
_MAX_TRIES = 10  # Maximum number of attempts to open files that are being renamed.
_MAX_CLOSED = 1000  # Maximum number of closed files whose positions are remembered.


class FileSet:
    """The files of one reader.

    Args:
        pattern: path of a file, or a pattern of paths.
        max_line_size: maximum bytes of a line.
        on_trouble: called with a path and what is wrong with it.

    Attributes:
        files: the open files.
        has_gap: whether lines may have been missed; reset by the user.
    """

    def __init__(
        self, pattern: str, max_line_size: int, on_trouble: Callable[[str, str], None]
    ) -> None:
        self.files: dict[FileId, FollowedFile] = {}
        self.has_gap = False
        self._is_full = False
        self._has_moved = False  # A file was renamed between a look and its opening.
        self._pattern = os.path.join(os.getcwd(), pattern)
        self._finder = FileFinder(self._pattern, on_trouble)
        self._max_line_size = max_line_size
        self._on_trouble = on_trouble
        self._has_begun = False
        self._listed: dict[str, FoundFile] = {}  # By path, at the last scan.
        self._missing: dict[str, FoundFile] = {}  # By path, of paths without a file.
        self._blocked: set[FileId] = set()  # Files that could not be opened.
        self._waiting: set[FileId] = set()  # Files beyond the maximum number.
        self._pending: dict[FileId, FilePosition] = {}  # To go to once opened.
        self._sizes: dict[FileId, int] = {}  # At the start of reading.
        self._closed: OrderedDict[FileId, FilePosition] = OrderedDict()
        self._ignored: dict[FileId, tuple[int, int]] = {}  # Size and mtime of copies.

    def positions(self) -> list[str]:
        """Return the entries of an offset."""
        return [
            *(file.entry() for file in self.files.values()),
            *(str(position) for position in self._pending.values()),
        ]

    def rotation_groups(self) -> list[list[FollowedFile]]:
        """Return the files, grouped by base path, each group in the order of writing."""
        return grouped(self.files.values())

    def is_full(self) -> bool:
        """Return whether there are more unread files than can be followed."""
        return bool(self._waiting)

    def is_blocked(self) -> bool:
        """Return whether some files cannot be read now."""
        return bool(self._blocked) or any(file.is_broken for file in self.files.values())

    def is_at_end(self) -> bool:
        """Return whether there was nothing more to read at the last check."""
        return all(file.is_at_end() or file.is_broken for file in self.files.values())

    def close(self) -> None:
        """Close all files."""
        for file in tuple(self.files.values()):
            self._close(file)

    def begin(self, *, at_end: bool) -> None:
        """Open the existing files, each at its start or end."""
        listed = self._finder.find()
        if at_end:
            self._sizes = {each.file_id: each.status.st_size for each in listed.values()}
        self._take(listed)
        self._has_begun = True

    def resume(self, positions: Iterable[FilePosition]) -> None:
        """Open the existing files, and resume from the positions of an offset."""
        self._has_begun = True
        listed = self._finder.find()
        current = [(position, self._resume(position, listed.values())) for position in positions]
        lost = [position for position, found in current if found is None]
        known = {position.file_id for position, _ in current}
        self.files = with_rotated(self.files, oldest_first(listed.values()), ())
        if lost:
            lost = self._resume_rotated(lost, listed)
        for position, found in current:
            if found is not None and (since := position.emptied_at) is not None:
                # An empty file looks like another that reused its inode. Files that were rotated
                # after it was empty show that; they have not been read.
                rotated = RotatedFiles().of(found.path)
                if any(other.file_id == found.file_id for other in rotated):
                    continue  # It has been rotated since it was found: see `_find_between`.
                for other in rotated:
                    if other.status.st_mtime_ns > since and other.file_id not in known:
                        self.has_gap = True
                        self._open_rotated(other, found.path)
        for position in lost:
            self.has_gap = True
            if position.file_id is not None:
                self._closed[position.file_id] = position
        self._take(listed)

    def scan(self) -> None:
        """Open new files, and close rotated ones that have been read."""
        now = time.monotonic()
        listed = self._finder.find(self._listed)
        by_id: dict[FileId, FoundFile] = {}
        for found in listed.values():
            by_id.setdefault(found.file_id, found)
        for file in tuple(self.files.values()):
            self._locate(file, listed, by_id, now)
        for group in self.rotation_groups():
            # Files that are newer than one of an offset count as unread if they are not in it.
            for file in _unlisted(group):
                if not (file.is_complete and self._may_leave(file, listed)):
                    break
                self.has_gap = self.has_gap or file.is_broken
                self._leave(file)
        self._find_between(listed)
        self._take(listed)

    def rewritten(self, file: FollowedFile) -> None:
        """Restart a file that was truncated; read its unread lines from a copy, if there is one.

        Anything written between copying and truncating it is lost.
        """
        self._go_on_in_copy(file)
        self.has_gap = True
        file.has_gap = False
        file.go_to_start()

    def failed(self, file: FollowedFile, error: OSError) -> None:
        """Reopen a file that could not be read, if that is possible."""
        file.is_broken = True
        self._on_trouble(file.path, f"cannot be read: {error.strerror}")
        with suppress(OSError):
            file.reopen()

    def ignore(self, file: FollowedFile) -> None:
        """Close a file that contains nothing to read, until it changes."""
        self._ignored[file.file_id] = (file.size, file.modified_at)
        self._close(file)

    def _locate(
        self,
        file: FollowedFile,
        listed: Mapping[str, FoundFile],
        by_id: Mapping[FileId, FoundFile],
        now: float,
    ) -> None:
        """Update where a file is now, and whether it is complete."""
        found = listed.get(file.path)
        if found is None or found.file_id != file.file_id:
            found = by_id.get(file.file_id)
        file.is_listed = found is not None
        if found is not None:
            file.path = found.path
        successor = listed.get(file.base)
        file.is_rotated = successor is None or successor.file_id != file.file_id
        if not file.is_rotated:
            file.active_at = now
            file.is_complete = False
        elif now - file.active_at >= _GRACE:
            file.is_complete = True

    def _may_leave(self, file: FollowedFile, listed: Mapping[str, FoundFile]) -> bool:
        """Return whether a file that is complete need not be followed any more."""
        if file.is_broken or not file.is_read():
            return file.is_broken
        # Until the new file has content, the writer may still use the old one. The entry of an
        # empty file in an offset does not tell which file it was.
        found = listed.get(file.base)
        successor = self.files.get(found.file_id) if found is not None else None
        return file.is_deleted() or (successor is not None and successor.has_start())

    def _find_between(self, listed: Mapping[str, FoundFile]) -> None:
        """Open files that were created and rotated since the last scan."""
        for path in list(self._missing):
            if path in listed:
                self._open_since(path, self._missing.pop(path))
        for path, before in self._listed.items():
            now = listed.get(path)
            if now is None:
                self._missing.setdefault(path, before)
            if now is None or now.file_id != before.file_id:
                self._open_since(path, before)
        while len(self._missing) > _MAX_CLOSED:
            del self._missing[next(iter(self._missing))]

    def _open_since(self, path: str, before: FoundFile) -> None:
        known = set(self.files)
        for _ in range(_MAX_TRIES):
            files = RotatedFiles().of(path)
            own = [found for found in files if found.file_id == before.file_id]
            naming_styles = [naming_style(found, path) for found in own] or [""]
            self._has_moved = False
            for found in files:
                if own:
                    # By name if the times are equal: what was rotated before it may have been read
                    # by an earlier process.
                    is_since = found in own or is_newer(found, own[0])
                else:
                    is_since = found.status.st_mtime_ns >= before.status.st_mtime_ns
                if is_since and naming_style(found, path) in naming_styles:
                    self._open_rotated(found, path)
            self.files = with_rotated(self.files, files, known)
            if not self._has_moved:
                return
        self._missing.setdefault(path, before)

    def _open_rotated(self, found: FoundFile, base: str) -> None:
        """Open a file that may have been rotated before it was ever followed."""
        if found.file_id in self.files or self._is_ignored(found):
            return
        if not self._has_room():
            self.has_gap = True
            return
        file = self._open(found)
        if file is None:
            return
        position = self._closed.get(file.file_id)
        if (position is not None and file.go_to(position) and file.is_read()) or any(
            file.size and file.is_copy_of(other)
            for other in self.files.values()
            if other.base == base and other is not file
        ):
            self.ignore(file)
            return
        file.set_rotated(base)

    def _go_on_in_copy(self, file: FollowedFile) -> None:
        """Read the rest of a truncated file from a copy of it, if there is one."""
        copies = [
            found
            for found in RotatedFiles().of(file.path)
            if found.file_id not in self.files
            and (found.status.st_mtime_ns >= file.modified_at or found.file_id in self._ignored)
        ]
        for found in newest(copies):
            copy = self._open(found) if self._has_room() else None
            if copy is None:
                continue
            if copy.continue_from(file):
                copy.set_rotated(file.base)
                return
            self._close(copy)

    def _resume_rotated(
        self, lost: list[FilePosition], listed: Mapping[str, FoundFile]
    ) -> list[FilePosition]:
        """Resume in files that were rotated, and open newer ones; return what was not found."""
        resumed: set[FileId] = set()
        for _ in range(_MAX_TRIES):
            self._has_moved = False
            beside = rotated_candidates(self._pattern, listed)
            tried = [(position, self._resume(position, beside)) for position in lost]
            lost = [position for position, found in tried if found is None]
            resumed.update(found.file_id for _, found in tried if found is not None)
            if not self._has_moved:
                break
        # Copies last: a file with the right inode takes precedence.
        copies = [(position, self._resume_copy(position, beside)) for position in lost]
        lost = [position for position, copy in copies if copy is None]
        resumed.update(copy.file_id for _, copy in copies if copy is not None)
        files = {found.file_id: found for found in beside}
        for position in lost:
            # A rotated file that was rewritten, or a later one that reused the inode.
            found = files.get(position.file_id) if position.file_id is not None else None
            if found is not None and (base := base_path(found.path, self._pattern)):
                self._open_rotated(found, base)
                resumed.add(found.file_id)
        for _ in range(_MAX_TRIES):
            self._has_moved = False
            for found in beside:
                if found.file_id in resumed:
                    self._open_newer(found, beside)
            if not self._has_moved:
                break
            beside = rotated_candidates(self._pattern, listed)
        self.files = with_rotated(self.files, beside, ())
        return lost

    def _resume(self, position: FilePosition, files: Iterable[FoundFile]) -> FoundFile | None:
        """Resume from a position in one of some files; return that file, or None."""
        same = [found for found in files if found.status.st_ino == position.inode]
        for found in sorted(same, key=lambda found: found.file_id != position.file_id):
            is_it = position.device is None or position.file_id == found.file_id
            # A device may get another number when it is mounted again.
            if is_it or (position.position and position.fingerprint):
                if self._open_at(found, position):
                    return found
                if is_it and found.file_id in self._blocked:
                    self._pending[found.file_id] = position
                    return found
        return None

    def _resume_copy(self, position: FilePosition, beside: list[FoundFile]) -> FoundFile | None:
        """Resume in a copy of a file that was truncated; return it, or None."""
        if not (position.position and position.fingerprint):
            return None
        for found in newest([each for each in beside if base_path(each.path, self._pattern)]):
            if self._open_at(found, position):
                # Lines may be lost, as in `rewritten`.
                self.has_gap = True
                return found
        return None

    def _open_newer(self, found: FoundFile, beside: list[FoundFile]) -> None:
        """Open files that were rotated after `found`."""
        base = base_path(found.path, self._pattern)
        if base is None:
            return
        if file := self.files.get(found.file_id):
            file.set_rotated(base)
        if base not in self._missing or is_newer(found, self._missing[base]):
            self._missing[base] = found
        for other in beside:
            if (
                base_path(other.path, self._pattern) == base
                and naming_style(other, base) == naming_style(found, base)
                and is_newer(other, found)
            ):
                self._open_rotated(other, base)

    def _open_at(self, found: FoundFile, position: FilePosition) -> bool:
        """Open a file at a position, if the content before that is the same."""
        if found.file_id in self.files or (file := self._open(found)) is None:
            return False
        try:
            if file.go_to(position):
                return True
        except OSError as error:
            self._block(found, error)
            return False
        self._close(file)
        return False

    def _take(self, listed: dict[str, FoundFile]) -> None:
        """Open the files that are not open yet, as far as there is room."""
        ids = {found.file_id for found in listed.values()}
        self._ignored = {key: state for key, state in self._ignored.items() if key in ids}
        self._sizes = {key: size for key, size in self._sizes.items() if key in ids}
        new: dict[FileId, FoundFile] = {}
        for found in listed.values():
            if found.file_id not in self.files and not self._is_ignored(found):
                new.setdefault(found.file_id, found)
        order = sorted(
            oldest_first(new.values()),
            key=lambda found: next(filter(listed.__contains__, base_paths(found.path)), found.path),
        )
        if len(order) + len(self.files) > MAX_FILES:
            # Recently written files come first.
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
        # Warn only if that is still so at the next scan, as ended files may have made room.
        is_full = bool(waiting and self._waiting)
        if is_full and not self._is_full:
            self.has_gap = True
            self._on_trouble(
                self._pattern, f"matches more files than the {MAX_FILES} that can be followed"
            )
        self._is_full = is_full
        for gone in (blocked | waiting) - ids - self.files.keys():
            self._pending.pop(gone, None)
            self.has_gap = True
        for file in self.files.values():
            if file.base == file.path:
                for base in base_paths(file.path):
                    if base in listed:
                        file.set_rotated(base)
        self._listed = listed

    def _admit(self, found: FoundFile) -> None:
        """Open a file at the right position, unless it is a copy of a followed one."""
        file = self._open(found)
        if file is None:
            return
        bases = base_paths(file.path)
        original = next((each for each in self.files.values() if each.path in bases), None)
        size = self._sizes.pop(file.file_id, 0)
        if pending := self._pending.pop(file.file_id, None):
            self.has_gap = not file.go_to(pending) or self.has_gap
        elif closed_at := self._closed.pop(file.file_id, None):
            file.go_to(closed_at)
        elif 0 < size <= file.size:
            file.go_to_end(size)
        elif original is not None and self._has_begun:
            is_copy = file.is_copy_of(original)
            if not original.is_intact():
                self._close(file)
                self.rewritten(original)
                if found.file_id in self.files or (file := self._open(found)) is None:
                    return
            elif is_copy:
                self.ignore(file)
                return

    def _is_ignored(self, found: FoundFile) -> bool:
        return self._ignored.get(found.file_id) == (found.status.st_size, found.status.st_mtime_ns)

    def _has_room(self) -> bool:
        """Return whether one more file may be opened."""
        if len(self.files) >= MAX_FILES:
            gone = [next(_unlisted(group), None) for group in self.rotation_groups()]
            for file in sorted(filter(None, gone), key=lambda each: each.active_at):
                if file.is_read():
                    self._leave(file)
                    break
                # The rest of it is read as a line at the next check.
                file.is_complete = True
        return len(self.files) < MAX_FILES and (not self.files or can_open())

    def _open(self, found: FoundFile) -> FollowedFile | None:
        try:
            file = FollowedFile(found.path, self._max_line_size)
        except (FileNotFoundError, NotADirectoryError):
            self._has_moved = True
            return None
        except OSError as error:
            self._block(found, error)
            return None
        if file.file_id != found.file_id or file.file_id in self.files:
            # The path leads to another file since the look.
            file.close()
            self._has_moved = True
            return None
        self.files[file.file_id] = file
        return file

    def _block(self, found: FoundFile, error: OSError) -> None:
        self._blocked.add(found.file_id)
        self._on_trouble(found.path, f"cannot be opened: {error.strerror}")
        if file := self.files.get(found.file_id):
            self._close(file)

    def _leave(self, file: FollowedFile) -> None:
        """Close a file, but remember its position in case it reappears."""
        if not file.is_deleted():
            self._closed[file.file_id] = file.file_position()
            if len(self._closed) > _MAX_CLOSED:
                self._closed.popitem(last=False)
        self._close(file)

    def _close(self, file: FollowedFile) -> None:
        file.close()
        del self.files[file.file_id]


def _unlisted(group: list[FollowedFile]) -> Iterator[FollowedFile]:
    """Yield the files of a group whose names do not match the pattern any more, in order."""
    return (file for file in group if file.is_rotated and not file.is_listed)
