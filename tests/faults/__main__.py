"""The proxy as a separate process, which can be stopped and killed.

    python -m tests.faults --to 8080 --seed 1

prints where it listens, then each fault as it comes to pass.
"""

from __future__ import annotations

import argparse
import asyncio

from tests.faults.plan import KINDS, Fault, Kind, Plan
from tests.faults.proxy import FaultProxy

# Stalls are rare, because each lasts until a timeout.
_KINDS: tuple[Kind, ...] = tuple(each for each in KINDS if each != "stall") * 3 + ("stall",)


def plan_of(seed: str, count: int, most: int) -> Plan:
    """Draw the faults of such a process."""
    return Plan.draw(seed, count, most, kinds=_KINDS, seconds=1)


async def run(port: int, to: int, plan: Plan) -> None:
    """Forward connections until the process ends."""

    def tell(fault: Fault) -> None:
        print(fault, flush=True)

    async with FaultProxy(to, plan, tell, port) as proxy:
        print(f"listens on port {proxy.port}", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Run the proxy."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--port", type=int, default=0, help="port to listen on, 0 for any")
    parser.add_argument("--to", type=int, required=True, help="port of the server")
    parser.add_argument("--seed", default="1", help="what the faults are drawn from")
    parser.add_argument("--count", type=int, default=1000, help="connections that have a fault")
    parser.add_argument("--most", type=int, default=10_000_000, help="bytes before it")
    options = parser.parse_args()
    plan = plan_of(options.seed, options.count, options.most)
    asyncio.run(run(options.port, options.to, plan))


if __name__ == "__main__":
    main()
