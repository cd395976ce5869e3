"""`forstcore process`: process files on all cores or on a cluster, without a server."""

from __future__ import annotations

import os
from typing import Any

import click

from forstcore._core.filter import Filter
from forstcore.cli import _formats, _options
from forstcore.cli._cluster import InputPath, cluster_of, cluster_options, process_on_cluster
from forstcore.cli._expressions import (
    expression_options,
    processor_of_expressions,
    report_interpreted,
)
from forstcore.cli._filters import filter_option
from forstcore.cli._inputs import Inputs
from forstcore.cli._path_checks import check_paths
from forstcore.cli._runner import EngineRunner
from forstcore.cli._transform import TransformOptions, transform
from forstcore.config import WORKER_KINDS, StreamLimits, WorkerKind
from forstcore.formats import Format
from forstcore.loading import Loader
from forstcore.processors import Processor, as_processor
from forstcore.wire import OnError

__all__ = ["command", "processor_of", "processor_options"]


def processor_of(name: str | None, modules: tuple[str, ...]) -> Processor:
    """Return the processor named by an option, or the only one of the modules.

    Raises:
        LoadError: a module cannot be loaded.
        click.UsageError: no processor has that name, or there are several and none was named.
    """
    if modules:
        declared = sorted(Loader(modules).load())
        if name is None and len(declared) > 1:
            raise click.UsageError(
                f"choose one of these with --processor NAME: {', '.join(declared)}"
            )
        name = name or declared[0]
    try:
        return as_processor(name)
    except LookupError as error:
        raise click.UsageError(str(error.args[0])) from None


def processor_options(command: Any) -> Any:
    """Add the options that select and configure the processor."""
    for option in (
        click.option(
            "--buffer-size",
            metavar="RECORDS",
            **_options.declared(StreamLimits, "buffer_size"),
            show_default=True,
            help="Records that an async processor may hold at once.",
        ),
        click.option(
            "--workers",
            metavar="N",
            **_options.declared(StreamLimits, "workers") | {"default": os.cpu_count() or 1},
            help="Batches, or calls of an async processor, at once. Default: one for each core.",
        ),
        click.option(
            "--worker-kind",
            type=click.Choice(WORKER_KINDS),
            default=StreamLimits.worker_kind,
            show_default=True,
            help="Kind of workers of a Python processor that is not async; processes use several "
            "cores.",
        ),
        click.option(
            "--processors",
            metavar="MODULE",
            multiple=True,
            help="A module with processors: its name, the path of its file, or an entry point. "
            "May be repeated.",
        ),
        click.option(
            "--processor",
            metavar="NAME",
            help="The processor. Default: the only one of --processors, or the built-in one.",
        ),
    ):
        command = option(command)
    return command


_EPILOG = """\b
Examples:
  forstcore process records.ndjson -o results.ndjson
  forstcore process part-*.ndjson.gz -o all.ndjson.zst --errors bad.ndjson
  zcat old.gz | forstcore process | head
  forstcore process in.ndjson --processors routes.py --processor enrich
  forstcore process in.ndjson --where 'r["status"] >= 500' --map '{"id": r["id"]}'
  forstcore process in.ndjson --filter level=error --filter '{"ms": {"gte": 500}}'

\b
On a cluster (needs forstcore[dask], here and on the workers):
  forstcore process *.ndjson --local-cluster 4 -o results
  forstcore process 's3://in/*.ndjson.zst' --scheduler tcp://host:8786 -o s3://out/results

IN may then be URLs or patterns with *, ? and [...], and OUT is a directory:
part-00000.ndjson and so on, one part for each block of the input, and finally
manifest.json. A file given with --processors is sent to the workers; other
modules must be installed there. --errors FILE is written here, at the end.
"""


@click.command(epilog=_EPILOG)
@click.argument(
    "inputs",
    metavar="[IN]...",
    nargs=-1,
    type=InputPath(exists=True, dir_okay=False, readable=True, allow_dash=True),
)
@_formats.input_format
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    default="-",
    help="File for the results, written atomically; its suffix determines the format, and .gz and "
    ".zst compress. On a cluster, a directory or its URL. Default: standard output.",
)
@_formats.output_format
@_options.errors
@_options.on_error
@filter_option("Process")
@expression_options
@processor_options
@_options.max_line_size
@_options.progress
@cluster_options
def command(
    inputs: tuple[str, ...],
    input_format: Format | None,
    output: str,
    output_format: Format | None,
    errors: str | None,
    on_error: OnError,
    filters: dict[str, Any],
    where: str | None,
    result: str | None,
    processor: str | None,
    processors: tuple[str, ...],
    workers: int,
    worker_kind: WorkerKind,
    buffer_size: int,
    max_line_size: int,
    progress: bool | None,
    local_cluster: int | None,
    scheduler: str | None,
    blocksize: str | None,
    overwrite: bool,
    resume: bool,
) -> None:
    """Process NDJSON files, or standard input, on all cores, or on a Dask cluster.

    Several files are read as one. Results have the order of their records.
    """
    expressions = None
    if where is not None or result is not None:
        if processor or processors:
            raise click.UsageError("--where and --map replace --processor: give only one of them")
        expressions = processor_of_expressions(where, result)
    cluster = cluster_of(scheduler, local_cluster, blocksize, overwrite, resume, inputs, output)
    if expressions is not None:
        report_interpreted(expressions)
    if cluster is not None:
        if worker_kind != StreamLimits.worker_kind:
            raise click.UsageError("--worker-kind is not for clusters, whose workers are processes")
        if processors and not processor:
            raise click.UsageError("on a cluster, --processors needs --processor NAME")
        process_on_cluster(
            cluster,
            inputs,
            output,
            input_format=input_format,
            output_format=output_format,
            errors=errors,
            on_error=on_error,
            filters=filters,
            processor=expressions or processor,
            modules=processors,
            workers=workers,
            buffer_size=buffer_size,
            max_line_size=max_line_size,
            progress=progress,
        )
        return
    kind = _formats.format_named(output, output_format, "--format")
    check_paths(inputs or "-", output=output, errors=errors, others=processors)
    chosen = expressions or processor_of(processor, processors)
    read = Inputs(inputs, input_format, max_line_size)
    transform(
        TransformOptions(
            read,
            output,
            kind,
            chosen.result_type,
            on_error=on_error,
            errors=errors,
            progress=progress,
        ),
        EngineRunner(
            chosen,
            workers=workers,
            worker_kind=worker_kind,
            buffer_size=buffer_size,
            max_line_size=max_line_size,
            filter=Filter(filters) if filters else None,
        ),
    )
