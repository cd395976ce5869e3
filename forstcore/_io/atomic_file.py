"""Opening output files: replaced as a whole, or truncated by the first write.

All local output files are opened here.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from forstcore._io.destination import Destination, destination_of, is_mount_point
from forstcore._io.file_attributes import copy_attributes

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["check_writable", "drafted", "written_late", "written_whole"]

_CLOEXEC = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_PLAIN = os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | _CLOEXEC
_NEW = _PLAIN | os.O_CREAT | os.O_EXCL
_BY_DIRECTORY = {os.open, os.unlink, os.rename} <= os.supports_dir_fd  # Not on Windows.


class _OutputFile(io.FileIO):
    """A raw file that its first write truncates, and whose errors contain its name.

    Args:
        descriptor: an open file, which this object closes.
        given: its name.
        is_kept: whether the file still has its old content.
    """

    def __init__(self, descriptor: int, given: str, is_kept: bool = False) -> None:
        super().__init__(descriptor, "wb")
        self.is_kept = is_kept
        self._given = given

    def write(self, data: Buffer, /) -> int | None:  # type: ignore[override]
        try:
            self.empty()
            return super().write(data)
        except OSError as error:
            error.filename = self._given
            raise

    def empty(self) -> None:
        """Truncate the file, unless that has already happened."""
        if self.is_kept:
            os.ftruncate(self.fileno(), 0)
            self.is_kept = False


@contextmanager
def written_whole(target: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Write a file as a draft, which replaces it when the block ends without an error.

    Owner, mode, access control list and extended attributes of a replaced file are kept, as far
    as this process may set them. Other hard links to it keep the old content.

    Args:
        target: the file; symbolic links are followed. A pipe, a device or a descriptor
            (``/dev/stdout``) is written directly.

    Raises:
        OSError: it cannot be written. A file without write permission is not replaced either.
    """
    destination = destination_of(target)
    if not destination.is_replaceable:
        with _written_in_place(destination, is_kept=False) as file:
            yield file
        return
    old = _opened_to_replace(destination)
    try:
        with drafted(destination.directory, destination.name, destination.given, old) as file:
            yield file
    finally:
        if old is not None:
            os.close(old)


@contextmanager
def drafted(
    directory: str, name: str, given: str, old: int | None = None, tag: str = "forstcore"
) -> Iterator[BinaryIO]:
    """Write a draft in a directory, and rename it when the block ends without an error.

    The draft has a random name and is created exclusively, so that other users who can write to
    the directory cannot put a link in its place.

    Args:
        directory: the directory.
        name: its final name there; a file or symbolic link of that name is replaced.
        given: the file's path, for messages.
        old: descriptor of the file whose attributes the new one gets; None for none.
        tag: the first part of the draft's name.

    Raises:
        OSError: it cannot be written.
    """
    draft = f".{tag}.{os.urandom(8).hex()}.draft"
    with _opened_directory(directory, given) as above:
        if above is None:
            draft, name = str(Path(directory, draft)), str(Path(directory, name))
        try:
            descriptor = _open(draft, _NEW, given, 0o666 if old is None else 0o600, above)
            with io.BufferedWriter(_OutputFile(descriptor, given)) as file:
                yield file
                file.flush()
                if old is not None:
                    copy_attributes(old, descriptor)
                os.fsync(descriptor)
            try:
                os.replace(draft, name, src_dir_fd=above, dst_dir_fd=above)
            except OSError as error:
                error.filename, error.filename2 = given, None
                raise
        except BaseException:
            # The first error is the one to report.
            with suppress(OSError):
                os.unlink(draft, dir_fd=above)
            raise


@contextmanager
def written_late(target: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Write a file in place, and truncate it only when the first bytes are written.

    `tail -f` shows what is written, and an error before the first write leaves the file as it
    was. Without any write, it is truncated when the block ends without an error.

    Args:
        target: the file; symbolic links are followed. A pipe, a device or a descriptor is
            written directly.

    Raises:
        OSError: it cannot be written.
    """
    with _written_in_place(destination_of(target), is_kept=True) as file:
        yield file


def check_writable(target: str | os.PathLike[str]) -> None:
    """Check that `written_whole` could write a file now; nothing is changed.

    Raises:
        OSError: it could not.
    """
    destination = destination_of(target)
    if destination.is_replaceable:
        if (old := _opened_to_replace(destination)) is not None:
            os.close(old)
        if not os.access(destination.directory, os.W_OK | os.X_OK):
            is_there = Path(destination.directory).is_dir()
            number = errno.EACCES if is_there else errno.ENOENT
            raise OSError(number, os.strerror(number), destination.given)


@contextmanager
def _written_in_place(destination: Destination, is_kept: bool) -> Iterator[BinaryIO]:
    is_new = False
    if destination.descriptor is not None:
        # A duplicate has the same offset: what others write to it is not overwritten.
        descriptor = os.dup(destination.descriptor)
        is_kept = False
    elif destination.is_magic:
        descriptor = os.open(destination.path, os.O_WRONLY | _CLOEXEC)
        is_kept = True
    else:
        is_new = destination.status is None
        flags = _NEW if is_new else _PLAIN
        descriptor = _open(destination.path, flags, destination.given, 0o666)
    is_kept = is_kept and stat.S_ISREG(os.fstat(descriptor).st_mode)
    raw = _OutputFile(descriptor, destination.given, is_kept)
    try:
        with io.BufferedWriter(raw) as file:
            yield file
            file.flush()
            raw.empty()
    except BaseException:
        if is_new:
            with suppress(OSError):
                if Path(destination.path).stat().st_size == 0:
                    Path(destination.path).unlink()
        raise


def _opened_to_replace(destination: Destination) -> int | None:
    """Open the file that will be replaced, if there is one; this checks its write permission."""
    if destination.status is None:
        return None
    if is_mount_point(destination.path):
        raise OSError(
            errno.EBUSY,
            "something is mounted here, which cannot be replaced: mount its directory, or write "
            "to standard output",
            destination.given,
        )
    old = _open(destination.path, _PLAIN, destination.given)
    if os.name == "posix":
        return old
    # Windows does not replace open files, and has no modes to copy.
    os.close(old)
    return None


@contextmanager
def _opened_directory(path: str, given: str) -> Iterator[int | None]:
    """Open a directory, so that the length of its path does not matter; None on Windows."""
    if not _BY_DIRECTORY:
        yield None
        return
    flags = os.O_DIRECTORY | getattr(os, "O_PATH", os.O_RDONLY) | _CLOEXEC
    descriptor = _open(path, flags, given)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open(path: str, flags: int, given: str, mode: int = 0, above: int | None = None) -> int:
    try:
        return os.open(path, flags, mode, dir_fd=above)
    except OSError as error:
        # The user does not know the name of the draft.
        error.filename = given
        raise
