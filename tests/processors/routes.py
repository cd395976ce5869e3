"""Processors for the tests, one for each feature."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from forstcore import ProcessedRecord, StreamingRecord, process_record, processor


@processor("same")
def same(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record as it is."""
    return record


@processor("same-async")
async def same_async(record: dict[str, Any]) -> dict[str, Any]:
    return record


@processor("twin")
def twin(record: StreamingRecord) -> ProcessedRecord:
    """Do what the built-in processor does."""
    return process_record(record)  # type: ignore[return-value]


@processor("twin-async")
async def twin_async(record: StreamingRecord) -> ProcessedRecord:
    return process_record(record)  # type: ignore[return-value]


@processor("times")
def times(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return a record the number of times that it specifies."""
    for turn in range(record.get("n", 1)):
        yield {"id": record["id"], "turn": turn}


@processor("times-async")
async def times_async(record: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    for turn in range(record.get("n", 1)):
        await asyncio.sleep(0)
        yield {"id": record["id"], "turn": turn}


@processor("picky")
def picky(record: dict[str, Any]) -> dict[str, Any] | None:
    """Drop, refuse or return a record, as it specifies."""
    if "refuse" in record:
        raise ValueError(record["refuse"])
    return None if record.get("drop") else record


@processor("picky-async")
async def picky_async(record: dict[str, Any]) -> dict[str, Any] | None:
    return picky(record)


@processor("nap")
def nap(record: dict[str, Any]) -> dict[str, Any]:
    """Block for the time that the record specifies."""
    time.sleep(record.get("seconds", 0))
    return record


@processor("nap-async")
async def nap_async(record: dict[str, Any]) -> dict[str, Any]:
    await asyncio.sleep(record.get("seconds", 0))
    return record


@dataclass
class Item:
    """A line of an order."""

    name: str
    count: int = 1


@dataclass
class Order:
    """An order, which knows its items and nothing else."""

    id: int
    state: Literal["open", "paid"] = "open"
    items: list[Item] = field(default_factory=list)
    note: str | None = None


@processor("order")
def order(record: Order) -> Order:
    """Pay an order."""
    record.state = "paid"
    return record


class Reading(TypedDict):
    """A reading of a sensor."""

    sensor: str
    value: float


@processor("reading")
async def reading(record: Reading) -> Reading:
    return {"sensor": record["sensor"], "value": record["value"] * 2}
