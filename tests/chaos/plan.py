"""The events of a chaos run, drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["PROCESS", "Event", "draw"]

PROCESS = "process"
"""The target that runs the pipeline."""

_PROCESS_ACTIONS = ("kill", "kill", "kill", "end", "end", "stop")


@dataclass(frozen=True)
class Event:
    """An event of the process or of a peer.

    Attributes:
        at: number of records that are fed before it.
        delay: seconds after these.
        target: `PROCESS`, or the kind of a peer.
        action: ``kill`` (SIGKILL) and ``end`` (SIGTERM) are followed by another start, ``stop``
            (SIGSTOP) by SIGCONT; ``cut`` ends all connections, ``refuse`` also new ones for a
            while.
        seconds: how long it lasts.
    """

    at: int
    delay: float
    target: str
    action: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.target} {self.action} after {self.at:,} records"


def draw(
    seed: int, records: int, count: int, peers: Mapping[str, Sequence[str]]
) -> tuple[Event, ...]:
    """Draw events, in order.

    Args:
        seed: determines the events.
        records: number of records.
        count: number of events.
        peers: the peers by kind, with their possible faults.
    """
    chance = random.Random(seed)
    targets = [PROCESS, PROCESS, *peers]
    events = []
    for at in sorted(chance.randrange(records) for _ in range(count)):
        target = chance.choice(targets)
        action = chance.choice(_PROCESS_ACTIONS if target == PROCESS else peers[target])
        delay, seconds = chance.uniform(0, 0.3), chance.uniform(0, 1.5)
        events.append(Event(at, round(delay, 3), target, action, round(seconds, 3)))
    return tuple(events)
