"""Rotation between any two system calls of a reader that is killed and restarted."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forstcore.sources import _file_set, _followed_file, file
from forstcore.sources.file import FileReader
from tests.sources.followed import append, source_of

_PARTS = 2
_MOST_ROTATIONS = 8  # of each part.
_CALLS = ("stat", "lstat", "listdir", "scandir", "fstat")
_TICKS = (1_000, 1_000_000, 4_000_000)  # Nanoseconds.


class _Clock:
    """Shows the same time until it is set."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return time.time()


class _Writer:
    """Writes numbered lines to files, and rotates these as logrotate does, step by step.

    Args:
        directory: where the files are.
        chance: what happens when.
    """

    def __init__(self, directory: Path, chance: random.Random) -> None:
        self._directory = directory
        self._chance = chance
        self._limit = chance.choice([20, 60, 200])
        self._tick = chance.choice([0, 0.1, 0.5, 1])  # How often the file system's clock ticks.
        self._late = chance.choice([0, 0.5])  # How often writers go on in a renamed file.
        self._steps: list[Callable[[], object]] = []
        self._rotations = [0] * _PARTS
        self._time = time.time_ns() - 10**9
        self.counts = [0] * _PARTS
        for part in range(_PARTS):
            self._touch(part)

    def has_ended(self) -> bool:
        return sum(self.counts) >= self._limit and not self._steps

    def step(self) -> None:
        part = self._chance.randrange(_PARTS)
        if self._steps:
            self._steps.pop(0)()
        elif self.has_ended():
            pass
        elif self._chance.random() < 0.6:
            self._write(part)
        elif self._rotations[part] < _MOST_ROTATIONS:
            self._rotations[part] += 1
            for number in range(self._rotations[part], 0, -1):
                older, newer = self._path(part, number), self._path(part, number - 1)
                self._steps.append(lambda older=older, newer=newer: newer.rename(older))  # type: ignore[misc]
            self._steps.append(lambda: self._touch(part))
            if self._chance.random() < self._late:
                self._steps.append(lambda: self._write(part, 1))

    def _path(self, part: int, number: int = 0) -> Path:
        return self._directory / (f"{part}.log.{number}" if number else f"{part}.log")

    def _touch(self, part: int) -> None:
        self._path(part).touch()
        self._set_time(self._path(part))

    def _write(self, part: int, number: int = 0) -> None:
        first = self.counts[part]
        self.counts[part] += self._chance.randrange(1, 4)
        path = self._path(part, number)
        append(
            path, b"".join(b"%d-%d\n" % (part, each) for each in range(first, self.counts[part]))
        )
        self._set_time(path)

    def _set_time(self, path: Path) -> None:
        if self._chance.random() < self._tick:
            self._time += self._chance.choice(_TICKS)
        os.utime(path, ns=(self._time, self._time))


def _read_all(
    directory: Path, seed: int, monkeypatch: pytest.MonkeyPatch, max_line_size: int = 1 << 20
) -> None:
    chance = random.Random(seed)
    writer = _Writer(directory, chance)
    often = chance.choice([0.01, 0.03, 0.06])
    clock = _Clock()
    monkeypatch.setattr(_file_set, "time", clock)
    monkeypatch.setattr(_followed_file, "time", clock)
    is_inside = False

    def happen() -> None:
        nonlocal is_inside
        if is_inside:
            return
        is_inside = True
        while chance.random() < often:
            writer.step()
        is_inside = False

    def interrupted(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **options: Any) -> Any:
            happen()
            return call(*arguments, **options)

        return called

    source = source_of(directory / "*.log", max_line_size=max_line_size)
    reader = FileReader(source, "start")
    first = reader._read_next()
    assert first is not None
    reader._files.close()
    offset = first.offset
    confirmed: list[bytes] = []
    with monkeypatch.context() as patch:
        for name in _CALLS:
            patch.setattr(os, name, interrupted(getattr(os, name)))
        patch.setattr(_followed_file, "_open", interrupted(_followed_file._open))
        for _ in range(300):
            if writer.has_ended():
                break
            reader = FileReader(source, offset)
            batches = []
            for _ in range(chance.choice([1, 2, 3, 5, 10, 30])):
                clock.now += chance.choice([0, 0, 0, 0, 0, 3, 11])
                batches.append(reader._read_next())
                happen()
            reader._files.close()
            # It was killed before the last results were confirmed.
            count = chance.choice([len(batches), chance.randint(0, len(batches))])
            for each in filter(None, batches[:count]):
                assert each.missed == 0
                confirmed += each.lines.split()
                offset = each.offset
    reader = FileReader(source, offset)
    idle = 0
    while idle < 3:
        batch = reader._read_next()
        idle = 0 if batch is not None and batch.lines else idle + 1
        if batch is not None:
            assert batch.missed == 0
            confirmed += batch.lines.split()
    reader._files.close()
    for part in range(_PARTS):
        found = [line for line in confirmed if line.startswith(b"%d-" % part)]
        assert found == [b"%d-%d" % (part, number) for number in range(writer.counts[part])]


@pytest.mark.parametrize(
    "seeds", [range(15), pytest.param(range(100, 400), marks=pytest.mark.long)], ids=str
)
def test_every_line_comes_once_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seeds: range
) -> None:
    monkeypatch.setattr(file, "_MIN_SCAN_PAUSE", 0.0)
    monkeypatch.setattr(file, "_SCAN_PAUSE_RATIO", 0)
    for seed in seeds:
        directory = tmp_path / str(seed)
        directory.mkdir()
        try:
            _read_all(directory, seed, monkeypatch)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error


@pytest.mark.parametrize("seed", [112, 145, 188, 208, 368, 390])
def test_files_that_are_rotated_when_they_have_been_read_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(file, "_MIN_SCAN_PAUSE", 0.0)
    monkeypatch.setattr(file, "_SCAN_PAUSE_RATIO", 0)
    monkeypatch.setattr(_followed_file, "_READ_SIZE", 12)
    _read_all(tmp_path, seed, monkeypatch, max_line_size=10)


def test_a_file_that_is_renamed_before_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process restarts the reader while files move on: it must not take one for another."""
    log = tmp_path / "app.log"
    append(log, b"0\n")
    source = source_of(log)
    reader = FileReader(source, "start")
    batches = [reader._read_next() for _ in range(2)]
    reader._files.close()
    assert batches[1] is not None
    assert batches[1].lines == b"0\n"
    log.rename(tmp_path / "app.log.1")
    append(log, b"1\n2\n")
    open_file, has_moved = _followed_file._open, False

    def rotate_first(path: str) -> Any:
        nonlocal has_moved
        if not has_moved:
            has_moved = True
            (tmp_path / "app.log.1").rename(tmp_path / "app.log.2")
            log.rename(tmp_path / "app.log.1")
            append(log, b"3\n")
        return open_file(path)

    monkeypatch.setattr(_followed_file, "_open", rotate_first)
    reader = FileReader(source, batches[1].offset)
    found = b""
    for _ in range(6):
        if batch := reader._read_next():
            assert batch.missed == 0
            found += batch.lines
        reader._scan_at = 0.0
    reader._files.close()
    assert has_moved
    assert found == b"1\n2\n3\n"
