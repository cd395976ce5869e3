"""Which processors of modules are compiled, for commands that show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from forstcore.compilation import CompilationReport
from forstcore.loading import Loader

__all__ = ["lines_of", "load_reports", "report_as_json"]


def load_reports(modules: Sequence[str]) -> dict[str, CompilationReport]:
    """Return reports on the processors of modules, by name.

    Raises:
        LoadError: a module cannot be loaded.
    """
    processors = Loader(modules).load() if modules else {}
    return {name: processor.compilation_report for name, processor in sorted(processors.items())}


def lines_of(reports: Mapping[str, CompilationReport]) -> Iterator[str]:
    """Yield the lines of reports for users."""
    for name, report in reports.items():
        yield f"{name}: {report}"
        for remark in report.gives_back:
            yield f"  records are given back at {remark}"


def report_as_json(name: str, report: CompilationReport) -> dict[str, Any]:
    """Return the JSON object for a processor."""
    reason = report.reason
    return {
        "name": name,
        "compiled": report.compiled,
        "reason": None if reason is None else vars(reason),
        "gives_back": [vars(remark) for remark in report.gives_back],
    }
