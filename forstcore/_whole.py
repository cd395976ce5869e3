"""Files that appear whole or not at all, and files that keep what they held until something comes.

All outputs that have a name on this machine are opened here.
"""

from __future__ import annotations

import errno
import io
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from forstcore._attributes import copy_attributes
from forstcore._destination import Destination, destination_of, is_mount_point

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["check_writable", "drafted", "written_late", "written_whole"]

_CLOEXEC = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_PLAIN = os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | _CLOEXEC
_NEW = _PLAIN | os.O_CREAT | os.O_EXCL
_BY_DIRECTORY = {os.open, os.unlink, os.rename} <= os.supports_dir_fd  # Not on Windows.


class _File(io.FileIO):
    """A file whose errors name it, and that is emptied by the first byte that comes.

    Args:
        descriptor: an open file; closed with this.
        given: its name.
        is_kept: whether it holds something that goes with the first byte.
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
        """Take away what it held when it was opened."""
        if self.is_kept:
            os.ftruncate(self.fileno(), 0)
            self.is_kept = False


@contextmanager
def written_whole(target: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for writing under another name; it gets its own when the block ends well.

    A file that is replaced hands on its owner, mode, access control list and extended
    attributes, as far as this process may set them. Other hard links to it keep what it held.

    Args:
        target: the file; one that is there is replaced, and links are followed to it. A pipe,
            a device or a descriptor (``/dev/stdout``) is written as it is.

    Raises:
        OSError: it cannot be written. A file that may not be written is not replaced either.
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
    """Write a draft in a directory, and give it a name there when the block ends well.

    The draft has a name that nobody can foretell and is never one that is there: in a directory
    that others write to, they cannot put a link in its way.

    Args:
        directory: the directory.
        name: the file; whatever has that name is replaced, a link too.
        given: the file's path, for messages.
        old: descriptor of the file that is replaced, whose attributes are kept; None for none.
        tag: what the name of the draft begins with, behind a dot.

    Raises:
        OSError: it cannot be written.
    """
    draft = f".{tag}.{secrets.token_hex(8)}.draft"
    with _opened_directory(directory, given) as above:
        if above is None:
            draft, name = str(Path(directory, draft)), str(Path(directory, name))
        try:
            descriptor = _open(draft, _NEW, given, 0o666 if old is None else 0o600, above)
            with io.BufferedWriter(_File(descriptor, given)) as file:
                yield file
                file.flush()
                if old is not None:
                    copy_attributes(old, descriptor)
                os.fsync(descriptor)
            os.replace(draft, name, src_dir_fd=above, dst_dir_fd=above)
        except BaseException:
            # What went wrong is told, rather than what that leads to here.
            with suppress(OSError):
                os.unlink(draft, dir_fd=above)
            raise


@contextmanager
def written_late(target: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for writing in place; what it holds goes when the first bytes are written.

    Whoever follows the file sees lines as they come, and an error before the first of them
    leaves the file as it was. If there are none, it is emptied when the block ends well.

    Args:
        target: the file; links are followed. A pipe, a device or a descriptor is written as
            it is.

    Raises:
        OSError: it cannot be written.
    """
    with _written_in_place(destination_of(target), is_kept=True) as file:
        yield file


def check_writable(target: str | os.PathLike[str]) -> None:
    """See that a file could be written whole now; nothing is changed.

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
        # Shares its place with others that write to it, and stays open for them.
        descriptor = os.dup(destination.descriptor)
        is_kept = False
    elif destination.is_magic:
        descriptor = os.open(destination.path, os.O_WRONLY | _CLOEXEC)
    else:
        is_new = destination.status is None
        flags = _NEW if is_new else _PLAIN
        descriptor = _open(destination.path, flags, destination.given, 0o666)
    is_kept = is_kept and stat.S_ISREG(os.fstat(descriptor).st_mode)
    raw = _File(descriptor, destination.given, is_kept)
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
    """Open the file that is to be replaced, if there is one, as a check that it may be written."""
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
    # Elsewhere a file that is open cannot be replaced, and has nothing to hand on.
    os.close(old)
    return None


@contextmanager
def _opened_directory(path: str, given: str) -> Iterator[int | None]:
    """Open a directory, so that only the length of the names in it matters; None on Windows."""
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
        # Nobody has heard of the draft.
        error.filename = given
        raise
