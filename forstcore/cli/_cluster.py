"""`forstcore process` on a Dask cluster: options and execution."""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forstcore._io.atomic_file import check_writable, written_whole
from forstcore._io.destination import destination_of
from forstcore.cli._formats import EMIT_NEEDS_NDJSON, check_cluster_input, cluster_output_format
from forstcore.cli._path_checks import check_paths
from forstcore.cli._progress import Progress, ProgressCounts
from forstcore.config import DEFAULT_BLOCKSIZE
from forstcore.errors import ClusterError
from forstcore.formats import Format
from forstcore.wire import IN_PLACE_MODES, OnError

if TYPE_CHECKING:
    from forstcore.cluster.files import DatasetFiles

__all__ = ["InputPath", "cluster_of", "cluster_options", "process_on_cluster"]


class InputPath(click.Path):
    """An existing file, a URL, or a pattern of URLs."""

    def convert(self, value: Any, param: Any, context: Any) -> Any:
        if isinstance(value, str) and "://" in value:
            return value
        return super().convert(value, param, context)


@dataclass(frozen=True)
class ClusterOptions:
    """Options of a cluster.

    Attributes:
        scheduler: address of the scheduler; None to start a local cluster.
        processes: number of workers of the local cluster.
        blocksize, overwrite, resume: as for `process_dataset`.
    """

    scheduler: str | None
    processes: int | None
    blocksize: str
    overwrite: bool
    resume: bool


def cluster_of(
    scheduler: str | None,
    processes: int | None,
    blocksize: str | None,
    overwrite: bool,
    resume: bool,
    inputs: tuple[str, ...],
    output: str,
) -> ClusterOptions | None:
    """Return the options for a cluster; None if the command does not use one.

    Raises:
        click.UsageError: the options conflict.
    """
    if scheduler is None and processes is None:
        if blocksize or overwrite or resume:
            raise click.UsageError(
                "--blocksize, --overwrite and --resume need --local-cluster or --scheduler"
            )
        if urls := [each for each in inputs if "://" in each]:
            raise click.UsageError(f"{urls[0]}: URLs need --local-cluster or --scheduler")
        if output != "-" and Path(output).is_dir():
            raise click.UsageError(f"{output} is a directory: --output is a file here")
        return None
    if scheduler is not None and processes is not None:
        raise click.UsageError("--local-cluster and --scheduler exclude each other")
    if overwrite and resume:
        raise click.UsageError("--overwrite and --resume exclude each other")
    if not inputs or "-" in inputs:
        raise click.UsageError("a cluster cannot read standard input: name files or URLs")
    if output == "-":
        raise click.UsageError("a cluster writes a directory of parts: name it with --output")
    if "://" not in output and Path(output).is_file():
        raise click.UsageError(f"{output} is a file: on a cluster --output is a directory")
    return ClusterOptions(scheduler, processes, blocksize or DEFAULT_BLOCKSIZE, overwrite, resume)


def cluster_options(command: Any) -> Any:
    """Add the options that choose a cluster."""
    for option in (
        click.option(
            "--resume",
            is_flag=True,
            help="On a cluster: keep the parts that a run with the same arguments has finished.",
        ),
        click.option(
            "--overwrite",
            is_flag=True,
            help="On a cluster: replace the dataset that forstcore wrote to OUT.",
        ),
        click.option(
            "--blocksize",
            metavar="BYTES",
            help="On a cluster: bytes of the input that become one part.  "
            f"[default: {DEFAULT_BLOCKSIZE}]",
        ),
        click.option(
            "--scheduler",
            metavar="ADDRESS",
            help="Process on the Dask cluster of this scheduler, such as tcp://host:8786.",
        ),
        click.option(
            "--local-cluster",
            metavar="N",
            type=click.IntRange(1, 1024),
            help="Process on a Dask cluster of N processes on this machine.",
        ),
    ):
        command = option(command)
    return command


@dataclass
class _StoredBytes:
    """Progress of the input, in bytes on disk (before decompression)."""

    size: int | None
    taken: int = 0


def process_on_cluster(
    options: ClusterOptions,
    inputs: Sequence[str],
    output: str,
    *,
    input_format: Format | None,
    output_format: Format | None,
    errors: str | None,
    on_error: OnError,
    filters: dict[str, Any],
    processor: object,
    modules: Sequence[str],
    workers: int,
    buffer_size: int,
    max_line_size: int,
    progress: bool | None,
) -> None:
    """Process files on a cluster.

    Raises:
        ClusterError: the cluster is unreachable, or a worker is unsuitable.
        click.UsageError: a file has an unknown format, or one that a cluster does not support.
        Exception: as `process_dataset`.
    """
    try:
        from forstcore.cluster import Part, process_dataset
        from forstcore.cluster.files import DatasetFiles
    except ImportError as error:
        raise ClusterError(str(error)) from None
    part_format = cluster_output_format(output, output_format)
    if part_format != "ndjson" and on_error in IN_PLACE_MODES:
        raise click.UsageError(EMIT_NEEDS_NDJSON)
    if "://" not in output:
        # Absolute, because the library expands a leading ~; here the shell does that.
        output = str(Path(output).absolute())
    files = DatasetFiles(inputs, output)
    for name in files.names:
        check_cluster_input(name, input_format)
    if errors is not None:
        _check_errors(errors, modules, files)
    stored = _StoredBytes(files.size)
    counts = ProgressCounts()
    codes: Counter[str] = Counter()
    given_back = 0
    counts.errors = lambda: codes
    counts.given_back = lambda: given_back

    def add(part: Part) -> None:
        nonlocal given_back
        stored.taken += part["end"] - part["start"]
        counts.bytes_in += part["bytes_in"]
        counts.results += part["results"]
        codes.update(part["errors_by_code"])
        given_back += part["given_back"]
        shown.tick()

    with _connected(options) as client:
        shown = Progress(stored, counts, progress)
        if options.scheduler and shown.is_shown:
            sys.stderr.write(f"Dask's dashboard is at {client.dashboard_link}\n")
        try:
            manifest = process_dataset(
                inputs,
                output,
                processor=processor,
                modules=modules if isinstance(processor, str) else (),
                client=client,
                blocksize=options.blocksize,
                on_error=on_error,
                filters=filters,
                collect_errors=errors is not None,
                part_format=part_format,
                max_line_size=max_line_size,
                workers=workers,
                buffer_size=buffer_size,
                overwrite=options.overwrite,
                resume=options.resume,
                on_part=add,
            )
        finally:
            shown.clear()
    if errors is not None:
        with written_whole(errors) as file:
            files.copy_errors(manifest, file)
    # The manifest includes parts of an earlier run.
    codes, given_back = Counter(manifest["errors_by_code"]), manifest["given_back"]
    shown.end("processed")


def _check_errors(errors: str, modules: Sequence[str], files: DatasetFiles) -> None:
    """Check before a long run that its error file is writable and not a file of the run.

    Raises:
        click.UsageError: the error file is an input, or has a name reserved in the destination.
        OSError: it cannot be written.
    """
    check_paths([*files.local_inputs, *modules], errors=errors)
    path = destination_of(errors).path
    if files.is_reserved(path):
        raise click.UsageError(f"--errors {errors} is a place that --output needs")
    directory = files.local_destination
    is_inside = Path(os.path.realpath(path)).parent == directory
    # A directory that does not exist yet is created by the run.
    if not is_inside or (directory is not None and directory.exists()):
        check_writable(errors)


@contextmanager
def _connected(options: ClusterOptions) -> Iterator[Any]:
    from distributed import Client

    from forstcore.cluster.local import local_cluster

    if options.scheduler is None:
        with local_cluster(options.processes) as client:
            yield client
        return
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = Client(options.scheduler, timeout="10s")
    except (OSError, ValueError) as error:
        raise ClusterError(f"no scheduler answers at {options.scheduler}: {error}") from None
    with client:
        if not client.scheduler_info()["workers"]:
            sys.stderr.write("forstcore: the scheduler has no workers yet; waiting for one\n")
        yield client
