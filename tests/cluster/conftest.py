"""A cluster of worker processes for all tests, and datasets that go through it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import forstcore
from forstcore.cli._inputs import Inputs

if TYPE_CHECKING:
    from distributed import Client

    from forstcore.cluster import Manifest


@dataclass
class Dataset:
    """The output of a run."""

    directory: Path
    manifest: Manifest

    @property
    def bytes(self) -> bytes:
        """The concatenated parts."""
        return b"".join(
            (self.directory / part["part"]).read_bytes() for part in self.manifest["parts"]
        )

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The lines of the error files."""
        names = [part["errors_file"] for part in self.manifest["parts"] if part["errors_file"]]
        text = "".join((self.directory / name).read_text() for name in names)
        return [json.loads(line) for line in text.splitlines()]


Process = Callable[..., Dataset]


def one_process(paths: list[Path], processor: object = None, **options: Any) -> bytes:
    """Return the results of a single process for the concatenated files."""
    pieces = (piece for _, piece in Inputs([str(path) for path in paths]).pieces())
    return b"".join(forstcore.process(pieces, processor, **options))


def failing_task(directory: Path) -> Callable[[], None]:
    """Return a function with which a processor makes its task fail; an exception does not do that.

    It deletes the unfinished files of the process, as somebody might who cleans up the directory.

    Args:
        directory: where the parts are written.
    """
    parts = str(directory)

    def fail() -> None:
        for descriptor in Path("/proc/self/fd").iterdir():
            # The one that lists the directory is closed by now.
            with contextlib.suppress(OSError):
                path = descriptor.readlink()
                if path.suffix == ".draft" and str(path.parent) == parts:
                    path.unlink()

    return fail


def hidden(directory: Path) -> list[str]:
    """List the hidden files in a directory."""
    return sorted(path.name for path in directory.iterdir() if path.name.startswith("."))


@pytest.fixture(scope="package")
def client() -> Iterator[Client]:
    """A client of a cluster with two workers."""
    pytest.importorskip("distributed", reason="needs dask")
    from forstcore.cluster.local import local_cluster

    with local_cluster(2) as client:
        yield client


@pytest.fixture
def process(client: Client, tmp_path: Path) -> Process:
    """Process files on the cluster into a directory."""
    from forstcore.cluster import process_dataset

    def run(paths: list[Path] | Path, **options: Any) -> Dataset:
        directory = tmp_path / "out"
        options = {"client": client, "overwrite": not options.get("resume"), **options}
        return Dataset(directory, process_dataset(paths, directory, **options))

    return run
