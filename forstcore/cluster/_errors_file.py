"""Lines of a block that gave an error: written down beside its part."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import BinaryIO

from forstcore._core.rejected import RejectedLine
from forstcore._io.error_file import entry_of, format_entry
from forstcore.cluster._blocks import Block
from forstcore.cluster._output_directory import OutputDirectory

__all__ = ["ErrorsFile"]


class ErrorsFile:
    """Write down the lines of a block that gave an error.

    Args:
        block: the block, with the number of its first line.
        output: where the file goes.
        name: its name; there is none if there is no error.
        stack: ends the file.

    Attributes:
        name: as above.
        has_written: whether there is a file.
    """

    def __init__(
        self, block: Block, output: OutputDirectory, name: str, stack: AsyncExitStack
    ) -> None:
        self.has_written = False
        self._block = block
        self._output = output
        self.name = name
        self._stack = stack
        self._file: BinaryIO | None = None

    def write(self, lines: Iterable[RejectedLine]) -> None:
        """Write lines down, in the order of the input."""
        block = self._block
        for found in lines:
            if self._file is None:
                self._file = self._stack.enter_context(self._output.writing(self.name))
                self.has_written = True
            line = found.line - block.first_line + block.line_in_file
            self._file.write(format_entry(entry_of(block.file.name, line, found)))
