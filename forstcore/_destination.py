"""What the name of an output stands for: a file that can be replaced, or something else."""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Destination", "destination_of", "is_mount_point", "same_file"]

# Directories whose entries are the open files of a process. On Linux these entries look like
# links to paths, which may not exist (a pipe) or belong to another file by now.
_DESCRIPTORS = re.compile(r"/proc/(?P<process>\d+)(?:/task/\d+)?/fd|/dev/fd")
_MOST_LINKS = 40  # As in Linux.
_EVERYBODY = stat.S_ISVTX | stat.S_IWOTH


@dataclass(frozen=True)
class Destination:
    """Where an output goes, with symbolic links followed.

    Attributes:
        given: the name as the user gave it, for messages.
        directory, name: the directory, as it was spelled, and the name in it.
        status: what is there now; None if there is nothing.
        descriptor: the open file of this process that the name stands for, as `/dev/stdout`
            does; None if it is no such name.
        is_magic: whether the name stands for an open file of another process.
    """

    given: str
    directory: str
    name: str
    status: os.stat_result | None = None
    descriptor: int | None = None
    is_magic: bool = False

    @property
    def path(self) -> str:
        """Its path, which begins with `directory`."""
        return str(Path(self.directory, self.name))

    @property
    def is_replaceable(self) -> bool:
        """Whether a new file can take its place: not so for pipes, devices and descriptors."""
        if self.descriptor is not None or self.is_magic:
            return False
        return self.status is None or stat.S_ISREG(self.status.st_mode)


def destination_of(given: str | os.PathLike[str]) -> Destination:
    """Follow the links of a name to what has to be written.

    In a directory like ``/tmp``, where everybody may write, names that belong to somebody else
    are refused, as Linux does for those that open them (``fs.protected_symlinks`` and
    ``fs.protected_regular``).

    Raises:
        IsADirectoryError: it is a directory.
        OSError: it cannot be reached, or belongs to somebody else.
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
    """Tell whether something is mounted on a file, as containers do; nothing can replace it."""
    try:
        mounts = Path("/proc/self/mountinfo").read_bytes()
    except OSError:
        return os.path.ismount(path)
    escaped = re.sub(
        rb"[\t\n \\]", lambda found: b"\\%03o" % found[0][0], os.fsencode(os.path.realpath(path))
    )
    return any(line.split(b" ")[4] == escaped for line in mounts.splitlines())


def same_file(one: os.stat_result, other: os.stat_result) -> bool:
    """Tell whether two files are one, and reading it gives what was written to it.

    Not so for terminals and other character devices, nor for sockets, which a process that is
    started for a connection has as its input and its output.
    """
    if stat.S_ISCHR(one.st_mode) or stat.S_ISSOCK(one.st_mode):
        return False
    return os.path.samestat(one, other)


def _open_file(given: str, directory: str, name: str, process: str | None) -> Destination:
    status = Path(directory, name).stat()
    if process in (None, str(os.getpid())) and name.isdecimal():
        return Destination(given, directory, name, status, descriptor=int(name))
    return Destination(given, directory, name, status, is_magic=True)


def _refuse_strangers(status: os.stat_result, directory: str, path: str) -> None:
    if os.name != "posix":
        return
    above = Path(directory).stat()
    if not above.st_mode & stat.S_ISVTX or status.st_uid in (os.geteuid(), above.st_uid):
        return
    if above.st_mode & _EVERYBODY == _EVERYBODY or os.geteuid() != 0:
        raise PermissionError(
            errno.EACCES, "belongs to somebody else, in a directory that others write to", path
        )
