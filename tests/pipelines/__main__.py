"""Send random pipelines to a server for as long as wanted, and compare all answers.

    python -m tests.pipelines --minutes 60 --seed 1

Each way of reading bodies has its turn. The same seed gives the same requests and the same cuts.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import time
from collections.abc import Iterable

from tests.pipelines.run import Tally, fill, run, served
from tests.servers import Server

_TURN = 60.0  # Seconds for one way of reading bodies, before switching to the other.


def main() -> int:
    """Run the comparison; return 1 if something differed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.pipelines", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--seed", type=int, default=1, help="what the requests follow from")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long to go on")
    parser.add_argument("--batch", type=int, help="the one batch to send, to both ways")
    options = parser.parse_args()
    tally = Tally()
    end = time.monotonic() + options.minutes * 60
    turn = min(_TURN, options.minutes * 30)
    batches = itertools.count() if options.batch is None else itertools.repeat(options.batch)
    for way in itertools.cycle(("on", "off")):
        with served(way) as server:
            wanted = batches if options.batch is None else itertools.islice(batches, 1)
            asyncio.run(_turn(server, str(options.seed), wanted, time.monotonic() + turn, tally))
        print(
            f"takeover {way}: {tally.pipelines:,} pipelines and {tally.answers:,} answers so far, "
            f"{len(tally.differences)} differences",
            flush=True,
        )
        for difference in tally.differences[:5]:
            print(difference, file=sys.stderr, flush=True)
        if tally.differences or time.monotonic() >= end or (options.batch and way == "off"):
            break
    return 1 if tally.differences else 0


async def _turn(
    server: Server, seed: str, batches: Iterable[int], until: float, tally: Tally
) -> None:
    await fill(server)
    await run(server, seed, batches, until, tally)


if __name__ == "__main__":
    sys.exit(main())
