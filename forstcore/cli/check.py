"""`forstcore check`: which processors compile, and why the others do not."""

from __future__ import annotations

import json
import sys

import click

from forstcore.cli._compilation import lines_of, load_reports, report_as_json
from forstcore.cli._main import BAD_LINES

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
    reports = load_reports(modules)
    if as_json:
        found = [report_as_json(name, report) for name, report in reports.items()]
        json.dump({"processors": found}, sys.stdout, indent=2)
        print()
    else:
        for line in lines_of(reports):
            print(line)
    if any(report.reason is not None for report in reports.values()):
        click.get_current_context().exit(BAD_LINES)
