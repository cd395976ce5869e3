"""Environment variables in a pipeline file, so that the same file works on every machine.

``${NAME}`` is the value of an environment variable, ``${NAME:-TEXT}`` is TEXT if that is unset or
empty, and ``$${`` is a literal ``${``. They are replaced in the options of pipelines after the
file has been parsed, so a value can neither add keys nor end a string.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["with_environment"]

_REFERENCE = re.compile(
    r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\})?"
)


def with_environment(value: Any, environment: Mapping[str, str]) -> Any:
    """Replace references in a string, or in all strings of a list or table.

    Raises:
        ValueError: a reference is malformed, or its variable is not set.
    """

    def replace(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        if match[0] == "$${":
            return "${"
        if name is None:
            raise ValueError("has a ${ that is followed by no NAME}; write $${ for ${ itself")
        found = environment.get(name)
        if default is not None:
            return found or default
        if found is None:
            raise ValueError(f"has ${{{name}}}, but there is no such environment variable")
        return found

    if isinstance(value, str):
        return _REFERENCE.sub(replace, value)
    if isinstance(value, list):
        return [with_environment(each, environment) for each in value]
    if isinstance(value, dict):
        return {key: with_environment(each, environment) for key, each in value.items()}
    return value
