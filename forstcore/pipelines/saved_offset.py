"""The offset of a source, in a file, for sinks that do not store it with their output."""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
from pathlib import Path

from forstcore._io.durable_file import replace_durably
from forstcore.errors import SourceError
from forstcore.sources import Notice, place_of
from forstcore.sources._reconnecting import ReconnectPauses

__all__ = ["SavedOffset"]

_LOGGER = logging.getLogger("forstcore")


class SavedOffset:
    """The file with the offset at which a pipeline continues.

    Args:
        path: the file; its directory is created if necessary.
        name: name of the pipeline, for errors.
        url: URL of the source that the offset belongs to.

    Attributes:
        trouble: why it cannot be saved now, None if it can.

    Thread-safety: belongs to one event loop, one call at a time.
    """

    def __init__(self, path: Path, name: str, url: str) -> None:
        self.trouble: Notice | None = None
        self._path = path
        self._name = name
        self._source = place_of(url)

    async def load(self) -> str:
        """Return the offset; empty if none was saved.

        Raises:
            SourceError: it belongs to another source, or the file cannot be read or written.
        """
        return await asyncio.to_thread(self._load)

    async def save(self, offset: str) -> None:
        """Replace the offset; while the disk is full, or fails, try again and again."""
        pauses = ReconnectPauses()
        while True:
            await pauses.wait()
            try:
                await asyncio.to_thread(self._replace, offset)
            except OSError as error:
                detail = f"{self._path}: {error.strerror or error}"
                if self.trouble is None:
                    _LOGGER.warning("pipeline %s: cannot save offsets: %s", self._name, detail)
                self.trouble = Notice("down", detail)
                pauses.failed()
            else:
                if self.trouble is not None:
                    _LOGGER.info("pipeline %s: saves offsets again", self._name)
                self.trouble = None
                return

    def _load(self) -> str:
        self._check_directory()
        try:
            members = json.loads(self._path.read_text(encoding="utf-8"))
            source, offset = str(members["source"]), str(members["offset"])
        except FileNotFoundError:
            return ""
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SourceError(
                self._name, f"has a state file {self._path} that cannot be read: {error}"
            ) from None
        if place_of(source) != self._source:
            raise SourceError(
                self._name,
                f"is {self._source}, but {self._path} has an offset of {source}: remove it to "
                "begin anew",
            )
        return offset

    def _check_directory(self) -> None:
        """Raise SourceError if nothing can be saved, before results are written."""
        directory = self._path.parent
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=directory):
                return
        except OSError as error:
            raise SourceError(
                self._name, f"has a state directory {directory} that cannot be written: {error}"
            ) from None

    def _replace(self, offset: str) -> None:
        members = {"source": self._source, "offset": offset}
        replace_durably(self._path, json.dumps(members).encode() + b"\n")
