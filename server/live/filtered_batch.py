"""A batch for readers that share the reading of a source."""

from __future__ import annotations

from dataclasses import dataclass

from forstcore.sources import Batch

__all__ = ["FilteredBatch"]


@dataclass(frozen=True, slots=True)
class FilteredBatch(Batch):
    """Some of a source's records, without those that the reader's filter does not let through.

    Empty lines take their places, so that all lines keep their numbers.

    Attributes:
        left_out: records that are not there.
        size: bytes of the source, those of the records left out included.
    """

    left_out: int = 0
    size: int = 0
