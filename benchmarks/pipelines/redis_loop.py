"""The job as a loop over the entries of a stream of Redis: `… redis_loop PORT FROM TO`."""

import signal
import sys
from typing import Any

import orjson
from redis import Redis

from benchmarks.compiled.routes import weblog

_BATCH = 1000  # Entries.


def main() -> None:
    """Process a stream until SIGTERM."""
    port, source, target = sys.argv[1:]
    running = [True]
    signal.signal(signal.SIGTERM, lambda *_: running.clear())
    client = Redis(port=int(port))
    client.xgroup_create(source, target, id="0")
    while running:
        found: Any = client.xreadgroup(target, "loop", {source: ">"}, count=_BATCH, block=100)
        for _, entries in found:
            with client.pipeline(transaction=False) as pipe:
                for _, fields in entries:
                    result = weblog(orjson.loads(fields[b"data"]))
                    if result is not None:
                        pipe.xadd(target, {"data": orjson.dumps(result)})
                pipe.xack(source, target, *(entry for entry, _ in entries))
                pipe.execute()


if __name__ == "__main__":
    main()
