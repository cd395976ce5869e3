"""Network faults, reproducible by a seed, and the guarantees of streams in spite of them."""

from tests.faults.plan import ENDING, KINDS, Direction, Fault, Kind, Plan
from tests.faults.proxy import FaultProxy

__all__ = ["ENDING", "KINDS", "Direction", "Fault", "FaultProxy", "Kind", "Plan"]
