"""What networks do to connections, the same for the same seed; and what streams promise then."""

from tests.faults.plan import ENDING, KINDS, Direction, Fault, Kind, Plan
from tests.faults.proxy import FaultProxy

__all__ = ["ENDING", "KINDS", "Direction", "Fault", "FaultProxy", "Kind", "Plan"]
