"""The parser of the command line, with errors of one line."""

from __future__ import annotations

import argparse
from typing import NoReturn

__all__ = ["EPILOG", "Parser"]

EPILOG = """\
Each option can also be set by an environment variable (FORSTCORE_MAX_LINE_SIZE for
--max-line-size) or in the TOML file (max_line_size = 65536). Flags override the environment,
which overrides the file.

example, in another terminal:
  printf '{"id":"1","data":"hello"}\\n' | curl -sN -X POST -T . http://127.0.0.1:8080/streaming-process
"""


class Parser(argparse.ArgumentParser):
    """A parser that does not show the usage with an error, as it is longer than a screen."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        self.exit(2, f"forstcore: {message.removeprefix('argument ')}; --help lists the options\n")
