"""The job as a loop over the lines of a file: `python -m benchmarks.compiled.plain_loop IN OUT`."""

import sys
from pathlib import Path

import orjson

from benchmarks.compiled.routes import weblog


def main() -> None:
    """Process a file."""
    with Path(sys.argv[1]).open("rb") as lines, Path(sys.argv[2]).open("wb") as out:
        for line in lines:
            result = weblog(orjson.loads(line))
            if result is not None:
                out.write(orjson.dumps(result, option=orjson.OPT_APPEND_NEWLINE))


if __name__ == "__main__":
    main()
