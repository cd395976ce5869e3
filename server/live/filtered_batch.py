"""A batch for readers that share the reading of a source."""

from __future__ import annotations

from dataclasses import dataclass

from forstcore.sources import Batch

__all__ = ["FilteredBatch"]


@dataclass(frozen=True, slots=True)
class FilteredBatch(Batch):
    """The records of a batch that match the reader's filter.

    Empty lines replace the others, so that all lines keep their numbers.

    Attributes:
        left_out: number of records that do not match.
        size: bytes of the source, including the records left out.
    """

    left_out: int = 0
    size: int = 0
