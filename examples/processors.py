"""Processors of each kind, for `forstcore serve --processors examples/processors.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import forstcore
from forstcore import ProcessedRecord, StreamingRecord


@forstcore.processor("enrich")
def enrich(record: dict[str, Any]) -> dict[str, Any]:
    """Add the number of words to any object."""
    record["words"] = len(str(record.get("data", "")).split())
    return record


@forstcore.processor("shout")
def shout(record: StreamingRecord) -> ProcessedRecord | None:
    """Return the data in capitals; drop records without data."""
    if not record["data"]:
        return None
    return {"id": record["id"], "result": record["data"].upper(), "status": "success"}


@forstcore.processor("words")
def words(record: StreamingRecord) -> Iterator[dict[str, str]]:
    """Return a result for each word."""
    for word in record["data"].split():
        yield {"id": record["id"], "word": word}


@dataclass
class Reading:
    """A reading of a sensor."""

    sensor: str
    celsius: float


@forstcore.processor("convert")
def convert(reading: Reading) -> dict[str, Any]:
    """Convert to Fahrenheit; an invalid reading becomes an error line with the reason."""
    return {"sensor": reading.sensor, "fahrenheit": reading.celsius * 9 / 5 + 32}


@forstcore.processor("look-up")
async def look_up(record: dict[str, Any]) -> dict[str, Any]:
    """Wait for another service, here a timer, for many records concurrently."""
    await asyncio.sleep(0.01)
    return record | {"asked": True}
