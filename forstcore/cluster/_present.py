"""What is at a destination before a run: parts of forstcore's, and what nobody may touch."""

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

from forstcore.cluster._blocks import File
from forstcore.cluster._manifest import Manifest, Part
from forstcore.cluster._places import is_local, protocols
from forstcore.cluster._target import MANIFEST, OLD_MANIFEST, REPORT, Target

__all__ = ["Present", "check_inputs", "look_at", "remove"]


class _Report(TypedDict):
    """What is written beside a part until there is a manifest."""

    plan: str
    part: Part


@dataclass
class Present:
    """What is there with a name that a run would write.

    Attributes:
        sizes: the files, with their bytes.
        manifest: that of the dataset, if it is complete.
        old_manifest: that of a dataset that was about to be removed.
        reports: what parts of a run that has not ended came to, by the names of the reports.
        foreign: the files that no manifest and no report tells of.
    """

    sizes: dict[str, int]
    manifest: Manifest | None = None
    old_manifest: Manifest | None = None
    reports: dict[str, _Report] = field(default_factory=dict)

    @property
    def foreign(self) -> list[str]:
        return sorted(self.sizes.keys() - self._told_of())

    def plans(self) -> set[str]:
        """Return the digests of the runs that these are of."""
        told = [*self.reports.values(), self.manifest, self.old_manifest]
        return {each["plan"] for each in told if each is not None}

    def _told_of(self) -> set[str | None]:
        parts = [report["part"] for report in self.reports.values()]
        names: set[str | None] = set(self.reports)
        for name, manifest in ((MANIFEST, self.manifest), (OLD_MANIFEST, self.old_manifest)):
            if manifest is not None:
                names.add(name)
                parts += manifest["parts"]
        return names.union(*((part["part"], part["errors_file"]) for part in parts))


def look_at(target: Target) -> Present:
    """Find out what is at a destination."""
    present = Present(target.sizes())
    present.manifest = _manifest_in(target, MANIFEST, present.sizes)
    present.old_manifest = _manifest_in(target, OLD_MANIFEST, present.sizes)
    names = [name for name in present.sizes if REPORT.fullmatch(name)]
    for name, report in zip(names, target.read_json(names), strict=True):
        if _is_report(report):
            present.reports[name] = report
    return present


def remove(target: Target, present: Present) -> None:
    """Remove what is there; broken off, it can be gone on with.

    What tells that a file may be removed is removed after it.
    """
    if present.manifest is not None:
        # Without its manifest it is no dataset any more, wherever this may end.
        target.write_json(OLD_MANIFEST, present.manifest)
        target.remove([MANIFEST])
    told = {MANIFEST, OLD_MANIFEST, *present.reports}
    target.remove([name for name in present.sizes if name not in told])
    target.remove(list(present.reports))
    if present.manifest is not None or present.old_manifest is not None:
        target.remove([OLD_MANIFEST])


def check_inputs(system: Any, files: Sequence[File], target: Target, present: Present) -> None:
    """See that no input is a file that a run would remove or replace.

    On this machine files are compared by device and inode, elsewhere by path.

    Args:
        system: the file system of the input.
        files: the input.
        target: the destination.
        present: what is there.

    Raises:
        FileExistsError: one is; the message names it.
    """
    taken: set[object] = set()
    for name in present.sizes:
        taken |= _identities(target.system, target.path(name))
    for file in files:
        if taken & _identities(system, file.path):
            raise FileExistsError(
                errno.EEXIST,
                f"holds the input {file.name}; choose another destination",
                target.name,
            )


def _identities(system: Any, path: str) -> set[object]:
    while isinstance(inner := getattr(system, "fs", None), AbstractFileSystem):
        # A cache of another file system, or a directory there.
        path = system._join(path) if isinstance(system, DirFileSystem) else path
        system = inner
    if not is_local(system):
        return {(protocol, posixpath.normpath(path)) for protocol in protocols(system)}
    found: set[object] = set()
    # Both a link and what it leads to.
    for is_followed in (True, False):
        with suppress(OSError):
            status = Path(path).stat(follow_symlinks=is_followed)
            found.add((status.st_dev, status.st_ino))
    return found


def _manifest_in(target: Target, name: str, present: Mapping[str, int]) -> Manifest | None:
    found: Any = target.read_json([name])[0] if name in present else None
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
