"""Directories that take long to make, such as builds, which all processes of a test run share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers import wait_until

__all__ = ["made_once"]


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Make a directory in one of the processes of pytest-xdist, for all of them.

    Args:
        factory: makes the directories of this run.
        name: of the directory; whoever makes another thing uses another name.
        make: called with an empty directory.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        make(place := factory.mktemp(name))
        return place
    place = factory.getbasetemp().parent / name
    made, failed = place.with_suffix(".made"), place.with_suffix(".failed")
    try:
        place.mkdir()
    except FileExistsError:
        wait_until(lambda: made.exists() or failed.exists(), 600)
        if failed.exists():
            # Fail or skip for the same reason.
            make(place := factory.mktemp(name))
        return place
    try:
        make(place)
    except BaseException:
        failed.touch()
        raise
    made.touch()
    return place
