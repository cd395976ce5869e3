"""What a record costs a process, apart from its start: the difference of a short and a long run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from benchmarks.building import BUILD

__all__ = ["SHORT", "Line", "installed", "line_through"]

SHORT: Final = 20_000
"""Records of the short run: enough for all modules to be imported, functions to be compiled, and
batches to have their largest size, in every way of doing a job."""


@dataclass(frozen=True)
class Line:
    """A straight line through two runs.

    Attributes:
        record: seconds for each record.
        start: seconds for none.
    """

    record: float
    start: float


def line_through(short: float, long: float, records: int) -> Line:
    """Return the line through two runs.

    Args:
        short: seconds of a run of `SHORT` records.
        long: seconds of a run of `records`, which begin with the same ones.
        records: number of them.
    """
    record = (long - short) / (records - SHORT)
    return Line(record, short - SHORT * record)


def installed() -> dict[str, str]:
    """Return an environment where modules have bytecode, as those of an installed package do.

    The first run writes it.
    """
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(BUILD / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment
