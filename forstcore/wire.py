"""The names that client and server agree on: request headers, response headers, control lines.

See ``docs/reference/wire.md`` for what they mean.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

__all__ = [
    "ACK",
    "DELIVERY",
    "END",
    "ERROR",
    "FORST_ACK",
    "FORST_DELIVERY",
    "FORST_FILTER",
    "FORST_FIRST_LINE",
    "FORST_FRAMES",
    "FORST_ON_ERROR",
    "FORST_ORDER",
    "FORST_PREFIX",
    "MISSED",
    "OFFSET",
    "REJECTED",
    "RETRIABLE_CODES",
    "SOURCE",
    "OnError",
    "ack_line",
]

FORST_PREFIX: Final = "Forst-"
"""How the names of all headers of this protocol begin."""

FORST_ACK: Final = "Forst-Ack"
FORST_DELIVERY: Final = "Forst-Delivery"
FORST_FILTER: Final = "Forst-Filter"
FORST_FIRST_LINE: Final = "Forst-First-Line"
FORST_FRAMES: Final = "Forst-Frames"
FORST_ON_ERROR: Final = "Forst-On-Error"
FORST_ORDER: Final = "Forst-Order"

OnError: TypeAlias = Literal["skip", "emit", "fail"]
"""Values of `FORST_ON_ERROR`."""

ACK: Final = b":ack"
DELIVERY: Final = b":delivery"
END: Final = b":end"
ERROR: Final = b":error"
MISSED: Final = b":missed"
OFFSET: Final = b":offset"
REJECTED: Final = b":rejected"
SOURCE: Final = b":source"

RETRIABLE_CODES: Final = frozenset({"draining", "overloaded", "timeout"})
"""Codes of an ``:error`` line after which another connection may succeed."""


def ack_line(lines: int) -> bytes:
    """Return the control line that acknowledges the first `lines` lines."""
    return b"%b %d\n" % (ACK, lines)
