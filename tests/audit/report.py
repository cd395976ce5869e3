"""The findings of an audit, as text."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.audit.plan import Plan
from tests.oracle import Account

__all__ = ["Report"]


@dataclass
class Report:
    """The findings of an audit.

    Attributes:
        plan: the plan.
        account: the oracle's comparison of both logs.
        events: counts of the events of processes.
        faults: counts of the faults of connections.
        losses: connections that the client lost and resumed from.
        runs: how often the client was started.
        whole, cut: responses to the half-duplex client.
        memory: maximum memory of each process, in bytes.
        wrong: problems other than differences between the logs.
        seconds: duration.
    """

    plan: Plan
    account: Account = field(default_factory=Account)
    events: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    losses: int = 0
    runs: int = 0
    whole: int = 0
    cut: int = 0
    memory: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        return self.account.good and not self.wrong

    def __str__(self) -> str:
        def counts(of: Counter[str]) -> str:
            return ", ".join(f"{count} {name}" for name, count in sorted(of.items())) or "none"

        lines = [
            f"processes: {counts(self.events)}",
            f"connections: {counts(self.faults)}",
            f"{self.account.sent} lines sent, {self.account.received} results received, "
            f"{self.runs} runs of the client, {self.losses} connections lost and gone on from",
            f"half-duplex: {self.whole} responses whole, {self.cut} seen to be cut",
            "memory: "
            + ", ".join(f"{name} {size >> 20} MiB" for name, size in self.memory.items()),
            str(self.account),
            *(f"WRONG: {each}" for each in self.wrong),
            f"after {self.seconds:.1f} s: "
            + ("every result once and in order" if self.good else "VIOLATED"),
        ]
        return "\n".join(lines)
