"""A file to append to, of which a killed process leaves nothing beyond what was confirmed.

Without rotation, results are appended to the file itself. With rotation, they are appended to a
hidden file, `.results-000001.ndjson.part`, which is renamed to `results-000001.ndjson` when it is
large or old enough, so files appear whole.

After each write, the file is synced and then the manifest is replaced. If a process is killed in
between, the file is longer than the manifest says, and is truncated when it is opened again. Before
a file is renamed, the manifest marks it as complete, so that the next process can rename it.
"""

from __future__ import annotations

import gzip
import os
import re
import time
from pathlib import Path

from forstcore._io.compressed import zstd
from forstcore.sinks._manifest import Manifest, read_manifest, write_manifest

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["NEVER", "ForeignFileError", "RotatedFile", "numbered"]

NEVER = 1e9
"""An age in seconds that no file reaches."""

_FLAGS = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_ZSTD_LEVEL = 3
_GZIP_LEVEL = 6


class ForeignFileError(Exception):
    """A file that another program has changed, or is writing."""


def numbered(name: str, number: int) -> str:
    """Return the name of a file of a series: `results-000001.ndjson` for `results.ndjson`."""
    stem, suffixes = _stem_and_suffixes(name)
    return f"{stem}-{number:06}{suffixes}"


def _stem_and_suffixes(name: str) -> tuple[str, str]:
    dot = name.find(".", 1)
    return (name, "") if dot < 0 else (name[:dot], name[dot:])


class RotatedFile:
    """The output of a file sink; its methods block.

    Args:
        path: the file, or the path from which the names of rotated files are derived.
        max_size: bytes after which a file ends; 0 for no rotation by size.
        max_age: seconds after which a file with results ends; `NEVER` for no rotation by age.
        source: the source whose offsets are kept; empty if it is not known.

    Thread-safety: one call at a time, in any thread.
    """

    def __init__(self, path: Path, max_size: int, max_age: float, source: str = "") -> None:
        self._path = path
        self._source = source
        self._max_size = max_size
        self._max_age = max_age
        self._rotates = max_size > 0 or max_age < NEVER
        self._manifest_path = path.with_name(f".{path.name}.manifest")
        self._manifest = Manifest()
        self._descriptor: int | None = None
        self._seen_at = time.monotonic()  # When this process first saw results in the file.
        self._is_confirmed = False  # Whether the file contains exactly what the manifest says.

    @property
    def rotates(self) -> bool:
        """Whether there is a series of files."""
        return self._rotates

    @property
    def room(self) -> int:
        """Approximate bytes until the file is large enough to end."""
        return self._max_size - self._manifest.size if self._max_size else 1 << 62

    def offset(self) -> str:
        """Return the offset in the manifest; empty if there is none.

        Raises:
            OSError: it cannot be read.
            ForeignFileError: it is no manifest, or its offset belongs to another source.
        """
        manifest = self._read_manifest()
        return manifest.offset if manifest is not None else ""

    def open(self) -> None:
        """Open the file, and truncate it to what is confirmed.

        Raises:
            OSError: the disk or file system has a problem.
            ForeignFileError: another program has changed the file, or is writing to it.
        """
        self.close()
        self._seen_at = time.monotonic()
        manifest = self._found_manifest()
        if manifest.is_complete:
            self._manifest = manifest
            if self._part(manifest.number).exists():
                self._rename()
            manifest = manifest.next_file()
        if manifest.number and manifest.size and not self._part(manifest.number).exists():
            raise ForeignFileError(
                f"{self._part(manifest.number)} is gone, whose results were confirmed; remove "
                f"{self._manifest_path} to begin anew"
            )
        self._open_file(manifest)

    def append(self, results: bytes, offset: str) -> None:
        """Append results, and confirm them together with an offset.

        Args:
            results: whole lines; may be empty.
            offset: where the source resumes after them; empty to keep the previous one.

        Raises:
            OSError: the disk or file system has a problem.
        """
        self.rotate_if_due()
        manifest = self._manifest
        if results:
            data = self._compressed(results)
            self._is_confirmed = False
            self._write(data)
            if not manifest.since:
                self._seen_at = time.monotonic()
            manifest = manifest.with_more(len(data), time.time())
        if offset:
            manifest = manifest.with_offset(offset)
        self._confirm(manifest)
        self._is_confirmed = True

    def seconds_left(self) -> float:
        """Return the seconds until the file is old enough to end."""
        since = self._manifest.since
        if not since:
            return self._max_age
        # The time of day may be set back, and the other clock stands still while the system sleeps.
        return self._max_age - max(time.time() - since, time.monotonic() - self._seen_at)

    def rotate_if_due(self) -> None:
        """End the file if it is large or old enough.

        Raises:
            OSError: it cannot be renamed.
        """
        size = self._manifest.size
        if not self._rotates or not size or not self._is_confirmed:
            return
        if (self._max_size and size >= self._max_size) or self.seconds_left() <= 0:
            self._publish()
            self._open_file(self._manifest.next_file())

    def finish(self) -> None:
        """End the file even if it is neither large nor old enough, and close it.

        It does not end if it has more than what is confirmed.

        Raises:
            OSError: it cannot be renamed.
        """
        if self._rotates and self._is_confirmed:
            part = self._part(self._manifest.number)
            if self._manifest.size:
                self._publish()
                self._confirm(self._manifest.next_file())
            elif part.exists():
                part.unlink()
        self.close()

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, None
        self._is_confirmed = False
        if descriptor is not None:
            os.close(descriptor)

    def _found_manifest(self) -> Manifest:
        manifest = self._read_manifest()
        if manifest is None:
            number = self._last_number() + 1 if self._rotates else 0
            size = 0
            if not self._rotates and self._path.exists():
                size = self._path.stat().st_size
                self._check_whole_lines(size)
            return Manifest(number=number, size=size, source=self._source)
        if bool(manifest.number) != self._rotates:
            was = "with" if manifest.number else "without"
            raise ForeignFileError(
                f"{self._path} was written {was} rotation before: use another name, or remove "
                f"{self._manifest_path}"
            )
        return manifest.of_source(self._source)

    def _read_manifest(self) -> Manifest | None:
        try:
            manifest = read_manifest(self._manifest_path)
        except ValueError as error:
            raise ForeignFileError(str(error)) from None
        if manifest is not None and manifest.offset:
            before = manifest.source
            if before and self._source and before != self._source:
                raise ForeignFileError(
                    f"{self._manifest_path} has an offset of {before}, not of {self._source}: use "
                    "another name, or remove it to begin anew"
                )
        return manifest

    def _check_whole_lines(self, size: int) -> None:
        """Raise an error if results would be appended to the middle of a line."""
        if not size or self._path.name.endswith((".gz", ".zst")):
            return
        with self._path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            if file.read() != b"\n":
                raise ForeignFileError(f"{self._path} ends in the middle of a line")

    def _open_file(self, manifest: Manifest) -> None:
        path = self._part(manifest.number) if manifest.number else self._path
        if not manifest.number and manifest.size and not path.exists():
            # It was moved away, for example by log rotation.
            manifest = manifest.without_size()
        try:
            descriptor = os.open(path, _FLAGS | os.O_CREAT, 0o666)
        except OSError as error:
            error.filename = str(path)
            raise
        try:
            self._lock(descriptor, path)
            size = os.fstat(descriptor).st_size
            if size < manifest.size:
                raise ForeignFileError(
                    f"{path} has {size} bytes, but {manifest.size} were confirmed; remove "
                    f"{self._manifest_path} to begin anew"
                )
            os.ftruncate(descriptor, manifest.size)
            os.lseek(descriptor, 0, os.SEEK_END)
            # Also the first time: existing content is kept, and later content is not confirmed.
            self._confirm(manifest)
        except BaseException:
            os.close(descriptor)
            raise
        self.close()
        self._descriptor = descriptor
        self._is_confirmed = True

    def _lock(self, descriptor: int, path: Path) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ForeignFileError(f"another pipeline writes {path}") from None

    def _write(self, data: bytes) -> None:
        assert self._descriptor is not None
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        os.fsync(self._descriptor)

    def _confirm(self, manifest: Manifest) -> None:
        write_manifest(self._manifest_path, manifest)
        self._manifest = manifest

    def _publish(self) -> None:
        self._confirm(self._manifest.complete())
        self._rename()

    def _rename(self) -> None:
        number = self._manifest.number
        part, final = self._part(number), self._final(number)
        if final.exists():
            raise FileExistsError(None, "exists already, and is not replaced", str(final))
        part.rename(final)

    def _compressed(self, results: bytes) -> bytes:
        if self._path.name.endswith(".zst"):
            data: bytes = zstd.compress(results, _ZSTD_LEVEL)
            return data
        if self._path.name.endswith(".gz"):
            return gzip.compress(results, _GZIP_LEVEL, mtime=0)
        return results

    def _part(self, number: int) -> Path:
        return self._path.with_name(f".{numbered(self._path.name, number)}.part")

    def _final(self, number: int) -> Path:
        return self._path.with_name(numbered(self._path.name, number))

    def _last_number(self) -> int:
        """Return the highest number of a file that exists, 0 if there is none."""
        stem, suffixes = map(re.escape, _stem_and_suffixes(self._path.name))
        pattern = re.compile(rf"{stem}-([0-9]{{6,18}}){suffixes}")
        found = (pattern.fullmatch(each.name) for each in self._path.parent.iterdir())
        return max((int(match[1]) for match in found if match), default=0)
