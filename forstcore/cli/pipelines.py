"""`forstcore pipelines`: list, start, pause and stop the pipelines of a server."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Collection, Sequence
from typing import Any, TypeAlias

import aiohttp
import click

from forstcore.cli import _options
from forstcore.cli._path_checks import check_paths
from forstcore.cli._server_requests import request_json
from forstcore.cli.send import client_of
from forstcore.client import ForstStreamingClient
from forstcore.config import StreamingConfig
from forstcore.errors import ForstError, RequestRefusedError
from forstcore.sources import Lag

__all__ = ["command"]

Document: TypeAlias = dict[str, Any]

_EPILOG = """\b
Examples:
  forstcore pipelines
  forstcore pipelines pause orders archive
  forstcore pipelines stop orders --wait && deploy && forstcore pipelines start orders
  forstcore pipelines --json | jq 'select(.state == "failed") | .last_error'

The server runs the pipelines that its TOML file declares. `forstcore run` runs
such a file without a server.
"""
_ACTIONS = ("list", "start", "pause", "stop")
_COLUMNS = ("name", "state", "results", "rate", "lag", "errors")
_POLL = 0.2  # Seconds between two checks of pipelines that are stopping.


@click.command(epilog=_EPILOG)
@click.argument("action", metavar="[list|start|pause|stop]", default="list")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="Start, pause or stop all of them.")
@click.option("--wait", is_flag=True, help="After stop: wait until they have ended.")
@click.option("--json", "as_json", is_flag=True, help="Write each as a line of JSON.")
@_options.server_url
@_options.server
def command(
    action: str,
    names: tuple[str, ...],
    is_all: bool,
    wait: bool,
    as_json: bool,
    server: str,
    token: str | None,
    ca: str | None,
    timeout: float,
) -> None:
    """List the pipelines of a running server, or start, pause or stop them.

    start resumes a paused pipeline, and restarts one that has ended after reading the server's
    file again. pause stops processing until the pipeline is started. stop stops reading; the
    pipeline ends when the results of what it has read are confirmed. A pipeline that is already in
    the requested state stays in it.
    """
    if action not in _ACTIONS:
        raise click.UsageError(f"{action!r} is none of {', '.join(_ACTIONS)}")
    if action != "list" and not names and not is_all:
        raise click.UsageError(f"name the pipelines to {action}, or give --all")
    if names and is_all:
        raise click.UsageError("give names or --all, not both")
    if wait and action != "stop":
        raise click.UsageError("--wait is for stop")
    check_paths((), others=[ca], uses_stdout=True)
    found = asyncio.run(_run(action, names, wait, server, token, ca, timeout))
    if as_json:
        for each in found:
            print(json.dumps(each))
        return
    for line in _table(found):
        print(line)
    if not found:
        print("forstcore: the server has no pipelines", file=sys.stderr)


async def _run(
    action: str,
    names: Sequence[str],
    wait: bool,
    server: str,
    token: str | None,
    ca: str | None,
    seconds: float,
) -> list[Document]:
    async with client_of(server, token, ca, StreamingConfig(timeout=seconds)) as client:
        asked = _Asked(client, token, seconds)
        wanted = await asked.pipelines(names)
        if action != "list":
            wanted = [await asked.control(each["name"], action) for each in wanted]
        while wait and any(each["state"] == "stopping" for each in wanted):
            await asyncio.sleep(_POLL)
            wanted = await asked.pipelines([each["name"] for each in wanted])
        return wanted


class _Asked:
    """The pipelines of a server.

    Args:
        client: a client of the server.
        token: its bearer token.
        seconds: time limit for a response.
    """

    def __init__(self, client: ForstStreamingClient, token: str | None, seconds: float) -> None:
        self._client = client
        self._token = token
        self._limits = aiohttp.ClientTimeout(total=seconds)

    async def pipelines(self, names: Collection[str]) -> list[Document]:
        """Return the pipelines of these names; all if there are none.

        Raises:
            ForstError: the server does not answer.
            LookupError: it has no pipeline of a name.
        """
        try:
            found: list[Document] = (await self._ask("GET", "/pipelines"))["pipelines"]
        except RequestRefusedError as error:
            if error.status != 404:
                raise
            found = []
        known = {each["name"]: each for each in found}
        for name in names:
            if name not in known:
                there_are = ", ".join(known) or "none: its TOML file declares them"
                raise LookupError(f"the server has no pipeline {name!r}; there are {there_are}")
        return [known[name] for name in dict.fromkeys(names or known)]

    async def control(self, name: str, action: str) -> Document:
        """Start, pause or stop a pipeline.

        Raises:
            ForstError: the server does not answer, or refuses that.
        """
        found: Document = await self._ask("POST", f"/pipelines/{name}/{action}")
        return found

    async def _ask(self, method: str, path: str) -> Any:
        try:
            return await request_json(
                self._client, method, path, token=self._token, limits=self._limits
            )
        except TimeoutError:
            raise ForstError(f"{self._client.target} does not answer") from None
        except (aiohttp.ClientError, OSError) as error:
            raise ForstError(f"{self._client.target} cannot be reached: {error}") from None


def _table(pipelines: Sequence[Document]) -> list[str]:
    rows = [tuple(name.upper() for name in _COLUMNS), *map(_row, pipelines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for place, row in enumerate(rows if pipelines else ()):
        texts = [
            text.ljust(width) if number < 2 else text.rjust(width)
            for number, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(texts).rstrip())
        if place:
            lines += _remarks(pipelines[place - 1])
    return lines


def _row(pipeline: Document) -> tuple[str, ...]:
    return (
        pipeline["name"],
        pipeline["state"],
        f"{pipeline['results']:,}",
        f"{pipeline['results_per_second']:,.0f}/s",
        "" if pipeline["lag"] is None else str(Lag(pipeline["lag"], pipeline["lag_unit"])),
        f"{pipeline['errors']:,}",
    )


def _remarks(pipeline: Document) -> list[str]:
    remarks = []
    if pipeline["trouble"]:
        remarks.append(pipeline["trouble"])
    if pipeline["last_error"]:
        remarks.append(f"{pipeline['last_error_time']}: {pipeline['last_error']}")
    return [f"  {_on_one_line(each)}" for each in remarks]


def _on_one_line(text: str) -> str:
    # Text of a record must not move the cursor.
    return "".join(each if each.isprintable() else " " for each in text)
