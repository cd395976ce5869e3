"""Functions that are made of the text of an expression, or of a body, to be compiled."""

from __future__ import annotations

import itertools
import linecache
import textwrap
from collections.abc import Callable
from typing import Any

__all__ = ["function_of", "function_with"]

_NUMBERS = itertools.count()
_SOURCE = """\
def process(r):
    {variables} = {values}
    try:
        return {{"value": {expression}}}
    except ZeroDivisionError:
        return {{"error": "division"}}
    except ValueError:
        return {{"error": "value"}}
    except TypeError:
        return {{"error": "type"}}
    except IndexError:
        return {{"error": "index"}}
    except AttributeError:
        return {{"error": "attribute"}}
    except KeyError:
        return {{"error": "key"}}
"""


def function_of(expression: str, variables: str, **globals_: Any) -> Callable[..., Any]:
    """Return a function with a record as its argument.

    Args:
        expression: what it returns as "value"; of an exception it says which.
        variables: letters, which are names of members and of variables with their values.
        globals_: other names.
    """
    source = _SOURCE.format(
        expression=expression,
        variables=", ".join(variables),
        values=", ".join(f'r["{each}"]' for each in variables),
    )
    return _load(source, dict(globals_))


def function_with(body: str, **globals_: Any) -> Callable[..., Any]:
    """Return a function of a record `r` with the statements of `body`."""
    return _load(f"def process(r):\n{textwrap.indent(body, '    ')}\n", dict(globals_))


def _load(source: str, scope: dict[str, Any]) -> Callable[..., Any]:
    name = f"<snippet {next(_NUMBERS)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), scope)  # noqa: S102
    function: Callable[..., Any] = scope["process"]
    return function
