"""Files for tests to write, rotate and truncate, and readers that follow them."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from forstcore.sources import Batch, Notice, SourceLimits, open_source
from forstcore.sources.file import FileSource

__all__ = ["Followed", "append", "lines", "open_descriptors", "source_of"]


def lines(first: int, end: int) -> bytes:
    """Return numbered lines."""
    return b"".join(b"%d\n" % number for number in range(first, end))


def append(path: Path, data: bytes) -> None:
    """Write to the end of a file."""
    with path.open("ab") as file:
        file.write(data)


def source_of(pattern: Path | str, options: str = "", max_line_size: int = 1 << 20) -> FileSource:
    """Create a source for a path or a pattern."""
    limits = SourceLimits(max_line_size=max_line_size)
    source = open_source("logs", f"file:{pattern}{options}", limits)
    assert isinstance(source, FileSource)
    return source


def open_descriptors(directory: Path) -> list[str]:
    """Return the open files of this process in a directory, including deleted ones."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = str(link.readlink())
            info = Path(f"/proc/self/fdinfo/{link.name}").read_text()
        except FileNotFoundError:
            continue
        flags = int(info.split("flags:")[1].split()[0], 8)
        if target.startswith(f"{directory}/") and flags & os.O_ACCMODE == os.O_RDONLY:
            found.append(target)
    return found


class Followed:
    """A reader and everything it has read. It checks files only while a method runs.

    Args:
        source: the source.
        start: where to start.

    Attributes:
        lines: all lines so far, without LF.
        gaps: how often lines were reported missing.
        offset: the last offset.
        has_ended: whether the source has ended.
    """

    def __init__(self, source: FileSource | Path | str, start: str = "start") -> None:
        self._source = source if isinstance(source, FileSource) else source_of(source)
        self._source.check(start)
        self._runner = asyncio.Runner()
        self._reader = self._source.open(start)
        self._task: asyncio.Task[Batch | Notice | None] | None = None
        self.lines: list[bytes] = []
        self.gaps = 0
        self.offset = ""
        self.has_ended = False
        self.batches = 0
        try:
            while not self.offset:
                self.wait(5)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Followed:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the reading."""
        self._runner.run(self._close())
        self._runner.close()

    def wait(self, seconds: float) -> bool:
        """Wait for the next batch; return whether there was one."""
        return self._runner.run(self._wait(seconds))

    def settle(self, seconds: float = 0.5) -> list[bytes]:
        """Read until nothing arrives for a while; return all lines so far."""
        while not self.has_ended and self.wait(seconds):
            pass
        return self.lines

    def until(self, count: int, seconds: float = 20) -> list[bytes]:
        """Read until there are so many lines; return all so far."""
        deadline = time.monotonic() + seconds
        while len(self.lines) < count and not self.has_ended:
            assert time.monotonic() < deadline, f"{len(self.lines)} of {count} lines came"
            self.wait(1)
        return self.lines

    def until_gap(self, seconds: float = 20) -> None:
        """Read until lines are reported missing."""
        deadline = time.monotonic() + seconds
        while not self.gaps:
            assert time.monotonic() < deadline, "no gap is reported"
            self.wait(1)

    def until_open(self, *paths: Path) -> None:
        """Read until no other files of their directory are open."""
        wanted = sorted(map(str, paths))
        deadline = time.monotonic() + 20
        while sorted(open_descriptors(paths[0].parent)) != wanted:
            assert time.monotonic() < deadline, open_descriptors(paths[0].parent)
            self.wait(0.2)

    async def _wait(self, seconds: float) -> bool:
        if self._task is None:
            self._task = asyncio.create_task(self._reader.read())
        done, _ = await asyncio.wait([self._task], timeout=seconds)
        if not done:
            return False
        batch = self._task.result()
        self._task = None
        if batch is None:
            self.has_ended = True
            return True
        assert isinstance(batch, Batch)
        assert not batch.lines or batch.lines.endswith(b"\n")
        self.batches += 1
        self.lines += batch.lines.split(b"\n")[:-1]
        self.gaps += batch.missed is None
        self.offset = batch.offset
        return True

    async def _close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._reader.close()
