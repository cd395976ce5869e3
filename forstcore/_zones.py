"""The changes of the offset of a time zone, for compiled processors.

The module zoneinfo takes long to import, and there are no zones before somebody else has done it.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["is_zone", "is_zone_class", "zone_changes"]

# In seconds since 1970, in UTC.
_FIRST = 631_152_000  # 1990-01-01
_LAST = 2_840_140_800  # 2060-01-01
# No zone has changed its offset and changed it back within less: a test checks all of them.
_STEP = 3 * 86_400
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
    for before in range(_FIRST, _LAST, _STEP):
        behind = min(before + _STEP, _LAST)
        following = _state_at(behind, zone)
        if following == state:
            continue
        while behind - before > 1:
            middle = (before + behind) // 2
            if _state_at(middle, zone) == state:
                before = middle
            else:
                behind = middle
        state = following
        yield behind, state


def _state_at(at: int, zone: ZoneInfo) -> _State:
    local = datetime.fromtimestamp(at, zone)
    return local.utcoffset(), local.tzname()
