"""Compare the speed of the Python client with typical code based on aiohttp.

The server runs on one core, the client on another. Each figure comes from fresh processes;
repetitions of all variants are interleaved, and medians are printed. See README.md and
`python -m benchmarks.client --help`.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, Final

import aiohttp
import orjson

from benchmarks import records
from benchmarks.network import unpaced_network
from benchmarks.programs import CORES, ENDPOINT, FORST, Server, running, versions
from forstcore import ForstStreamingClient, StreamOptions

SERVER: Final = Server(
    FORST, (sys.executable, "-m", "server", "--port", "{port}", "--no-access-log")
)
BODY_SIZE: Final = 8 << 20
Way = Callable[[str, bytes, int], Coroutine[Any, Any, int]]


async def obvious(url: str, body: bytes, times: int) -> int:
    """One `orjson.dumps` and one write for each record, one `orjson.loads` for each line."""
    given = [orjson.loads(line) for line in body.splitlines()]

    async def upload() -> AsyncIterator[bytes]:
        for _ in range(times):
            for record in given:
                yield orjson.dumps(record) + b"\n"

    count = 0
    async with (
        aiohttp.ClientSession() as session,
        session.post(url + ENDPOINT, data=upload()) as response,
    ):
        async for line in response.content:
            orjson.loads(line)
            count += 1
    return count


def dicts(*, asynchronous: bool = False, resume: bool = False) -> Way:
    """Dicts in, dicts out, from a generator."""

    async def run(url: str, body: bytes, times: int) -> int:
        given = [orjson.loads(line) for line in body.splitlines()]

        async def produce() -> AsyncIterator[Any]:
            for _ in range(times):
                for record in given:
                    yield record

        source: Any = produce() if asynchronous else (each for _ in range(times) for each in given)
        count = 0
        async with ForstStreamingClient(url) as client:
            stream = client.stream_to_forst(ENDPOINT, source, StreamOptions(resume=resume))
            async for _ in stream:
                count += 1
        return count

    return run


def raw(size: int, *, resume: bool = False) -> Way:
    """Chunks of bytes with arbitrary boundaries in, chunks of whole lines out."""

    async def run(url: str, body: bytes, times: int) -> int:
        chunks = records.cut_anywhere(body, size)
        async with ForstStreamingClient(url) as client:
            source = (each for _ in range(times) for each in chunks)
            stream = client.process_streaming_data(ENDPOINT, source, StreamOptions(resume=resume))
            async for _ in stream:
                pass
            assert stream.summary is not None
            return stream.summary["results"]

    return run


WAYS: Final[dict[str, tuple[Way, int]]] = {
    "aiohttp, a record at a time": (obvious, 2),
    "dicts": (dicts(), 6),
    "dicts, async": (dicts(asynchronous=True), 6),
    "dicts, resume": (dicts(resume=True), 6),
    "raw 64 KiB": (raw(1 << 16), 100),
    "raw 1 MiB": (raw(1 << 20), 100),
    "raw 64 KiB, resume": (raw(1 << 16, resume=True), 100),
    "raw 1 MiB, resume": (raw(1 << 20, resume=True), 100),
}
"""The variants: the function that streams, and how many times it sends the body."""


def measure_here(name: str, url: str) -> dict[str, float]:
    """Stream in this process, and return the time and CPU time it took."""
    if CORES:
        os.sched_setaffinity(0, {CORES[1]})
    way, times = WAYS[name]
    body = records.make("110", BODY_SIZE)
    asyncio.run(way(url, body, 1))
    started, computed = time.perf_counter(), time.process_time()
    count = asyncio.run(way(url, body, times))
    seconds, cpu = time.perf_counter() - started, time.process_time() - computed
    expected = body.count(b"\n") * times
    if count != expected:
        raise SystemExit(f"{name}: {count} results for {expected} records")
    return {"seconds": seconds, "cpu": cpu, "records": expected, "bytes": len(body) * times}


def measure(name: str) -> dict[str, float]:
    """Measure one variant with fresh processes."""
    with running(SERVER) as server:
        url = f"http://127.0.0.1:{server.port}"
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.client", "--one", name, url],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr.strip()}")
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every variant, and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.client", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--repeat", type=int, default=5, help="runs of each variant (default: 5)")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), metavar="WAY")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        print(json.dumps(measure_here(*options.one)))
        return
    network = unpaced_network(sys.argv[1:] if arguments is None else arguments, "benchmarks.client")
    print(f"{versions()}; TCP: {network}")
    samples: dict[str, list[dict[str, float]]] = {name: [] for name in options.ways}
    for _ in range(options.repeat):
        for name in options.ways:
            samples[name].append(measure(name))
    print(f"{'':28} {'MB/s':>6} {'records/s':>10} {'µs CPU a record':>16}")
    for name, taken in samples.items():
        speed = statistics.median(each["bytes"] / each["seconds"] for each in taken) / 1e6
        rate = statistics.median(each["records"] / each["seconds"] for each in taken)
        cost = statistics.median(each["cpu"] / each["records"] for each in taken) * 1e6
        print(f"{name:28} {speed:6.0f} {rate:10.0f} {cost:16.2f}")


if __name__ == "__main__":
    main()
