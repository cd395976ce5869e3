"""When functions are compiled: on first use, and once."""

from __future__ import annotations

import functools
import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from forstcore._core.program import Program
    from forstcore.compiled import Compiled, NotCompiled, Place, Remark

    Stop: TypeAlias = tuple[Place, int]

__all__ = ["Compilation", "CompilationReport"]

_LOGGER = logging.getLogger("forstcore")


class Compilation:
    """The compiled form of a processor's function, made when it is first needed.

    By then the module that declares the function has been imported completely, so the function may
    use names that are defined after it.

    Args:
        function: the function.
        kind: the kind of the processor.
        takes: the annotation of its record.

    Thread-safety: may be used from many threads at once.
    """

    def __init__(self, function: Callable[..., Any], kind: str, takes: Any) -> None:
        self._function = function
        self._kind = kind
        self._takes = takes
        self._forget()

    def __getstate__(self) -> object:
        # A program cannot be sent to another process.
        return self._function, self._kind, self._takes

    def __setstate__(self, state: Any) -> None:
        self._function, self._kind, self._takes = state
        self._forget()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._given_back: Counter[Stop | None] = Counter()

    @functools.cached_property
    def result(self) -> Compiled | NotCompiled:
        """The compiled function, or where and why it does not compile."""
        # Not imported at the top: many processes have no functions to compile.
        from forstcore.compiled import NotCompiled, compile_processor

        try:
            return compile_processor(self._function, self._kind, self._takes)
        except Exception as error:
            # Python runs the function, so that a mistake of the compiler costs speed, not records.
            _LOGGER.debug("the compiler failed", exc_info=True)
            what = f"the compiler failed with {error!r}; please report that"
            code = self._function.__code__
            return NotCompiled(code.co_filename, code.co_firstlineno, 1, what)

    @property
    def report(self) -> CompilationReport:
        """A report on the result."""
        from forstcore.compiled import NotCompiled

        result = self.result
        if isinstance(result, NotCompiled):
            return CompilationReport(False, result)
        return CompilationReport(True, None, result.gives_back)

    def count_given_back(self, at: Stop | None, records: int) -> None:
        """Count records that Python processed because one of them was given back.

        Args:
            at: the place, as in `RecordStream.given_back_at`.
            records: their number, including those that went to Python directly after it.
        """
        if records:
            with self._lock:
                self._given_back[at] += records

    def given_back(self) -> list[tuple[Remark, int]]:
        """Return the places where records were given back in this process, with their numbers,
        highest first."""
        with self._lock:
            stops = list(self._given_back.items())
        counts: Counter[Remark] = Counter()
        for at, records in stops:
            counts[self._nested_too_deeply() if at is None else at[0].remark(at[1])] += records
        return counts.most_common()

    def _nested_too_deeply(self) -> Remark:
        from forstcore.compiled import Remark

        code = self._function.__code__
        return Remark(
            code.co_filename, code.co_firstlineno, 1, "a record that is nested too deeply"
        )

    @property
    def program(self) -> Program | None:
        """The program, None if the function does not compile."""
        return getattr(self.result, "program", None)


@dataclass(frozen=True)
class CompilationReport:
    """Whether a processor is compiled.

    Attributes:
        compiled: whether it is, or is native.
        reason: why its function does not compile; None if it does, or if it should not.
        gives_back: places in the function where records are given back to Python.
    """

    compiled: bool
    reason: NotCompiled | None = None
    gives_back: tuple[Remark, ...] = ()

    def without_directories(self) -> CompilationReport:
        """Return the report with the names of files only, for clients of a server."""
        reason = None if self.reason is None else self.reason.without_directory()
        gives_back = tuple(remark.without_directory() for remark in self.gives_back)
        return CompilationReport(self.compiled, reason, gives_back)

    def __str__(self) -> str:
        if self.reason is not None:
            return f"not compiled: {self.reason}"
        return "compiled" if self.compiled else "not compiled, as declared"
