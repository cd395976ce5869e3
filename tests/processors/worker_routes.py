"""Processors for worker processes, some of which do not survive.

All call something that cannot be compiled: compiled functions run in threads.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from forstcore import processor


@processor("work", worker_kind="processes")
def work(record: dict[str, Any]) -> Any:
    """Do what the record says."""
    if "refuse" in record:
        raise ValueError(record["refuse"])
    if "exit" in record:
        os._exit(record["exit"])
    if "leave" in record:
        raise SystemExit(record["leave"])
    if "signal" in record:
        os.kill(os.getpid(), record["signal"])
    if "crash" in record:
        ctypes.string_at(0)
    if "log" in record:
        logging.getLogger("tests.worker").warning("says %s", record["log"])
    if "print" in record:
        print(record["print"], repr(sys.stdin.read()))
    if "wait" in record:
        wait(record["wait"])
    if "size" in record:
        return {"id": record["id"], "text": "x" * record["size"]}
    if "times" in record:
        return several(record)
    return None if "drop" in record else record


def wait(place: str) -> None:
    """Say which process waits, and wait for a file."""
    Path(place, f"{os.getpid()}.waits").touch()
    while not Path(place, "go").exists():
        time.sleep(0.01)


def several(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for turn in range(record["times"]):
        if turn == record.get("dies"):
            os.kill(os.getpid(), signal.SIGKILL)
        yield {"id": record["id"], "turn": turn}


@processor("pid")
def pid(_record: dict[str, Any]) -> dict[str, int]:
    return {"pid": os.getpid()}


def made(factor: int) -> Callable[[dict[str, Any]], dict[str, int]]:
    def times(record: dict[str, Any]) -> dict[str, int]:
        return {"id": record["id"] * factor if os.getpid() else 0}

    return times


processor("made")(made(3))
