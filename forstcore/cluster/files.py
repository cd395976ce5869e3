"""The files of a dataset, for callers that check, measure or copy them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from forstcore.cluster._blocks import files_at
from forstcore.cluster._filesystems import is_local
from forstcore.cluster._manifest import Manifest
from forstcore.cluster._output_directory import OURS, output_directory_at

__all__ = ["DatasetFiles"]


class DatasetFiles:
    """The input files and the destination of `process_dataset`.

    Args:
        urlpath, destination: as for `process_dataset`.

    Attributes:
        names: paths or URLs of the input files.
        size: bytes of the input, as stored.
        local_inputs: paths of the input files, if they are on this machine.
        local_destination: path of the destination if it is on this machine, else None.

    Raises:
        OSError: no input exists.
        ValueError: the input is on several file systems, or its size is unknown.
    """

    def __init__(self, urlpath: Sequence[str], destination: str) -> None:
        system, files = files_at(urlpath, {})
        self._output = output_directory_at(destination, {})
        self.names = [file.name for file in files]
        self.size = sum(file.size for file in files)
        self.local_inputs = [file.path for file in files] if is_local(system) else []
        self.local_destination: Path | None = None
        if is_local(self._output.system):
            self.local_destination = Path(os.path.realpath(self._output.path("")))

    def is_reserved(self, path: str) -> bool:
        """Return whether a local path is the destination, or a file in it that a run may write."""
        real = Path(os.path.realpath(path))
        if real == self.local_destination:
            return True
        return real.parent == self.local_destination and bool(OURS.fullmatch(real.name))

    def copy_errors(self, manifest: Manifest, file: BinaryIO) -> None:
        """Copy all rejected lines of a dataset to an open file, in the order of the input."""
        for part in manifest["parts"]:
            if part["errors_file"]:
                self._output.copy(part["errors_file"], file)
