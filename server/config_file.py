"""Reading the TOML file of a configuration, and other files of text."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from server.config_checks import suggestion

__all__ = ["read_config_file", "read_text"]

_PIPELINE_KEYS = ("pipelines", "state")

_TYPES: Mapping[type, str] = {
    bool: "a boolean",
    int: "an integer",
    float: "a float",
    str: "a string",
    list: "an array",
    tuple: "an array of strings",
    dict: "a table",
}
"""TOML's names of types."""


def read_config_file(path: str, options: Mapping[str, type]) -> dict[str, Any]:
    """Return the values of options in a TOML file.

    Args:
        path: the file.
        options: names and types of the options.

    Raises:
        ValueError: the file is no TOML, or has an unknown key or a value of another type.
        OSError: the file cannot be read.
    """
    try:
        table = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: {error}") from None
    values: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name in _PIPELINE_KEYS:
            # `load_pipelines` reads and checks them.
            values["pipeline_file"] = path
            continue
        if name == "sources":
            name, value = "source", _sources_of_table(path, value)
        if name not in options:
            raise ValueError(f"{path}: there is no option {key!r}{suggestion(name, options)}")
        if name in values:
            raise ValueError(f"{path}: {name} is given twice, the second time as {key!r}")
        kind = options[name]
        if kind is float and type(value) is int:
            value = float(value)
        if kind is tuple and isinstance(value, list):
            value = tuple(value)
        if type(value) is not kind:
            found = _TYPES.get(type(value), "a date or time")
            raise ValueError(f"{path}: {key} must be {_TYPES[kind]}, not {found}")
        values[name] = value
    return values


def read_text(path: str) -> str:
    """Return the contents of a file, without the byte order mark that some editors write.

    Raises:
        ValueError: it is not UTF-8.
        OSError: it cannot be read.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None


def _sources_of_table(path: str, table: object) -> list[str]:
    if not isinstance(table, dict):
        raise ValueError(f"{path}: sources must be a table of names and URLs")
    for name, url in table.items():
        if "=" in name or not isinstance(url, str):
            raise ValueError(f"{path}: sources: {name!r} must be a name, and its URL a string")
    return [f"{name}={url}" for name, url in table.items()]
