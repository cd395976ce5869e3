"""Compare the speed at which the core writes error lines with that at which it writes results.

Each kind of input is what the other one is, 1 MiB of records of 110 bytes, but each record has one
mistake. All run in turns, in this process on one thread. Figures are the lowest CPU times.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Final

from benchmarks import records
from forstcore._proc import RecordStream, scan_paths, use_scan_path

_CHUNK: Final = 1 << 16

KINDS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "results": lambda line: line,
    "not JSON": lambda _: b"x\n",
    "not an object": lambda line: b"[" + line[:-1] + b"]\n",
    "'id' is a number": lambda line: line.replace(b'{"id":"', b'{"id":1,"x":"'),
    "'data' is a number": lambda line: line.replace(b'"data":"', b'"data":7,"x":"'),
    "unknown escape": lambda line: line.replace(b'"data":"', b'"data":"\\q'),
    "control character": lambda line: line[:-3] + b'\x01"}\n',
    "no closing quote": lambda line: line[:-3] + b"\n",
}


def run(chunks: list[bytes], keep_rejected: bool) -> tuple[float, int]:
    """Return the seconds of CPU time and the bytes of output for an input."""
    stream = RecordStream(on_error="emit", keep_rejected=keep_rejected)
    start = time.thread_time()
    size = sum(len(stream.feed(chunk)) for chunk in chunks)
    return time.thread_time() - start, size


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.error_lines", description=__doc__)
    paths = scan_paths()
    parser.add_argument("--paths", nargs="+", choices=paths, default=paths[:1], metavar="PATH",
        help=f"scan paths of the core: {', '.join(paths)} (default: the first)")  # fmt: skip
    parser.add_argument("--repeat", type=int, default=20, help="turns (default: %(default)s)")
    parser.add_argument("--keep-rejected", action="store_true",
        help="also keep the lines apart, as the server does for control lines")  # fmt: skip
    options = parser.parse_args()
    lines = records.make("110", 1 << 20).splitlines(keepends=True)
    inputs: dict[str, list[bytes]] = {}
    for kind, make in KINDS.items():
        body = b"".join(map(make, lines))
        inputs[kind] = [body[at : at + _CHUNK] for at in range(0, len(body), _CHUNK)]
    for path in options.paths:
        use_scan_path(path)
        turns = [
            {kind: run(chunks, options.keep_rejected) for kind, chunks in inputs.items()}
            for _ in range(options.repeat)
        ]
        print(f"\n{path:20}   ns a line   bytes a line   GB/s of output")
        for kind in KINDS:
            seconds, size = min(turn[kind] for turn in turns)
            count = len(lines)
            print(
                f"  {kind:20} {seconds / count * 1e9:8.1f} {size / count:12.0f}"
                f" {size / seconds / 1e9:15.2f}"
            )


if __name__ == "__main__":
    main()
