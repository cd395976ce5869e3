"""The manifest of a file sink: how much of its file is confirmed, and the source's offset."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from forstcore._io.durable_file import replace_durably

__all__ = ["Manifest", "read_manifest", "write_manifest"]

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """The confirmed state of the output.

    Attributes:
        number: number of the current file, counted from 1; 0 without rotation.
        size: confirmed bytes of the current file.
        since: when its first results were written, in seconds since 1970; 0 if it has none.
        offset: where the source resumes after them.
        is_complete: whether the current file ends there, and gets its final name next.
        source: the source that the offset belongs to; empty if it is not known.
    """

    number: int = 0
    size: int = 0
    since: float = 0.0
    offset: str = ""
    is_complete: bool = False
    source: str = ""

    def with_more(self, size: int, now: float) -> Manifest:
        """Return the state after appending results of that size."""
        return dataclasses.replace(self, size=self.size + size, since=self.since or now)

    def with_offset(self, offset: str) -> Manifest:
        """Return the state with another offset."""
        return dataclasses.replace(self, offset=offset)

    def complete(self) -> Manifest:
        """Return the state of a file that is complete."""
        return dataclasses.replace(self, is_complete=True)

    def without_size(self) -> Manifest:
        """Return the state of an empty file."""
        return dataclasses.replace(self, size=0, since=0.0)

    def next_file(self) -> Manifest:
        """Return the state of the next file, which is empty."""
        return Manifest(self.number + 1, offset=self.offset, source=self.source)

    def of_source(self, source: str) -> Manifest:
        """Return the state with another source."""
        return dataclasses.replace(self, source=source)


def read_manifest(path: Path) -> Manifest | None:
    """Read a manifest; None if there is none.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not a manifest, or that of a later release.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        members = json.loads(text)
        if members.pop("version") == _VERSION:
            return Manifest(
                int(members["number"]),
                int(members["size"]),
                float(members["since"]),
                str(members["offset"]),
                bool(members["is_complete"]),
                str(members.get("source", "")),
            )
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    raise ValueError(f"{path} is not a manifest that this release reads")


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Replace a manifest atomically, even in case of a power failure.

    Raises:
        OSError: it cannot be written.
    """
    members = {"version": _VERSION, **dataclasses.asdict(manifest)}
    replace_durably(path, json.dumps(members).encode() + b"\n")
