"""The order in which the files of a reader were written."""

from __future__ import annotations

from collections.abc import Container, Iterable

from forstcore.sources._file_offset import FileId
from forstcore.sources._followed_file import FollowedFile
from forstcore.sources._rotation import FoundFile

__all__ = ["grouped", "with_rotated"]


def grouped(files: Iterable[FollowedFile]) -> list[list[FollowedFile]]:
    """Return files, grouped by base path, each group in the order of writing.

    Args:
        files: in the order of writing, as far as it is known. It decides if modification times
            are equal.
    """
    groups: dict[str, list[FollowedFile]] = {}
    for file in files:
        groups.setdefault(file.base, []).append(file)
    for group in groups.values():
        if len(group) > 1:
            group.sort(key=lambda file: (not file.is_rotated, file.written_at()))
    return list(groups.values())


def with_rotated(
    files: dict[FileId, FollowedFile], rotated: Iterable[FoundFile], known: Container[FileId]
) -> dict[FileId, FollowedFile]:
    """Return files in the order of writing, those that were opened last among the known ones.

    Args:
        files: the files.
        rotated: files that were rotated, the oldest first.
        known: files whose order is known, because each was followed before the next one existed.
            Names and modification times are weaker evidence: the time of an empty file may be that
            before the last write to an older one.
    """
    ages = {found.file_id: age for age, found in enumerate(rotated)}
    order = [each for each in files if each in known or each not in ages]

    def is_behind(file: FollowedFile, than: FollowedFile) -> bool:
        if file.base != than.base:
            return False
        # A file that is not among the rotated ones was deleted, or is still the current one.
        age = ages.get(file.file_id, -1 if file.is_rotated else len(ages))
        return age > ages[than.file_id]

    for each in ages:
        if each in files and each not in known:
            newer = (at for at, other in enumerate(order) if is_behind(files[other], files[each]))
            order.insert(next(newer, len(order)), each)
    return {each: files[each] for each in order}
