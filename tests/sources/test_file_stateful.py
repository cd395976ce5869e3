"""Any order of writing, rotating, truncating, and starting and stopping to read."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from forstcore.sources import _file_set, file
from tests.sources.followed import Followed

_KEPT = 4  # Rotated files that are kept.
_UNSEEN = 3  # Rotations between two scans: fewer, as files deleted between scans are not detected.
_QUIET = 0.04  # Seconds without lines after which the reader has read everything.


class Rotations(RuleBasedStateMachine):
    """Write lines by one handle, which may outlive the name of its file, and rename."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.log = self.directory / "app.log"
        self.writer = self.log.open("ab", buffering=0)
        self.number = 0
        self.written: list[bytes] = []  # Whole lines, in order.
        self.safe = 0  # Index in `written` from which on no line was destroyed.
        self.rest = b""  # The last line, while it has no LF.
        self.left: list[bytes] = []  # Lines that never get their LF.
        self.deleted: set[bytes] = set()  # Lines whose file is deleted.
        self.torn: set[bytes] = set()  # Unfinished lines in copies, which may be read.
        self.unseen = 0
        self.read: list[bytes] = []
        self.is_reported = False
        self.offset = "start"
        self.followed: Followed | None = None

    @initialize(pattern=st.sampled_from(["app.log", "app.log*"]))
    def begin(self, pattern: str) -> None:
        self.pattern = self.log.with_name(pattern)
        self.come()

    @rule(count=st.integers(1, 40))
    def write(self, count: int) -> None:
        lines = [b"%s%d" % (self.rest, self.number)]
        lines += [b"%d" % (self.number + more) for more in range(1, count)]
        self.number += count
        self.writer.write(b"".join(line + b"\n" for line in lines)[len(self.rest) :])
        self.written += lines
        self.rest = b""

    @rule()
    def write_part(self) -> None:
        if not self.rest:
            self.rest = b"%d-" % self.number
            self.number += 1
            self.writer.write(self.rest)

    def rotated(self) -> list[Path]:
        return [self.log.with_name(f"app.log.{number}") for number in range(1, _KEPT + 1)]

    def shift(self, names: list[Path]) -> None:
        """Give each file the next name, and delete the last."""
        if names[-2].exists() and names[-1].exists():
            self.deleted.update(names[-1].read_bytes().splitlines())
        for older, newer in reversed(list(zip(names[1:], names[:-1], strict=True))):
            if newer.exists():
                newer.rename(older)

    @precondition(lambda self: self.unseen < _UNSEEN and self.log.exists())
    @rule(is_created=st.booleans(), is_opened=st.booleans())
    def rename(self, is_created: bool, is_opened: bool) -> None:
        self.unseen += 1
        self.shift([self.log, *self.rotated()])
        if is_created:
            self.log.touch()
        if is_opened:
            self.reopen()

    def is_at_log(self) -> bool:
        """Return whether the writer's file still has its name."""
        status = os.fstat(self.writer.fileno())
        return self.log.exists() and os.path.samestat(self.log.stat(), status)

    @rule()
    def reopen(self) -> None:
        if self.is_at_log():
            return
        if self.rest:
            self.left.append(self.rest)
            self.rest = b""
        self.writer.close()
        self.writer = self.log.open("ab", buffering=0)

    @precondition(lambda self: self.followed is not None)
    @rule()
    def look(self) -> None:
        assert self.followed is not None
        self.followed.settle(_QUIET)
        self.unseen = 0
        self.note()

    @precondition(lambda self: self.followed is not None)
    @rule(is_read=st.booleans())
    def go(self, is_read: bool) -> None:
        if is_read:
            self.look()
        self.note()
        assert self.followed is not None
        self.followed.close()
        self.followed = None

    @precondition(lambda self: self.followed is None)
    @rule()
    def come(self) -> None:
        self.followed = Followed(self.pattern, self.offset)
        self.unseen = 0
        self.note()

    def note(self) -> None:
        """Note the lines that have been read since the last call."""
        assert self.followed is not None
        self.read += self.followed.lines
        self.followed.lines = []
        self.is_reported = self.is_reported or self.followed.gaps > 0
        self.offset = self.followed.offset

    @invariant()
    def nothing_comes_twice(self) -> None:
        if not self.is_reported:
            assert max(Counter(self.read).values(), default=1) == 1

    def teardown(self) -> None:
        try:
            if self.followed is None:
                self.come()
            self.look()
            # A new look ends the files that have lost their names.
            self.log.touch()
            self.look()
            grace, _file_set._GRACE = _file_set._GRACE, 0.0
            try:
                self.look()
                self.look()
            finally:
                _file_set._GRACE = grace
            self.check()
        finally:
            if self.followed is not None:
                self.followed.close()
            self.writer.close()
            shutil.rmtree(self.directory)

    def check(self) -> None:
        found = Counter(self.read)
        safe = self.written[self.safe :]
        if self.is_reported:
            kept = [line for line in safe if line not in self.deleted]
            assert {line: found[line] for line in kept} == dict.fromkeys(kept, 1)
        else:
            rest = {self.rest} if found[self.rest] and not self.is_at_log() else set()
            torn = self.torn & found.keys()
            assert found == Counter([*self.written, *self.left, *rest, *torn])


class Truncations(Rotations):
    """Destroy lines, too; unread ones are reported as missing."""

    @precondition(lambda self: self.is_at_log())
    @rule(is_copied=st.booleans())
    def truncate(self, is_copied: bool) -> None:
        if self.followed is not None:
            self.look()
        elif not set(self.log.read_bytes().splitlines()) & set(self.read):
            # If all lines are destroyed unread, the reader cannot tell.
            self.is_reported = True
        if self.log.stat().st_size and is_copied:
            self.shift(self.rotated())
            shutil.copyfile(self.log, self.rotated()[0])
        os.truncate(self.log, 0)
        self.safe = len(self.written)
        self.torn.add(self.rest)
        self.rest = b""

    @precondition(lambda self: self.is_at_log())
    @rule(count=st.integers(1, 40))
    def write_anew(self, count: int) -> None:
        self.truncate(False)
        self.write(count)


@pytest.mark.long
@pytest.mark.parametrize("machine", [Rotations, Truncations])
def test_every_line_comes_once_unless_a_gap_is_reported(
    machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "_POLL_INTERVAL", 0.005)
    monkeypatch.setattr(file, "_MIN_SCAN_PAUSE", 0.0)
    monkeypatch.setattr(file, "_SCAN_PAUSE_RATIO", 0)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
