"""The input of one kind of records, and what each row of the table does with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from benchmarks import records

BLOCK_SIZE: Final = 64 * 1024

Pass = Callable[[], object]
"""Runs once over the whole corpus."""


@dataclass(frozen=True)
class Contestant:
    """One row of the table."""

    name: str
    run: Pass
    prepare: Callable[[], object] = bool  # untimed, before each turn
    warm: bool = True  # run once untimed, because it is fast enough to depend on cache content


class Corpus:
    """The input of one kind, divided into blocks and into lines."""

    def __init__(self, kind: str, size: int) -> None:
        self.kind = kind
        self.body = records.make(kind, size)
        self.blocks = records.cut_at_lines(self.body, BLOCK_SIZE)
        self.chunks = records.cut_anywhere(self.body, BLOCK_SIZE)
        self.lines = self.body[:-1].split(b"\n")


def builtin_result(record: dict[str, Any]) -> dict[str, str]:
    """Return what the built-in processor makes of a record."""
    return {
        "id": record["id"],
        "result": "processed_" + record.get("data", ""),
        "status": "success",
    }
