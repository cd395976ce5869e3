"""The events of an audit and their times, drawn from a seed."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

__all__ = ["CLOCK", "DISK", "Event", "Plan", "Setup"]

Action = Literal["kill", "end", "stop", "kill worker", "full disk", "no descriptors", "clock"]
Target = Literal["server", "client", "proxy"]

CLOCK: Action = "clock"
DISK: Action = "full disk"

_LONGEST_STOP = 6.0  # Seconds: twice the timeout of either side.
_JUMPS = (-86400 * 400, -3600, -5, 5, 3600, 86400 * 400)  # seconds

# Relative frequencies of the events.
_WEIGHTS: dict[tuple[Target, Action], int] = {
    ("server", "kill"): 4,
    ("server", "end"): 2,
    ("server", "stop"): 3,
    ("server", "kill worker"): 4,
    ("server", "full disk"): 3,
    ("server", "no descriptors"): 3,
    ("server", "clock"): 3,
    ("client", "kill"): 4,
    ("client", "stop"): 3,
    ("proxy", "kill"): 3,
    ("proxy", "stop"): 2,
}


@dataclass(frozen=True)
class Event:
    """Something that happens to a process.

    Attributes:
        at: seconds from the start.
        target: the process.
        action: ``kill`` (SIGKILL) and ``end`` (SIGTERM) are followed by another start after
            `seconds`, ``stop`` (SIGSTOP) by SIGCONT; ``full disk`` leaves no room for the
            spool, and ``no descriptors`` none to be opened, for `seconds`; ``clock`` moves the
            time of day by `jump`.
        seconds: how long it lasts.
        jump: seconds.
    """

    at: float
    target: Target
    action: Action
    seconds: float = 0.0
    jump: int = 0

    def __str__(self) -> str:
        what = f"by {self.jump} s" if self.action == CLOCK else f"for {self.seconds:.2f} s"
        return f"{self.at:6.2f} s  {self.target}: {self.action} {what}"


@dataclass(frozen=True)
class Setup:
    """How server and client run, for the whole of an audit.

    Attributes:
        endpoint: where the client streams to.
        processes: the server's.
        takeover: how the server reads bodies.
        compression: whether the client compresses.
        chunk_size: the client's, in bytes.
        fake_clock: whether the server's time of day can be moved.
        tiny_disk: whether the server spools to a disk that can be filled.
    """

    endpoint: str
    processes: int
    takeover: str
    compression: bool
    chunk_size: int
    fake_clock: bool
    tiny_disk: bool


@dataclass(frozen=True)
class Plan:
    """The plan of an audit.

    Attributes:
        seed: determines it, together with the other arguments of `draw`.
        seconds: duration of the faults.
        setup: how the processes run.
        events: the events, in order.
    """

    seed: int
    seconds: float
    setup: Setup
    events: tuple[Event, ...]

    @classmethod
    def draw(cls, seed: int, seconds: float, gap: float = 1.5) -> Plan:
        """Draw a plan.

        Args:
            seed: determines the plan.
            seconds: duration of the faults.
            gap: mean seconds between two events.
        """
        chance = random.Random(seed)
        processes = chance.choice((1, 2))
        setup = Setup(
            endpoint=chance.choice(("/streaming-process", "/large-dataset-stream")),
            processes=processes,
            takeover=chance.choice(("auto", "off")),
            compression=chance.random() < 0.3,
            chunk_size=chance.choice((1 << 14, 1 << 18, 1 << 20)),
            # Under libfaketime 0.9.10 the `time.sleep` of a supervisor fails: it is given a time
            # of the monotonic clock, and takes it for the time of day.
            fake_clock=chance.random() < 0.7 and processes == 1,
            tiny_disk=True,
        )
        kinds = {
            (target, action): weight
            for (target, action), weight in _WEIGHTS.items()
            if (action != CLOCK or setup.fake_clock)
            and (action != "kill worker" or setup.processes > 1)
        }
        events: list[Event] = []
        at = 1.0
        while (at := at + chance.expovariate(1 / gap)) < seconds:
            ((target, action),) = chance.choices(list(kinds), list(kinds.values()))
            lasts = chance.uniform(0, 1.5)
            if action in ("stop", "full disk", "no descriptors"):
                lasts = _LONGEST_STOP * 0.01 ** chance.random()
            events.append(
                Event(round(at, 3), target, action, round(lasts, 3), chance.choice(_JUMPS))
            )
        return cls(seed, seconds, setup, tuple(events))

    def with_what_there_is(self, *, fake_clock: bool, tiny_disk: bool) -> Plan:
        """Return the plan without events that this machine does not support."""
        setup = replace(
            self.setup,
            fake_clock=self.setup.fake_clock and fake_clock,
            tiny_disk=self.setup.tiny_disk and tiny_disk,
        )
        events = tuple(
            event
            for event in self.events
            if (event.action != CLOCK or fake_clock) and (event.action != DISK or tiny_disk)
        )
        return replace(self, setup=setup, events=events)

    def counts(self) -> Counter[str]:
        """Count the events of each kind."""
        return Counter(f"{event.target} {event.action}" for event in self.events)

    def __str__(self) -> str:
        lines = (f"  {event}" for event in self.events)
        return "\n".join([f"seed {self.seed}, {self.seconds:g} s: {self.setup}", *lines])
