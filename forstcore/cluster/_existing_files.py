"""Check the files at a destination before a run: forstcore's own, foreign ones and inputs."""

from __future__ import annotations

import errno
import posixpath
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict, cast

from fsspec import AbstractFileSystem
from fsspec.implementations.dirfs import DirFileSystem

from forstcore.cluster._blocks import InputFile
from forstcore.cluster._filesystems import is_local, protocols
from forstcore.cluster._manifest import Manifest, Part
from forstcore.cluster._output_directory import MANIFEST, OLD_MANIFEST, REPORT, OutputDirectory

__all__ = ["ExistingFiles", "check_inputs", "find_existing", "remove"]


class _Report(TypedDict):
    """The report that a worker writes for each part; it is removed once there is a manifest."""

    plan: str
    part: Part


@dataclass
class ExistingFiles:
    """The files at a destination whose names are reserved for a run.

    Attributes:
        sizes: their names and sizes.
        manifest: the manifest, if the dataset is complete.
        old_manifest: the manifest of a dataset whose removal was interrupted.
        reports: the reports of an unfinished run, by their names.
        foreign: the files that no manifest and no report lists.
    """

    sizes: dict[str, int]
    manifest: Manifest | None = None
    old_manifest: Manifest | None = None
    reports: dict[str, _Report] = field(default_factory=dict)

    @property
    def foreign(self) -> list[str]:
        return sorted(self.sizes.keys() - self._listed())

    def plans(self) -> set[str]:
        """Return the digests of the runs that wrote these files."""
        found = [*self.reports.values(), self.manifest, self.old_manifest]
        return {each["plan"] for each in found if each is not None}

    def _listed(self) -> set[str | None]:
        parts = [report["part"] for report in self.reports.values()]
        names: set[str | None] = set(self.reports)
        for name, manifest in ((MANIFEST, self.manifest), (OLD_MANIFEST, self.old_manifest)):
            if manifest is not None:
                names.add(name)
                parts += manifest["parts"]
        return names.union(*((part["part"], part["errors_file"]) for part in parts))


def find_existing(output: OutputDirectory) -> ExistingFiles:
    """List the files at a destination, and read its manifest and reports."""
    existing = ExistingFiles(output.sizes())
    existing.manifest = _manifest_in(output, MANIFEST, existing.sizes)
    existing.old_manifest = _manifest_in(output, OLD_MANIFEST, existing.sizes)
    names = [name for name in existing.sizes if REPORT.fullmatch(name)]
    for name, report in zip(names, output.read_json(names), strict=True):
        if _is_report(report):
            existing.reports[name] = report
    return existing


def remove(output: OutputDirectory, existing: ExistingFiles) -> None:
    """Remove a dataset, or the files of an unfinished run.

    Manifests and reports are removed after the files that they list, so that an interrupted
    removal leaves no file that a later one would not recognise.
    """
    if existing.manifest is not None:
        # Readers must not find a manifest whose parts are gone.
        output.write_json(OLD_MANIFEST, existing.manifest)
        output.remove([MANIFEST])
    lists = {MANIFEST, OLD_MANIFEST, *existing.reports}
    output.remove([name for name in existing.sizes if name not in lists])
    output.remove(list(existing.reports))
    if existing.manifest is not None or existing.old_manifest is not None:
        output.remove([OLD_MANIFEST])


def check_inputs(
    system: Any, files: Sequence[InputFile], output: OutputDirectory, existing: ExistingFiles
) -> None:
    """Check that no input is a file that a run would remove or replace.

    Local files are compared by device and inode, others by path.

    Args:
        system: the file system of the input.
        files: the input.
        output: the destination.
        existing: the files at the destination.

    Raises:
        FileExistsError: an input is such a file; the message names it.
    """
    taken: set[object] = set()
    for name in existing.sizes:
        taken |= _identities(output.system, output.path(name))
    for file in files:
        if taken & _identities(system, file.path):
            raise FileExistsError(
                errno.EEXIST,
                f"holds the input {file.name}; choose another destination",
                output.name,
            )


def _identities(system: Any, path: str) -> set[object]:
    while isinstance(inner := getattr(system, "fs", None), AbstractFileSystem):
        # For a caching or directory file system, compare on the one that it wraps.
        if isinstance(system, DirFileSystem):
            path = "/".join(filter(None, (system.path, path)))
        system = inner
    if not is_local(system):
        return {(protocol, posixpath.normpath(path)) for protocol in protocols(system)}
    found: set[object] = set()
    # A symbolic link counts as itself and as its target.
    for is_followed in (True, False):
        with suppress(OSError):
            status = Path(path).stat(follow_symlinks=is_followed)
            found.add((status.st_dev, status.st_ino))
    return found


def _manifest_in(
    output: OutputDirectory, name: str, existing: Mapping[str, int]
) -> Manifest | None:
    found: Any = output.read_json([name])[0] if name in existing else None
    is_one = (
        isinstance(found, Mapping)
        and isinstance(found.get("plan"), str)
        and isinstance(found.get("version"), str)
        and isinstance(found.get("parts"), list)
        and all(map(_is_part, found["parts"]))
    )
    return cast(Manifest, found) if is_one else None


def _is_report(found: Any) -> bool:
    return (
        isinstance(found, Mapping)
        and isinstance(found.get("plan"), str)
        and _is_part(found.get("part"))
    )


def _is_part(found: Any) -> bool:
    return isinstance(found, Mapping) and {"part", "errors_file", "bytes_out", "digest"} <= set(
        found
    )
