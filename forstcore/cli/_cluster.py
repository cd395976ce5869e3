"""Files through a Dask cluster, instead of this process: its options, and what is done."""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from forstcore._io.atomic_file import check_writable, written_whole
from forstcore._io.destination import destination_of
from forstcore.cli._clashes import check_names
from forstcore.cli._progress import Progress, Tally
from forstcore.errors import ClusterError
from forstcore.wire import OnError

__all__ = ["InputPath", "cluster_of", "cluster_options", "process_on_cluster"]

_BLOCKSIZE = "128 MiB"


class InputPath(click.Path):
    """A file that is there, or the URL of one, or of several."""

    def convert(self, value: Any, param: Any, context: Any) -> Any:
        if isinstance(value, str) and "://" in value:
            return value
        return super().convert(value, param, context)


@dataclass(frozen=True)
class ClusterPlan:
    """What to do.

    Attributes:
        scheduler: address of the scheduler; None for a cluster of our own.
        processes: workers of that.
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
) -> ClusterPlan | None:
    """Make a plan of the options for clusters; None if none is wanted.

    Raises:
        click.UsageError: the options do not go together.
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
    return ClusterPlan(scheduler, processes, blocksize or _BLOCKSIZE, overwrite, resume)


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
            help=f"On a cluster: bytes of the input that become one part.  [default: {_BLOCKSIZE}]",
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
class _Taken:
    """How far the input is, in bytes as they are stored."""

    size: int | None
    taken: int = 0


def process_on_cluster(
    plan: ClusterPlan,
    inputs: Sequence[str],
    output: str,
    *,
    errors: str | None,
    on_error: OnError,
    processor: str | None,
    modules: Sequence[str],
    workers: int,
    buffer_size: int,
    max_line_size: int,
    progress: bool | None,
) -> None:
    """Process files on a cluster.

    Raises:
        ClusterError: there is none, or it cannot do it.
        Exception: as `process_dataset`.
    """
    try:
        from forstcore.cluster import process_dataset
        from forstcore.cluster._blocks import files_at
        from forstcore.cluster._manifest import Part
        from forstcore.cluster._places import is_local
        from forstcore.cluster._target import target_at
    except ImportError as error:
        raise ClusterError(str(error)) from None
    if "://" not in output:
        # Literally: the library expands a leading ~, which is the shell's task here.
        output = str(Path(output).absolute())
    system, files = files_at(list(inputs), {})
    target = target_at(output, {})
    if errors is not None:
        local = [file.path for file in files] if is_local(system) else []
        _check_errors(errors, [*local, *modules], target)
    taken = _Taken(sum(file.size for file in files))
    tally = Tally()
    codes: Counter[str] = Counter()
    tally.errors = lambda: codes

    def note(part: Part) -> None:
        taken.taken += part["end"] - part["start"]
        tally.bytes_in += part["bytes_in"]
        tally.results += part["results"]
        codes.update(part["errors_by_code"])
        shown.tick()

    with _cluster(plan) as client:
        shown = Progress(taken, tally, progress)
        if plan.scheduler and shown.is_shown:
            sys.stderr.write(f"Dask shows what it does at {client.dashboard_link}\n")
        try:
            manifest = process_dataset(
                inputs,
                output,
                processor=processor,
                modules=modules if processor else (),
                client=client,
                blocksize=plan.blocksize,
                on_error=on_error,
                collect_errors=errors is not None,
                max_line_size=max_line_size,
                workers=workers,
                buffer_size=buffer_size,
                overwrite=plan.overwrite,
                resume=plan.resume,
                on_part=note,
            )
        finally:
            shown.clear()
    if errors is not None:
        with written_whole(errors) as file:
            for part in manifest["parts"]:
                if part["errors_file"]:
                    target.copy(part["errors_file"], file)
    # Parts that were there before are among these.
    codes = Counter(manifest["errors_by_code"])
    shown.end("processed")


def _check_errors(errors: str, reads: Sequence[str], target: Any) -> None:
    """Check, before a long run, that its error file can be written and is no file of the run.

    Raises:
        click.UsageError: it is an input, or a name in the destination that the run needs.
        OSError: it cannot be written.
    """
    from forstcore.cluster._places import is_local
    from forstcore.cluster._target import OURS

    check_names(reads, errors=errors)
    if is_local(target.system):
        found = destination_of(errors)
        place, output = (Path(os.path.realpath(path)) for path in (found.path, target.path("")))
        if place == output or (place.parent == output and OURS.fullmatch(place.name)):
            raise click.UsageError(f"--errors {errors} is a place that --output needs")
        if place.parent == output and not output.exists():
            return
    check_writable(errors)


@contextmanager
def _cluster(plan: ClusterPlan) -> Iterator[Any]:
    from distributed import Client

    from forstcore.cluster._local import local_cluster

    if plan.scheduler is None:
        with local_cluster(plan.processes) as client:
            yield client
        return
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = Client(plan.scheduler, timeout="10s")
    except (OSError, ValueError) as error:
        raise ClusterError(f"no scheduler answers at {plan.scheduler}: {error}") from None
    with client:
        if not client.scheduler_info()["workers"]:
            sys.stderr.write("forstcore: the scheduler has no workers yet; waiting for one\n")
        yield client
