"""Resolving the name of an output: a file that can be replaced, a device, a descriptor."""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Destination", "destination_of", "is_mount_point", "same_file"]

# Directories whose entries are the open files of a process. On Linux the entries are links whose
# target must not be used as a path: a pipe has no path, and that of a renamed or deleted file is
# wrong.
_DESCRIPTORS = re.compile(r"/proc/(?P<process>\d+)(?:/task/\d+)?/fd|/dev/fd")
_MOST_LINKS = 40  # As in Linux.
_EVERYBODY = stat.S_ISVTX | stat.S_IWOTH


@dataclass(frozen=True)
class Destination:
    """An output, with symbolic links followed.

    Attributes:
        given: the name as the user gave it, for messages.
        directory, name: its directory, and its name there.
        status: status of the existing file; None if there is none.
        descriptor: for a name like ``/dev/stdout`` or ``/dev/fd/3``, the descriptor; else None.
        is_magic: whether it is such a name for an open file of another process.
    """

    given: str
    directory: str
    name: str
    status: os.stat_result | None = None
    descriptor: int | None = None
    is_magic: bool = False

    @property
    def path(self) -> str:
        """The path, without symbolic links in its last component."""
        return str(Path(self.directory, self.name))

    @property
    def is_replaceable(self) -> bool:
        """Whether a new file can replace it; false for pipes, devices and descriptors."""
        if self.descriptor is not None or self.is_magic:
            return False
        return self.status is None or stat.S_ISREG(self.status.st_mode)


def destination_of(given: str | os.PathLike[str]) -> Destination:
    """Resolve the name of an output.

    In sticky directories that others can write to, such as ``/tmp``, files and links of other
    users are refused. Linux does the same when they are opened (``fs.protected_symlinks``,
    ``fs.protected_regular``), but not when links are read and files are replaced.

    Raises:
        IsADirectoryError: it is a directory.
        OSError: it is inaccessible, or belongs to another user.
    """
    text = os.fspath(given)
    path = text
    for _ in range(_MOST_LINKS):
        directory, name = os.path.split(path)
        directory = directory or os.curdir
        if name in ("", os.curdir, os.pardir):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), text)
        if found := _DESCRIPTORS.fullmatch(os.path.realpath(directory)):
            return _open_file(text, directory, name, found["process"])
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return Destination(text, directory, name)
        _refuse_strangers(status, directory, path)
        if not stat.S_ISLNK(status.st_mode):
            if stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), text)
            return Destination(text, directory, name, status)
        path = str(Path(directory, Path(path).readlink()))
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), text)


def is_mount_point(path: str) -> bool:
    """Return whether something is mounted on a file, as in containers: it cannot be replaced."""
    try:
        mounts = Path("/proc/self/mountinfo").read_bytes()
    except OSError:
        return os.path.ismount(path)
    escaped = re.sub(
        rb"[\t\n \\]", lambda found: b"\\%03o" % found[0][0], os.fsencode(os.path.realpath(path))
    )
    return any(line.split(b" ")[4] == escaped for line in mounts.splitlines())


def same_file(one: os.stat_result, other: os.stat_result) -> bool:
    """Return whether writing to one file changes what is read from the other.

    Character devices, such as terminals, and sockets may be input and output at once: inetd
    starts a process with one socket for both.
    """
    if stat.S_ISCHR(one.st_mode) or stat.S_ISSOCK(one.st_mode):
        return False
    return os.path.samestat(one, other)


def _open_file(given: str, directory: str, name: str, process: str | None) -> Destination:
    status = Path(directory, name).stat()
    if name.isdecimal() and (process in (None, str(os.getpid())) or _is_own(directory)):
        return Destination(given, directory, name, status, descriptor=int(name))
    return Destination(given, directory, name, status, is_magic=True)


def _is_own(directory: str) -> bool:
    """Return whether a directory lists our own descriptors.

    The process ID in its path may differ from ours: /proc may be that of another PID namespace.
    """
    try:
        return Path(directory).samefile("/proc/self/fd")
    except OSError:
        return False


def _refuse_strangers(status: os.stat_result, directory: str, path: str) -> None:
    if os.name != "posix":
        return
    above = Path(directory).stat()
    if not above.st_mode & stat.S_ISVTX or status.st_uid in (os.geteuid(), above.st_uid):
        return
    if above.st_mode & _EVERYBODY == _EVERYBODY or os.geteuid() != 0:
        raise PermissionError(
            errno.EACCES, "belongs to another user, in a directory that others can write to", path
        )
