"""The offset of a source, in a file, for sinks that do not store it with their output."""

from __future__ import annotations

import json
from pathlib import Path

from forstcore._io.durable_file import replace_durably
from forstcore.errors import SourceError
from forstcore.sources import place_of

__all__ = ["SavedOffset"]


class SavedOffset:
    """The file with the offset at which a pipeline continues.

    Args:
        path: the file; its directory is created if necessary.
        name: name of the pipeline, for errors.
        url: URL of the source that the offset belongs to.

    Thread-safety: one call at a time, in any thread. Calls block on the disk.
    """

    def __init__(self, path: Path, name: str, url: str) -> None:
        self._path = path
        self._name = name
        self._source = place_of(url)

    def load(self) -> str:
        """Return the offset; empty if none was saved.

        Raises:
            SourceError: it belongs to another source, or the file cannot be read.
        """
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

    def save(self, offset: str) -> None:
        """Replace the offset.

        Raises:
            OSError: it cannot be written.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        members = {"source": self._source, "offset": offset}
        replace_durably(self._path, json.dumps(members).encode() + b"\n")
