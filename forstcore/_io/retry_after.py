"""The header Retry-After (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

__all__ = ["retry_after_seconds"]

_MAX_WAIT = 300.0  # Seconds.


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return for how many seconds a response asks to wait, five minutes at most.

    Args:
        headers: those of the response, with ``Date``: the clocks of server and client may differ.

    Returns:
        None if there is no valid header.
    """
    text = headers.get("Retry-After", "")
    if text.isdecimal():
        seconds = float(text[:9])
    elif date := _date(text):
        sent_at = _date(headers.get("Date", "")) or datetime.now(UTC)
        seconds = (date - sent_at).total_seconds()
    else:
        return None
    return min(max(seconds, 0.0), _MAX_WAIT)


def _date(text: str) -> datetime | None:
    with suppress(ValueError):
        found = email.utils.parsedate_to_datetime(text)
        # Of a date with the zone -0000 it only says that it is UTC.
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return None
