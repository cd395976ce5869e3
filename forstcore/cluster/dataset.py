"""Process a dataset on a Dask cluster: NDJSON files in, a directory of results out."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, get_args

from dask.utils import parse_bytes
from distributed import Client, default_client

from forstcore._core.filter import Filter
from forstcore._proc import RecordStream
from forstcore._version import VERSION
from forstcore.cluster._blocks import Block, InputFile, blocks_of, files_at
from forstcore.cluster._existing_files import ExistingFiles, check_inputs, find_existing, remove
from forstcore.cluster._manifest import Manifest, ManifestInput, Part, manifest_of
from forstcore.cluster._output_directory import MANIFEST, OutputDirectory, output_directory_at
from forstcore.cluster._packed_processor import PackedProcessor, pack_processor
from forstcore.cluster._part import PartFormat, RunConfig, report_of
from forstcore.cluster._run import check_workers, end_run, run, with_columns, with_numbers
from forstcore.cluster.local import local_cluster
from forstcore.config import DEFAULT_BLOCKSIZE, StreamLimits
from forstcore.errors import ClusterError
from forstcore.wire import IN_PLACE_MODES, OnError

__all__ = ["process_dataset"]


def process_dataset(
    urlpath: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    destination: str | os.PathLike[str],
    *,
    processor: object = None,
    modules: Sequence[str] = (),
    client: Client | None = None,
    blocksize: int | str = DEFAULT_BLOCKSIZE,
    on_error: OnError = "skip",
    filters: Mapping[str, Any] | None = None,
    collect_errors: bool = False,
    part_format: PartFormat = "ndjson",
    max_line_size: int = StreamLimits.max_line_size,
    workers: int = StreamLimits.workers,
    buffer_size: int = StreamLimits.buffer_size,
    overwrite: bool = False,
    resume: bool = False,
    retries: int = 2,
    storage_options: Mapping[str, Any] | None = None,
    on_part: Callable[[Part], None] | None = None,
) -> Manifest:
    """Process files on a Dask cluster into a directory of parts.

    The concatenated parts are byte for byte the results that a single process would produce
    from the concatenated files. Each part is written atomically, and ``manifest.json`` last:
    a dataset without it is incomplete. A worker reads a block and writes its part in pieces,
    so its memory use does not depend on `blocksize`.

    Args:
        urlpath: path, URL (any protocol of fsspec, such as ``s3://``) or glob pattern of the
            input, or several of these; ``.gz`` and ``.zst`` are decompressed. The name of an
            existing file is never a pattern. All workers need access to it.
        destination: path or URL of the directory, taken literally. All workers need access
            to it.
        processor: a function, a name, or None for the built-in processor. A function of a
            module is pickled by name, one of a script or notebook by value.
        modules: if `processor` is a name, the modules that declare it: the name of one that
            the workers have installed, or the path of a file, which is sent to them.
        client: the Dask client; if None, the one created last, or else that of a temporary
            cluster on this machine.
        blocksize: maximum size of a block, in bytes or as text such as ``"64 MiB"``. A
            compressed file is one block.
        on_error: what to do with a line that is rejected: ``skip`` drops and counts it,
            ``emit`` puts an error line in its place, ``fail`` ends the run. ``emit`` reads
            the input twice, because lines must be counted before they can be numbered.
        filters: conditions as for `Filter`; only records that meet them are processed.
        collect_errors: write rejected lines to ``errors-00000.ndjson`` next to their part.
            Files of several blocks are then read twice, for the same reason.
        part_format: ``ndjson``, or ``parquet``, which needs pyarrow on the workers. All Parquet
            parts have the same columns: those of the type that the processor returns, or of
            the first 16 MiB of results, for which the first blocks are processed twice.
        max_line_size: maximum size of a line in bytes; a longer one is an error.
        workers, buffer_size: concurrent calls of an async processor and records in progress,
            for each task.
        overwrite: remove the dataset at the destination: the files listed in its manifest, or
            in the reports of an unfinished run.
        resume: keep the parts that an earlier call with the same arguments completed.
        retries: how often a failed task is retried.
        storage_options: options of the file systems, as fsspec expects them.
        on_part: called with each new part.

    Returns:
        The contents of ``manifest.json``.

    Raises:
        ClusterError: a worker lacks forstcore or has another version, or a task failed.
        FileExistsError: the destination contains a dataset, an input, or a file that
            forstcore did not write under a name that it needs.
        LoadError: a module cannot be read.
        LookupError, TypeError, ValueError: an argument is invalid.
        OSError: an input does not exist, or the destination cannot be written.
        RecordError: the first invalid line (``on_error="fail"``). Parts may exist, but no
            manifest.
        ResultFormatError: an integer in the first results is too large for a column.

    Thread-safety: may be called from many threads at once, for different destinations.
    Ctrl-C cancels its tasks on the cluster.
    """
    size = parse_bytes(blocksize) if isinstance(blocksize, str) else blocksize
    if size < 1 or workers < 1 or buffer_size < 1 or retries < 0:
        raise ValueError(
            "blocksize, workers and buffer_size must be at least 1, and retries at least 0"
        )
    if overwrite and resume:
        raise ValueError("overwrite and resume exclude each other")
    if part_format not in get_args(PartFormat):
        raise ValueError(f"part_format must be ndjson or parquet, not {part_format!r}")
    if part_format == "parquet" and on_error in IN_PLACE_MODES:
        raise ValueError("error lines are no rows of Parquet: use collect_errors, not emit")
    wanted = dict(filters or {})
    RecordStream(on_error=on_error, max_line_size=max_line_size, filter=Filter(wanted))
    options = dict(storage_options or {})
    packed = pack_processor(processor, modules)
    system, files = files_at(urlpath, options)
    output = output_directory_at(destination, options)
    blocks = blocks_of(files, size)
    width = max(5, len(str(len(blocks))))
    plan = _plan(files, packed, size, on_error, wanted, collect_errors, max_line_size, part_format)
    config = RunConfig(
        system,
        output,
        packed,
        plan,
        on_error,
        wanted,
        max_line_size,
        workers,
        buffer_size,
        collect_errors,
        width,
        part_format,
    )
    existing = find_existing(output)
    check_inputs(system, files, output, existing)
    _check_present(output, existing, plan, is_wanted=resume or overwrite, is_resumed=resume)
    if resume and existing.manifest:
        return existing.manifest
    done = _done(config, blocks, existing) if resume else {}
    with _cluster(client) as cluster:
        check_workers(cluster, packed)
        try:
            if on_error in IN_PLACE_MODES or collect_errors:
                blocks = with_numbers(cluster, config, blocks, retries)
            if part_format == "parquet":
                config = with_columns(cluster, config, blocks, retries)
            # As late as possible: a run that cannot start must keep the old dataset.
            if overwrite:
                remove(output, existing)
            output.prepare()
            parts = run(cluster, config, blocks, done, retries, on_part or _ignore)
        except BaseException:
            end_run(cluster, config)
            raise
        finally:
            output.sweep()
    _check_parts(output, parts)
    inputs: list[ManifestInput] = [{"file": file.name, "size": file.size} for file in files]
    manifest = manifest_of(plan, packed.name, inputs, parts)
    output.write_json(MANIFEST, manifest, indent=1)
    output.remove([report_of(part["part"]) for part in parts])
    return manifest


def _plan(files: Sequence[InputFile], packed: PackedProcessor, *options: object) -> str:
    """Return a digest of everything that determines the bytes of the parts."""
    facts = [VERSION, [(file.name, file.size, file.stamp) for file in files], packed.stamp]
    return hashlib.sha256(json.dumps([*facts, options]).encode()).hexdigest()


def _done(config: RunConfig, blocks: Sequence[Block], existing: ExistingFiles) -> dict[int, Part]:
    """Return the parts that are complete, with their reports."""
    names = {report_of(config.part_of(block)): block.number for block in blocks}
    return {
        names[name]: report["part"]
        for name, report in existing.reports.items()
        if existing.sizes.get(report["part"]["part"]) == report["part"]["bytes_out"]
    }


def _check_present(
    output: OutputDirectory,
    existing: ExistingFiles,
    plan: str,
    *,
    is_wanted: bool,
    is_resumed: bool,
) -> None:
    """Check that the files at the destination may be removed, or the run resumed."""
    why = None
    if existing.foreign:
        why = (
            f"holds {existing.foreign[0]}, which forstcore did not write; "
            "choose another destination"
        )
    elif existing.sizes and not is_wanted:
        why = (
            f"holds {min(existing.sizes)} of another run; choose another destination, or overwrite "
            "it, or resume that run"
        )
    elif is_resumed and not existing.plans() <= {plan}:
        why = (
            "holds parts of a run with other files, another processor or other options; choose "
            "another destination, or overwrite it"
        )
    if why is not None:
        raise FileExistsError(errno.EEXIST, why, output.name)


def _check_parts(output: OutputDirectory, parts: Sequence[Part]) -> None:
    """Check that the parts written by workers are at the destination."""
    sizes = output.sizes()
    for part in parts:
        if sizes.get(part["part"]) != part["bytes_out"]:
            raise ClusterError(
                f"a worker has written {part['part']}, but it is not in {output.name}: all "
                "workers have to write to the same place"
            )


@contextmanager
def _cluster(client: Client | None) -> Iterator[Client]:
    if client is None:
        try:
            client = default_client()
        except ValueError:
            with local_cluster() as own:
                yield own
            return
    if client.asynchronous:
        raise TypeError("the client is asynchronous: this function waits, and needs one that does")
    yield client


def _ignore(_part: Part) -> None:
    pass
