"""Every result once and in order, whatever happens to the server and to the network.

    python -m tests.client.audit --records 2000000 --kills 10 --cuts 50 --seed 1

streams records through a proxy that cuts connections at random bytes, to a server that is killed
and started again at random moments, and compares each result with its record.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from forstcore import (
    ForstStreamingClient,
    RetryConfig,
    StreamingConfig,
    StreamingIntegration,
    StreamingRecord,
)
from tests.faults import Fault, FaultProxy
from tests.servers import Server, launch

__all__ = ["Audit", "audit"]

_DATA = "a record has some text, so that it is about as long as one of a real application"
_RECORD_SIZE = 110


@dataclass
class Audit:
    """What an audit has seen.

    Attributes:
        results: results, each of them the one that was due.
        kills: how often the server was killed.
        cuts: how many connections the proxy ended.
        connections: how many the client made.
        seconds: how long it took.
    """

    results: int = 0
    kills: int = 0
    cuts: int = 0
    connections: int = 0
    seconds: float = 0.0


async def audit(records: int, kills: int, cuts: int, seed: int) -> Audit:
    """Stream records through trouble; raise AssertionError at the first result that is wrong.

    Args:
        records: how many.
        kills: how often the server is killed and started again.
        cuts: how many connections are cut.
        seed: what is random follows from this, but for the timing.
    """
    chance = random.Random(seed)
    moments = iter(sorted(chance.sample(range(1, records), kills)))
    seen = Audit()
    started = time.monotonic()
    server = await asyncio.to_thread(launch, "--no-access-log")

    def trouble() -> Iterator[Fault]:
        # Some meet a server that is killed before their turn: there are more.
        while proxy.done < cuts:
            yield Fault(
                chance.choice(("cut", "reset", "half_close")),
                chance.randrange(_RECORD_SIZE * records // (cuts + 1)),
                chance.choice(("up", "down")),
            )

    def produce() -> Iterator[StreamingRecord]:
        for number in range(records):
            yield {"id": str(number), "data": _DATA}

    async def restart(killed: Server) -> Server:
        killed.stop(signal.SIGKILL)
        killed.process.communicate()
        seen.kills += 1
        return await asyncio.to_thread(launch, "--port", str(killed.port), "--no-access-log")

    proxy = FaultProxy(server.port, trouble())
    config = StreamingConfig(retry=RetryConfig(attempts=20, delay=0.1, max_delay=0.5))
    restarting: asyncio.Task[Server] | None = None
    try:
        async with proxy, ForstStreamingClient(proxy.url, config) as client:
            stream = StreamingIntegration(client).process_large_dataset(produce())
            moment = next(moments, records)
            async for result in stream:
                number = seen.results
                assert result == {
                    "id": str(number),
                    "result": f"processed_{_DATA}",
                    "status": "success",
                }, f"result {number} is {result}"
                seen.results += 1
                if number >= moment and (restarting is None or restarting.done()):
                    if restarting is not None:
                        server = restarting.result()
                    restarting = asyncio.create_task(restart(server))
                    moment = next(moments, records)
            assert seen.results == records, f"{seen.results} of {records} results came"
            assert stream.lines == records
            seen.connections = stream.connections
            seen.cuts = proxy.done
    finally:
        if restarting is not None:
            server = await restarting
        server.stop(signal.SIGKILL)
        server.process.communicate()
    seen.seconds = time.monotonic() - started
    return seen


def main() -> int:
    """Run an audit as the command line says, and print what it saw."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.client.audit", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--records", type=int, default=2_000_000)
    parser.add_argument("--kills", type=int, default=10, help="kills of the server")
    parser.add_argument("--cuts", type=int, default=50, help="connections that are cut")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    seen = asyncio.run(audit(options.records, options.kills, options.cuts, options.seed))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{seen.results} results, each once and in order, in {seen.seconds:.1f} s")
    print(f"{seen.kills} kills, {seen.cuts} cuts, {seen.connections} connections")
    print(f"client and proxy: {memory:.0f} MiB at most")
    return 0


if __name__ == "__main__":
    sys.exit(main())
