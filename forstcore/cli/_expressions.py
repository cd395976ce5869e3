"""The options `--where` and `--map`: Python expressions instead of a processor."""

from __future__ import annotations

import ast
import datetime
import json
import linecache
import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from forstcore.processors import Processor, as_processor

__all__ = ["expression_options", "processor_of_expressions", "report_interpreted"]

Command = TypeVar("Command", bound=Callable[..., Any])

_FILE = "<expressions>"
_MODULES = {"datetime": datetime, "json": json, "math": math, "re": re}


def expression_options(command: Command) -> Command:
    """Add the options."""
    for option in (
        click.option(
            "--map",
            "result",
            metavar="EXPRESSION",
            callback=_checked,
            help="The result of a record: a Python expression, in which r is the record as a "
            "dict. None gives no result, a list one for each element.",
        ),
        click.option(
            "--where",
            metavar="EXPRESSION",
            callback=_checked,
            help="Process only records for which this Python expression is true. There are the "
            f"modules {', '.join(_MODULES)}.",
        ),
    ):
        command = option(command)
    return command


def processor_of_expressions(where: str | None, result: str | None) -> Processor:
    """Return the processor that the options describe, which is compiled if it can be.

    Args:
        where: selects records, None for all.
        result: is the result of a record, None for the record itself.
    """
    lines = ["def expressions(r: dict):"]
    if where is not None:
        lines += ["    if not (", where, "    ):", "        return None"]
    lines += ["    return r"] if result is None else ["    return (", result, "    )"]
    source = "\n".join([*lines, ""])
    # The compiler reads the source of a function where tracebacks do.
    linecache.cache[_FILE] = (len(source), None, source.splitlines(keepends=True), _FILE)
    names: dict[str, Any] = {"__name__": "__main__", **_MODULES}
    exec(compile(source, _FILE, "exec", dont_inherit=True), names)  # noqa: S102
    return as_processor(names["expressions"])


def report_interpreted(processor: Processor) -> None:
    """Write to standard error why expressions do not compile, if they do not.

    Args:
        processor: of `processor_of_expressions`.
    """
    reason = processor.compilation_report.reason
    if reason is None:
        return
    why = f"{reason.construct}; {reason.advice}" if reason.advice else reason.construct
    click.echo(f"forstcore: the expression does not compile, so Python runs it: {why}", err=True)
    if reason.line > 1:
        line = linecache.getline(_FILE, reason.line).rstrip("\n")
        # Columns count bytes.
        before = line.encode()[: reason.column - 1].decode(errors="ignore")
        click.echo(f"    {line}\n    {' ' * len(before)}^", err=True)


def _checked(_context: click.Context, _parameter: object, text: str | None) -> str | None:
    if text is None:
        return None
    try:
        ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        line = (error.text or text).rstrip("\n")
        caret = " " * (max(error.offset or 1, 1) - 1) + "^"
        raise click.BadParameter(f"{error.msg}\n    {line}\n    {caret}") from None
    return text.strip()
