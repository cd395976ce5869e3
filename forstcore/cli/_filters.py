"""The option `--filter`: the records that a command processes or shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import click

from forstcore._core.filter import Filter
from forstcore.errors import FilterError

__all__ = ["filter_option"]

Command = TypeVar("Command", bound=Callable[..., Any])

_HELP = (
    "{verb} only records whose member NAME, or path of members such as a.b, is VALUE; "
    'or those that a filter in JSON selects, such as \'{{"a.b": {{"gte": 5}}}}\'. '
    "May be repeated; all must hold."
)


def filter_option(verb: str) -> Callable[[Command], Command]:
    """Return the option, whose value is a dict of conditions, as for `Filter`.

    Args:
        verb: what the command does with records, capitalized.
    """
    return click.option(
        "--filter",
        "filters",
        metavar="NAME=VALUE",
        multiple=True,
        callback=_conditions,
        help=_HELP.format(verb=verb),
    )


def _conditions(
    _context: click.Context, _parameter: object, given: tuple[str, ...]
) -> dict[str, Any]:
    conditions: dict[str, Any] = {}
    for text in given:
        more = _condition(text)
        if twice := conditions.keys() & more.keys():
            raise click.BadParameter(f"there are two conditions on {min(twice)!r}")
        conditions |= more
    try:
        Filter(conditions)
    except FilterError as error:
        raise click.BadParameter(str(error)) from None
    return conditions


def _condition(text: str) -> dict[str, Any]:
    if text.startswith("{"):
        try:
            return dict(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise click.BadParameter(f"{text!r} is not JSON: {error}") from None
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text!r} is neither name=value nor a JSON object")
    with suppress(ValueError):
        return {name: json.loads(value)}
    return {name: value}
