"""The destination of a dataset: a directory whose files are written atomically."""

from __future__ import annotations

import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Literal

from forstcore._io.atomic_file import drafted
from forstcore.cluster import _filesystems

__all__ = ["MANIFEST", "OLD_MANIFEST", "OURS", "REPORT", "OutputDirectory", "output_directory_at"]

MANIFEST = "manifest.json"
OLD_MANIFEST = ".old-manifest.json"
"""The manifest of a dataset while it is being removed."""

# Some file systems ignore case.
OURS = re.compile(
    r"(part|errors)-\d{5,}\.ndjson|part-\d{5,}\.parquet|(\.old-)?manifest\.json|"
    r"\.part-\d{5,}\.json",
    re.IGNORECASE,
)
"""The names of the files that a run may write."""
REPORT = re.compile(r"\.part-\d{5,}\.json")
_DRAFT = re.compile(rf"\.({OURS.pattern})\.[0-9a-f]{{16}}\.draft")
_PUT_IS_ATOMIC = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl"}

How = Literal["local", "put", "rename"]


class OutputDirectory:
    """A directory, or a prefix in an object store.

    A file is written under a temporary name in the same directory and then renamed. In object
    stores, where uploads are atomic, it is written directly.

    Args:
        system: the file system.
        root: path of the directory there.
        name: its path or URL, for messages.
        how: how files are written atomically.

    Attributes:
        system, name: as given.

    Thread-safety: may be used from many threads and processes at once.
    """

    def __init__(self, system: Any, root: str, name: str, how: How) -> None:
        self.name = name
        self.system = system
        self._root = root
        self._how = how

    def path(self, name: str) -> str:
        """Return the path of a file on the file system."""
        return f"{self._root}/{name}"

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """Open a file for writing; it appears when the block ends without an exception.

        Raises:
            OSError: the file cannot be written.
        """
        if self._how == "local":
            with drafted(self._root or "/", name, self.path(name), tag=name) as file:
                yield file
            return
        # Closing an fsspec file after an error would publish the incomplete file.
        with tempfile.TemporaryDirectory(prefix="forstcore-") as directory:
            local = Path(directory, name)
            with local.open("wb") as file:
                yield file
            if self._how == "put":
                self.system.put_file(str(local), self.path(name))
                return
            draft = self.path(f".{name}.{secrets.token_hex(8)}.draft")
            try:
                self.system.put_file(str(local), draft)
                _filesystems.move(self.system, draft, self.path(name))
            except BaseException:
                with suppress(OSError):
                    self.system.rm_file(draft)
                raise

    def write_json(self, name: str, value: Mapping[str, Any], indent: int | None = None) -> None:
        """Write a JSON file."""
        with self.writing(name) as file:
            text = json.dumps(value, ensure_ascii=False, indent=indent)
            # Bytes of a file name that are not UTF-8 become JSON escapes.
            file.write(text.encode(errors="backslashreplace") + b"\n")

    def read_json(self, names: list[str]) -> list[Any]:
        """Read JSON files; the value of an invalid one is None.

        Raises:
            OSError: a file cannot be read.
        """
        found = _filesystems.cat(self.system, [self.path(name) for name in names])
        return [_json_of(found[self.path(name)]) for name in names]

    def copy(self, name: str, file: BinaryIO) -> None:
        """Copy a file of the destination to an open file, piece by piece."""
        with self.system.open(self.path(name), "rb") as source:
            while piece := source.read(1 << 20):
                file.write(piece)

    def prepare(self) -> None:
        """Create the directory."""
        if self._how != "put":
            self.system.makedirs(self._root, exist_ok=True)

    def sizes(self) -> dict[str, int]:
        """Return the files whose names are reserved for a run, with their sizes."""
        return {name: size for name, size in self._all().items() if OURS.fullmatch(name)}

    def remove(self, names: list[str]) -> None:
        """Remove files."""
        _filesystems.remove(self.system, [self.path(name) for name in names])

    def sweep(self) -> None:
        """Remove the drafts of workers that died."""
        for name in self._all():
            if _DRAFT.fullmatch(name):
                # Its writer may still be alive and have removed it.
                with suppress(FileNotFoundError):
                    self.system.rm_file(self.path(name))

    def _all(self) -> dict[str, int]:
        self.system.invalidate_cache(self._root)
        try:
            found = self.system.ls(self._root, detail=True)
        except FileNotFoundError:
            return {}
        return {
            each["name"].rstrip("/").rpartition("/")[2]: each["size"] or 0
            for each in found
            if each["type"] != "directory"
        }


def output_directory_at(url: str | os.PathLike[str], options: Mapping[str, Any]) -> OutputDirectory:
    """Return the destination at a path or URL.

    Args:
        url: the directory, taken literally.
        options: options of the file system.
    """
    system, root = _filesystems.located(url, options)
    how: How = "rename"
    if _filesystems.is_local(system):
        how = "local"
    elif _filesystems.protocols(system) & _PUT_IS_ATOMIC:
        how = "put"
    name = root if how == "local" else system.unstrip_protocol(root)
    return OutputDirectory(system, root.rstrip("/"), name, how)


def _json_of(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
