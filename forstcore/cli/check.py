"""`forstcore check`: which processors compile, and what stands in the way of the others."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from forstcore.cli._main import BAD_LINES
from forstcore.compilation import CompilationReport
from forstcore.loading import Loader

__all__ = ["command"]

_EPILOG = """\b
Examples:
  forstcore check routes.py
  forstcore check routes.py --json | jq '.processors[] | select(.compiled | not)'
"""


@click.command(epilog=_EPILOG)
@click.argument("modules", metavar="MODULE...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(modules: tuple[str, ...], as_json: bool) -> None:
    """Show for each processor whether it is compiled, and if not, why.

    MODULE is the path of a file, the name of a module, or an entry point. Ends with status 1 if a
    function does not compile; one that is declared with compiled=False does not count.
    """
    reports = {
        name: processor.compilation_report
        for name, processor in sorted(Loader(modules).load().items())
    }
    if as_json:
        found = [{"name": name, **_as_json(report)} for name, report in reports.items()]
        json.dump({"processors": found}, sys.stdout, indent=2)
        print()
    else:
        for name, report in reports.items():
            print(f"{name}: {report}")
            for remark in report.gives_back:
                print(f"  records are given back at {remark}")
    if any(report.reason is not None for report in reports.values()):
        click.get_current_context().exit(BAD_LINES)


def _as_json(report: CompilationReport) -> dict[str, Any]:
    reason = report.reason
    return {
        "compiled": report.compiled,
        "reason": None if reason is None else vars(reason),
        "gives_back": [vars(remark) for remark in report.gives_back],
    }
