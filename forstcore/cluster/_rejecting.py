"""Lines of a block that gave an error: written down beside its part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any, BinaryIO

from forstcore._origin import Origin
from forstcore._rejects import Rejected, Rejects, write_reject
from forstcore.cluster._blocks import Block
from forstcore.cluster._target import Target

__all__ = ["Rejecting"]


class Rejecting:
    """Take error lines out of the results of a block, and write down what gave them.

    Args:
        block: the block, with the number of its first line.
        target: where the file goes.
        name: its name; there is none if there is no error.
        stack: ends the file.
        keep: whether error lines stay among the results, too.
        max_line_size: bytes of a line that are of interest.

    Attributes:
        has_written: whether there is a file.
    """

    def __init__(
        self,
        block: Block,
        target: Target,
        name: str,
        stack: ExitStack,
        *,
        keep: bool,
        max_line_size: int,
    ) -> None:
        self.has_written = False
        self._block = block
        self._target = target
        self._name = name
        self._stack = stack
        self._file: BinaryIO | None = None
        self._origin = Origin(max_line_size, block.first_line)
        self._rejects = Rejects(self._note, keep=keep)

    def noted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Remember lines on their way to the processor."""
        for piece in pieces:
            self._origin.note("", piece)
            yield piece

    def take(self, results: bytes, lines: int) -> bytes:
        """Look through results; return those that are to stay.

        Args:
            results: whole lines.
            lines: lines of the block whose results have all been here, with these.
        """
        kept = self._rejects.take(results)
        self._origin.forget(self._block.first_line + lines - 1)
        return kept

    def _note(self, error: dict[str, Any]) -> None:
        if self._file is None:
            self._file = self._stack.enter_context(self._target.writing(self._name))
            self.has_written = True
        rejected = Rejected(
            self._block.file.name,
            error["line"] - self._block.first_line + self._block.line_in_file,
            error["offset"],
            error["code"],
            error["message"],
            self._origin.line(error["line"]),
            error["code"] == "line_too_long",
        )
        self._file.write(write_reject(rejected))
