"""The command line of the server, `python -m server`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

__all__ = ["main"]

_EPILOG = """\
example, in another terminal:
  printf '{"id":"1","data":"hello"}\\n' | curl -sN -X POST -T . http://127.0.0.1:8080/streaming-process
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server until SIGINT or SIGTERM.

    Args:
        argv: the arguments, those of the process if None.

    Returns:
        The exit status: 0 after a signal, 1 if the server could not start. A bad
        option ends the process with 2.
    """
    options = _parser().parse_args(argv)
    try:
        from server.run import serve
    except ImportError as error:
        return _fail(f"cannot load the compiled core or aiohttp: {error}")
    try:
        asyncio.run(
            serve(
                host=options.host,
                port=options.port,
                max_line_size=options.max_line_size,
                drain_timeout=options.drain_timeout,
            )
        )
    except OSError as error:
        place = f"{options.host}:{options.port}"
        return _fail(f"cannot listen on {place}: {error.strerror or error}")
    except KeyboardInterrupt:
        pass
    return 0


def _fail(reason: str) -> int:
    print(f"forstcore: {reason}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m server",
        description="Stream NDJSON records through forstcore over HTTP.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--port",
        type=_number(0, 65535),
        default=8080,
        help="port to listen on, 0 for any that is free (default: %(default)s)",
    )
    parser.add_argument(
        "--max-line-size",
        type=_number(1, 1 << 30),
        default=1 << 20,
        metavar="BYTES",
        help="longest input line; a longer one is an error (default: %(default)s)",
    )
    parser.add_argument(
        "--drain-timeout",
        type=_number(0, 3600),
        default=10,
        metavar="SECONDS",
        help="how long open streams may go on after SIGTERM or SIGINT (default: %(default)s)",
    )
    return parser


def _number(lowest: int, highest: int):  # type: ignore[no-untyped-def]
    def number(text: str) -> int:
        value = int(text)
        if not lowest <= value <= highest:
            raise argparse.ArgumentTypeError(f"must be from {lowest} to {highest}")
        return value

    return number
