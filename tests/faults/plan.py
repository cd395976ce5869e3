"""The faults of connections, drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["ENDING", "KINDS", "Direction", "Fault", "Kind", "Plan"]

Kind = Literal["cut", "reset", "half_close", "stall", "delay", "dribble", "throttle", "duplicate"]
Direction = Literal["up", "down"]

KINDS: tuple[Kind, ...] = get_args(Kind)
ENDING: tuple[Kind, ...] = ("cut", "reset", "half_close")
"""The kinds that end a connection."""

_NEAR_THE_START = 0.25  # Share of the faults that are as likely in the head as far behind it.


@dataclass(frozen=True)
class Fault:
    """The fault of one connection.

    Attributes:
        kind: ``cut`` ends both directions, ``reset`` does so with RST, ``half_close`` ends only
            this one, ``stall`` forwards nothing more, ``delay`` forwards nothing for `seconds`,
            ``throttle`` 64 KiB a second for `seconds`, ``dribble`` the next thousand
            bytes one by one; ``duplicate`` also sends what goes up over a second connection,
            whose response is dropped.
        after: how many bytes are forwarded before it; for ``duplicate``, how many are sent twice.
        direction: ``up`` from the client to the server, ``down`` back; ``duplicate`` has none.
        seconds: how long ``delay`` and ``throttle`` last.
        then: the next fault in the same direction, if the connection survives this one; its
            bytes are counted from there. After ``duplicate`` it may have any direction.
    """

    kind: Kind
    after: int = 0
    direction: Direction = "down"
    seconds: float = 0.1
    then: Fault | None = None

    def __str__(self) -> str:
        then = f", then {self.then}" if self.then else ""
        if self.kind == "duplicate":
            return f"duplicate {self.after} bytes up{then}"
        lasts = f" for {self.seconds:.2f} s" if self.kind in ("delay", "throttle") else ""
        return f"{self.kind} {self.direction} after {self.after} bytes{lasts}{then}"


@dataclass(frozen=True)
class Plan:
    """The faults of one connection after the other.

    Attributes:
        seed: determines them: the same arguments of `draw` give the same plan.
        faults: one for each connection.
    """

    seed: int | str
    faults: tuple[Fault, ...]

    @classmethod
    def draw(
        cls,
        seed: int | str,
        count: int,
        most: int,
        *,
        kinds: Sequence[Kind] = KINDS,
        directions: Sequence[Direction] = ("up", "down"),
        seconds: float = 0.1,
    ) -> Plan:
        """Draw a plan.

        Args:
            seed: determines the plan.
            count: number of connections.
            most: maximum bytes before a fault.
            kinds: the kinds of faults; one that is named twice is twice as likely. If some of
                them end a connection, every other fault is followed by one of these.
            directions: the directions.
            seconds: maximum duration of a fault.
        """
        chance = random.Random(seed)

        ends = [kind for kind in kinds if kind in ENDING]

        def draw_one(kinds: Sequence[Kind], direction: Direction) -> Fault:
            kind = chance.choice(kinds)
            near = chance.random() < _NEAR_THE_START
            after = int(most ** chance.random()) if near else chance.randrange(most)
            lasts = round(chance.uniform(0.1, 1) * seconds, 3)
            goes_on = kind not in (*ENDING, "stall") and ends
            then = draw_one(ends, direction) if goes_on else None
            return Fault(kind, after, direction, lasts, then)

        return cls(seed, tuple(draw_one(kinds, chance.choice(directions)) for _ in range(count)))

    def __iter__(self) -> Iterator[Fault]:
        return iter(self.faults)

    def __str__(self) -> str:
        lines = (f"  connection {number}: {each}" for number, each in enumerate(self.faults, 1))
        return "\n".join([f"faults of seed {self.seed!r}:", *lines])
