"""The error file of a part: the rejected lines of its block."""

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
    """Write the rejected lines of a block to a file, which is created with the first one.

    Args:
        block: the block, with the number of its first line.
        output: the directory of the file.
        name: the name of the file.
        stack: closes the file.

    Attributes:
        name: the name of the file.
        has_written: whether the file was created.
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
        """Write rejected lines, in the order of the input."""
        block = self._block
        for found in lines:
            if self._file is None:
                self._file = self._stack.enter_context(self._output.writing(self.name))
                self.has_written = True
            line = found.line - block.first_line + block.line_in_file
            self._file.write(format_entry(entry_of(block.file.name, line, found)))
