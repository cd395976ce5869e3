"""Parsing results, to write them in another format."""

from __future__ import annotations

from typing import Any

from forstcore._io.json_lines import load_lines, loads
from forstcore.formats import ResultFormatError

__all__ = ["loaded"]


def loaded(lines: bytes, name: str, behind: int) -> list[dict[str, Any]]:
    """Parse results, each of which has to be an object.

    Args:
        lines: the results, each with its LF.
        name: the name of the file that they are written to, for messages.
        behind: the number of results before these.

    Raises:
        ResultFormatError: one is not an object.
    """
    try:
        results = load_lines(lines)
    except ValueError:
        results = []
        for number, line in enumerate(lines[:-1].split(b"\n"), behind + 1):
            try:
                results.append(loads(line))
            except ValueError as error:
                raise ResultFormatError(name, number, f"is not JSON: {error}") from None
    for number, result in enumerate(results, behind + 1):
        if not isinstance(result, dict):
            raise ResultFormatError(name, number, "is not an object, so it is no row")
    return results
