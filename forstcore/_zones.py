"""The changes of the offset of a time zone, for compiled processors.

The module zoneinfo takes long to import, and there are no zones before somebody else has done it.
"""

from __future__ import annotations

import functools
import struct
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["is_zone", "is_zone_class", "zone_changes"]

# In seconds since 1970, in UTC.
_FIRST = 631_152_000  # 1990-01-01
_LAST = 2_840_140_800  # 2060-01-01
# No zone has changed its offset and changed it back within less: a test checks all of them.
_STEP = 3 * 86_400
# The same where a zone changes by a rule that is the same in each year.
_STEP_OF_RULES = 30 * 86_400
_SECOND = timedelta(seconds=1)

_State = tuple[timedelta | None, str | None]


def is_zone_class(value: Any) -> bool:
    """Return whether a value is the class ZoneInfo."""
    module = sys.modules.get("zoneinfo")
    return module is not None and value is module.ZoneInfo


def is_zone(value: Any) -> bool:
    """Return whether a value is a zone whose changes are known."""
    return is_zone_class(type(value)) and value.key is not None


@functools.lru_cache(maxsize=256)
def zone_changes(zone: ZoneInfo) -> tuple[tuple[int, int, str], ...]:
    """Return the offsets and names of a zone from 1990 to 2059.

    Returns:
        For each the first second since 1970 in UTC, the offset from UTC in seconds, and the name.
        The last one is where what is known ends.
    """
    found = [
        (at, (offset or timedelta()) // _SECOND, name or "")
        for at, (offset, name) in _changes(zone)
    ]
    return (*found, (_LAST, 0, ""))


def _changes(zone: ZoneInfo) -> Iterator[tuple[int, _State]]:
    """Yield the times from which on the zone is in another state, and that state."""
    state = _state_at(_FIRST, zone)
    yield _FIRST, state
    before = _FIRST
    for behind in _looks(_file_of(zone)):
        following = _state_at(behind, zone)
        while following != state:
            before = _first_change(zone, state, before, behind)
            state = _state_at(before, zone)
            yield before, state
        before = behind


def _looks(file: bytes | None) -> Iterator[int]:
    """Yield the times at which to ask a zone for its state, in their order.

    Args:
        file: of the zone; None if there is none.
    """
    at = _FIRST
    times, rule = (None, b"") if file is None else _read(file)
    for change in times or ():
        if _FIRST < change < _LAST:
            yield from (change - 1, change)
            at = change
    if times is None or b"," in rule:
        yield from range(at, _LAST, _STEP if times is None else _STEP_OF_RULES)
    yield _LAST


def _first_change(zone: ZoneInfo, state: _State, before: int, behind: int) -> int:
    """Return when a zone leaves the state that it has before, and not behind."""
    while behind - before > 1:
        middle = (before + behind) // 2
        if _state_at(middle, zone) == state:
            before = middle
        else:
            behind = middle
    return behind


def _file_of(zone: ZoneInfo) -> bytes | None:
    """Return the file of a zone, from where Python looks for it; None if there is none."""
    try:
        zone.__reduce__()
    except Exception:  # PicklingError: it may have been read from any file.
        return None
    for folder in sys.modules["zoneinfo"].TZPATH:
        path = Path(folder, zone.key)
        if path.is_file():
            return path.read_bytes()
    from importlib import resources  # which takes long

    try:
        return resources.files("tzdata").joinpath("zoneinfo", *zone.key.split("/")).read_bytes()
    except (ImportError, OSError):
        return None


def _read(file: bytes) -> tuple[tuple[int, ...] | None, bytes]:
    """Return the times of changes in a file, and the rule for later ones; see RFC 8536."""
    head = struct.Struct(">20x6L")
    try:
        utc, standard, leaps, times, types, characters = head.unpack_from(file)
        # The first block has times of 32 bits.
        at = head.size + 5 * times + 6 * types + characters + 8 * leaps + standard + utc
        if not file[at:].startswith(b"TZif"):
            return None, b""
        utc, standard, leaps, times, types, characters = head.unpack_from(file, at)
        at += head.size
        found = struct.unpack_from(f">{times}q", file, at)
    except struct.error:
        return None, b""
    return found, file[at + 9 * times + 6 * types + characters + 12 * leaps + standard + utc :]


def _state_at(at: int, zone: ZoneInfo) -> _State:
    local = datetime.fromtimestamp(at, zone)
    return local.utcoffset(), local.tzname()
