"""A dataset: files of NDJSON in, a directory of results out, by a Dask cluster."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from dask.utils import parse_bytes
from distributed import Client, default_client

from forstcore._proc import RecordStream
from forstcore._version import VERSION
from forstcore.cluster._blocks import Block, InputFile, blocks_of, files_at
from forstcore.cluster._existing_files import ExistingFiles, check_inputs, find_existing, remove
from forstcore.cluster._manifest import Manifest, ManifestInput, Part, manifest_of
from forstcore.cluster._output_directory import MANIFEST, OutputDirectory, output_directory_at
from forstcore.cluster._packed_processor import PackedProcessor, pack_processor
from forstcore.cluster._part import RunConfig, report_of
from forstcore.cluster._run import check_workers, run, with_numbers
from forstcore.cluster.local import local_cluster
from forstcore.config import DEFAULT_BLOCKSIZE, StreamLimits
from forstcore.errors import ClusterError
from forstcore.wire import OnError

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
    collect_errors: bool = False,
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

    The parts, one behind the other, are the bytes that one process makes of the files, one
    behind the other. Each appears whole or not at all, ``manifest.json`` behind all others:
    without it a dataset is not complete. A worker reads a block and writes its part in
    pieces, so its memory does not depend on `blocksize`.

    Args:
        urlpath: path, URL (whatever fsspec knows, such as ``s3://``) or glob pattern of the
            input, or several of these; ``.gz`` and ``.zst`` are decompressed. What is the name
            of a file is that file, whatever is in it. All workers have to reach it.
        destination: path or URL of the directory, never a pattern. All workers have to reach
            it.
        processor: what makes results: a function, a name, or None for the built-in one. A
            function of a module is sent by name, one of a script or notebook as it is.
        modules: where `processor` is a name, the modules that declare it: the name of one
            that the workers have installed, or the path of a file, which is sent to them.
        client: of the cluster; if None, the one that was made last, or else that of a
            cluster on this machine, for as long as this takes.
        blocksize: largest number of bytes of a block, or a text such as ``"64 MiB"``. A
            compressed file is one block.
        on_error: what becomes of lines that give an error: dropped and counted, an error
            line in their place, or an end of it all. ``emit`` reads the input twice, as
            lines have to be counted before they can be numbered.
        collect_errors: write these lines to ``errors-00000.ndjson`` beside their part. Files
            of several blocks are then read twice, for the same reason.
        max_line_size: bytes of a line; a longer one is an error.
        workers, buffer_size: of an async processor, calls at once and records in work, of
            each task.
        overwrite: remove the dataset that is at the destination: the files that its manifest
            lists, or the reports of a run that has not ended.
        resume: keep the parts that an earlier call with the same arguments has finished.
        retries: how often a task that raised is tried again.
        storage_options: of the file systems, as fsspec wants them.
        on_part: is called with each part that has been made.

    Returns:
        What ``manifest.json`` says.

    Raises:
        ClusterError: a worker lacks forstcore, or has another version; a part cannot be made.
        FileExistsError: there is a dataset at the destination, or an input, or a file with a
            name that is needed and that forstcore did not write.
        LoadError: a module cannot be read.
        LookupError, TypeError, ValueError: an argument cannot be used.
        OSError: the input is not there, or the destination cannot be written.
        RecordError: the first line that gave an error (``on_error="fail"``). Parts may be
            there, but no manifest.

    Thread-safety: may be called from many threads at once, for different destinations. Ended
    by Ctrl-C, it cancels what the cluster does for it.
    """
    size = parse_bytes(blocksize) if isinstance(blocksize, str) else blocksize
    if size < 1 or workers < 1 or buffer_size < 1 or retries < 0:
        raise ValueError(
            "blocksize, workers and buffer_size must be at least 1, and retries at least 0"
        )
    if overwrite and resume:
        raise ValueError("overwrite and resume exclude each other")
    RecordStream(on_error=on_error, max_line_size=max_line_size)
    options = dict(storage_options or {})
    packed = pack_processor(processor, modules)
    system, files = files_at(urlpath, options)
    output = output_directory_at(destination, options)
    blocks = blocks_of(files, size)
    width = max(5, len(str(len(blocks))))
    plan = _plan(files, packed, size, on_error, collect_errors, max_line_size)
    config = RunConfig(
        system,
        output,
        packed,
        plan,
        on_error,
        max_line_size,
        workers,
        buffer_size,
        collect_errors,
        width,
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
            if on_error == "emit" or collect_errors:
                blocks = with_numbers(cluster, config, blocks, retries)
            # Not earlier: a run that cannot start must leave the old dataset.
            if overwrite:
                remove(output, existing)
            output.prepare()
            parts = run(cluster, config, blocks, done, retries, on_part or _ignore)
        finally:
            output.sweep()
    _check_parts(output, parts)
    inputs: list[ManifestInput] = [{"file": file.name, "size": file.size} for file in files]
    manifest = manifest_of(plan, packed.name, inputs, parts)
    output.write_json(MANIFEST, manifest, indent=1)
    output.remove([report_of(part["part"]) for part in parts])
    return manifest


def _plan(files: Sequence[InputFile], packed: PackedProcessor, *options: object) -> str:
    """Digest what determines the bytes of each part."""
    facts = [VERSION, [(file.name, file.size, file.stamp) for file in files], packed.stamp]
    return hashlib.sha256(json.dumps([*facts, options]).encode()).hexdigest()


def _done(config: RunConfig, blocks: Sequence[Block], existing: ExistingFiles) -> dict[int, Part]:
    """Find the parts that are there with their reports."""
    names = {report_of(config.file_of("part", block)): block.number for block in blocks}
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
    """See that what workers have written is where it has to be."""
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
