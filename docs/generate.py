"""Generate the reference pages from the code: `python docs/generate.py`.

Of the page on the wire contract, only one table is generated.
With `--check` nothing is written, and the exit status is 1 if a page is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from http_page import cell, http_page

from forstcore.cli._main import forst
from forstcore.config import Option, RetryConfig, StreamingConfig, options_of
from forstcore.wire import RETRIABLE_CODES, StreamErrorCode
from server.config import ServerConfig

_PAGES = Path(__file__).parent / "reference"
_NOTE = "<!-- Written by docs/generate.py: `make docs`. -->\n\n"

_TABLE_BEGINS = "<!-- From forstcore/wire.py, by docs/generate.py: `make docs`. -->\n\n"
_TABLE_ENDS = "\n<!-- Written by hand from here on. -->\n"

_SERVER = """\
# Configuration

## The server

Each option can be set by a flag (`--max-line-size`), an environment variable
(`FORSTCORE_MAX_LINE_SIZE`) and a key (`max_line_size`) of the TOML file named by `--config` or
`FORSTCORE_CONFIG`. Flags override the environment, and the environment overrides the file.
`forstcore serve --print-config` shows the effective configuration.

In environment variables, separate the values of repeatable options by commas, and set switches to
`true` or `false`. On the command line, a switch is `--reload` or `--no-reload`.

"""

_CLIENT = """
## The client

Fields of `forstcore.StreamingConfig`, see [the client](../client.md#settings).

"""

_RETRY = """
Fields of `forstcore.RetryConfig`, its field `retry`.

"""

_COMMANDS = """\
# Command line

[The command line](../cli.md) describes the commands and their exit statuses. `forstcore` and
`python -m forstcore` are equivalent; `forstcore --debug COMMAND` shows the traceback of an error.
`forstcore serve` has the options of [the server](config.md#the-server).
"""


def config_page() -> str:
    """Write the page of all settings."""
    return (
        f"{_SERVER}{_options(ServerConfig)}{_CLIENT}{_options(StreamingConfig)}"
        f"{_RETRY}{_options(RetryConfig)}"
    )


def _options(config: type) -> str:
    rows = ["| option | default | |", "|---|---|---|"]
    for declared, kind, limits in options_of(config):
        about = "; ".join(filter(None, (limits.help, _range(limits))))
        rows.append(f"| `{declared.name}` | {_default(declared.default, kind)} | {cell(about)} |")
    return "\n".join(rows) + "\n"


def _default(value: Any, kind: type) -> str:
    if kind is bool:
        return "on" if value else "off"
    if value is None or value == ():
        return ""
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _range(limits: Option) -> str:
    if limits.choices:
        return f"one of {', '.join(f'`{choice}`' for choice in limits.choices)}"
    bounds = []
    if limits.lowest > 0:
        bounds.append(f"from {limits.lowest:,.14g}")
    if limits.highest != float("inf"):
        bounds.append(f"to {limits.highest:,.14g}")
    return " ".join(filter(None, (*bounds, limits.unit)))


def cli_page() -> str:
    """Write the page of all commands."""
    group: Any = forst
    context = click.Context(group, info_name="forstcore")
    parts = [_COMMANDS]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inside = click.Context(command, info_name=name, parent=context)
        usage = " ".join(command.collect_usage_pieces(inside))
        parts.append(f"\n## {name}\n\n{command.get_short_help_str(1000)}\n\n")
        parts.append(f"```text\nforstcore {name} {usage}\n```\n")
        records = filter(None, (each.get_help_record(inside) for each in command.params))
        rows = [f"| `{cell(names)}` | {cell(text)} |\n" for names, text in records if text]
        if rows:
            parts.append(f"\n| option | |\n|---|---|\n{''.join(rows)}")
    return "".join(parts)


def wire_page() -> str:
    """Fill the table of error codes into the page on the wire contract."""
    rows = ["| code | status | retry | |", "|---|---|---|---|"]
    for code in StreamErrorCode:
        # A disconnected client cannot receive a control line.
        if code != StreamErrorCode.DISCONNECTED:
            retry = "yes" if code in RETRIABLE_CODES else ""
            rows.append(f"| `{code}` | {code.status} | {retry} | {cell(code.meaning)} |")
    text = (_PAGES / "wire.md").read_text(encoding="utf-8")
    before, begin, rest = text.partition(_TABLE_BEGINS)
    _, end, after = rest.partition(_TABLE_ENDS)
    assert end, "wire.md has no place for the table"
    return "".join([before, begin, *(f"{row}\n" for row in rows), end, after])


def main() -> int:
    """Write the pages, or check them."""
    pages = {
        "config.md": _NOTE + config_page(),
        "cli.md": _NOTE + cli_page(),
        "http.md": _NOTE + http_page(),
        "wire.md": wire_page(),
    }
    stale = []
    for name, text in pages.items():
        path = _PAGES / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path.name)
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
    verb = "are out of date; run" if "--check" in sys.argv else "were written by"
    if stale:
        print(f"{', '.join(stale)} {verb} python docs/generate.py")
    return bool(stale and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
