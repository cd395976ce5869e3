"""Remarks of the compiler on a function: why it does not compile, or where it gives back."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

__all__ = ["NotCompiled", "Remark", "Unsupported"]


@dataclass(frozen=True)
class Remark:
    """A place in a function, and the obstacle there.

    Attributes:
        file: path of the source file, or how Python calls it.
        line, column: of the construct, counted from 1.
        construct: description of the construct, for messages.
        advice: what to write instead; may be empty.

    Thread-safety: immutable.
    """

    file: str
    line: int
    column: int
    construct: str
    advice: str = ""

    def without_directory(self) -> Self:
        """Return the remark with the name of the file only."""
        return replace(self, file=Path(self.file).name)

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}:{self.column}: {self.construct}"
        return f"{text}; {self.advice}" if self.advice else text


class NotCompiled(Remark):
    """Why a function was not compiled."""


class Unsupported(Exception):
    """Raised for a construct that the compiler does not support.

    Attributes:
        node: the construct, None for the function as a whole.
        construct, advice: as of a `Remark`.
        fatal: whether the function does not compile at all, though not every record gets there.
    """

    def __init__(
        self, node: ast.AST | None, construct: str, advice: str = "", *, fatal: bool = False
    ) -> None:
        super().__init__(construct)
        self.node = node
        self.construct = construct
        self.advice = advice
        self.fatal = fatal
