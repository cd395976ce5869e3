"""An application that may be killed: from one log, through the server, to another.

Both logs are files of lines, and each input line gets one result line. So the number of results in
the log is the position in the input, and no other state is needed.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

from forstcore import ForstStreamingClient, RetryConfig, StreamingConfig, StreamOptions

_READ_SIZE = 1 << 18
_PAUSE = 0.01  # Seconds between two checks of a source that has nothing new.


def results_in(log: IO[bytes]) -> int:
    """Count the results in the log, and remove an incomplete last one."""
    count = whole = 0
    log.seek(0)
    while block := log.read(_READ_SIZE):
        count += block.count(b"\n")
        if b"\n" in block:
            whole = log.tell() - len(block) + block.rindex(b"\n") + 1
    log.truncate(whole)
    log.seek(whole)
    return count


def skip(source: IO[bytes], count: int) -> bytes:
    """Skip `count` lines; return the bytes read after them."""
    while block := source.read(_READ_SIZE):
        found = block.count(b"\n")
        if found >= count:
            place = 0
            for _ in range(count):
                place = block.index(b"\n", place) + 1
            return block[place:]
        count -= found
    return b""


async def follow(path: str, count: int) -> AsyncIterator[bytes]:
    """Yield the content of a source after `count` lines, including additions, up to its end."""
    with open(path, "rb") as source:  # noqa: ASYNC230, PTH123 (a file on a disk, as fast as a pipe)
        if rest := skip(source, count):
            yield rest
        while True:
            # In this order, so that everything written before the end is read.
            ended = os.path.exists(f"{path}.end")  # noqa: ASYNC240, PTH110
            while block := source.read(_READ_SIZE):
                yield block
            if ended:
                return
            await asyncio.sleep(_PAUSE)


async def run(options: argparse.Namespace) -> None:
    """Stream until the source has ended."""
    config = StreamingConfig(
        chunk_size=options.chunk_size,
        timeout=options.timeout,
        compression=options.compression,
        # As long as it takes.
        retry=RetryConfig(attempts=1_000_000, delay=0.05, max_delay=0.5),
    )
    with options.results.open("r+b") as log:
        done = results_in(log)
        logging.info("starts behind %d results", done)
        stream_options = StreamOptions(
            resume=True, on_error="emit", headers={"Forst-First-Line": str(done + 1)}
        )
        source = follow(options.source, done)
        async with ForstStreamingClient(options.url, config) as client:
            stream = client.process_streaming_data(options.endpoint, source, stream_options)
            async for piece in stream:
                log.write(piece)
                log.flush()
                os.fdatasync(log.fileno())
            logging.info("ends behind %d lines, %d connections", stream.lines, stream.connections)


def main() -> None:
    """Run the client."""
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)d %(levelname)s %(message)s")
    parser = argparse.ArgumentParser(prog="python -m tests.audit.client")
    parser.add_argument("--url", required=True)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--source", required=True, help="ends when SOURCE.end exists")
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--chunk-size", type=int, required=True)
    parser.add_argument("--timeout", type=float, required=True)
    parser.add_argument("--compression", action="store_true")
    options = parser.parse_args()
    options.results.touch()
    asyncio.run(run(options))


if __name__ == "__main__":
    main()
