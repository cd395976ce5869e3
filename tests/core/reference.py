"""A reference implementation of the core in plain Python, written from the wire contract."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Json: TypeAlias = "str | float | bool | list[Json] | dict[str, Json] | None"
Row: TypeAlias = dict[str, object]
OnError: TypeAlias = Literal["skip", "emit", "fail"]

MAX_DEPTH = 1024
BOM = b"\xef\xbb\xbf"
BLANK = b" \t\r"

# Which of these a line gets when it has several faults is up to the core.
MALFORMED = ("invalid_json", "invalid_utf8", "too_deep")

TOKEN = re.compile(
    r"""[ \t\n\r]*(?:
        (?P<string>"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*")
      | (?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
      | (?P<word>true|false|null)
      | (?P<mark>[\[\]{},:])
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
WORDS: dict[str, Json] = {"true": True, "false": False, "null": None}


class Refused(Exception):
    """A line that is not a record; its only argument is the kind of error."""


def tokens(text: str) -> Iterator[tuple[str, str]]:
    """Cut a text into JSON tokens, each with its kind."""
    at = 0
    while True:
        match = TOKEN.match(text, at)
        if match is None:
            raise Refused("malformed")
        kind = str(match.lastgroup)
        yield kind, match[kind]
        if kind == "end":
            return
        at = match.end()


def scalar(kind: str, token: str) -> Json:
    """Read a string, a number or a word."""
    if kind == "word":
        return WORDS[token]
    if kind == "number":
        number = float(token)
        if math.isinf(number):
            raise Refused("malformed")
        return number
    text = str(json.loads(token))
    if re.search("[\ud800-\udfff]", text):
        raise Refused("malformed")
    return text


def load(raw: bytes) -> Json:
    """Read one JSON value; of duplicate keys the last wins."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("malformed") from None
    # The outermost list stands for the line: it must end up with one value.
    root: list[Json] = []
    open_: list[list[Json] | dict[str, Json]] = [root]
    keys: list[str] = []
    expected = "value"
    for kind, token in tokens(text):
        here = open_[-1]
        complete = here is root and bool(root)
        if complete and kind == "end":
            return root[0]
        if complete or kind == "end":
            raise Refused("malformed")
        if expected.startswith("key") and kind == "string":
            keys.append(str(scalar(kind, token)))
            expected = "colon"
        elif expected == "colon" and token == ":":
            expected = "value"
        elif expected == "comma" and token == ",":
            expected = "key" if isinstance(here, dict) else "value"
        elif token == ("}" if isinstance(here, dict) else "]") and (
            expected == "comma" or expected.endswith("or end")
        ):
            open_.pop()
            expected = "comma"
        elif expected.startswith("value") and (token in "[{" or kind != "mark"):
            value: Json = {} if token == "{" else [] if token == "[" else scalar(kind, token)
            if isinstance(here, dict):
                here[keys.pop()] = value
            else:
                here.append(value)
            expected = "comma"
            if isinstance(value, dict | list):
                open_.append(value)
                expected = "key or end" if isinstance(value, dict) else "value or end"
                if len(open_) > MAX_DEPTH + 1:
                    raise Refused("malformed")
        else:
            raise Refused("malformed")
    raise AssertionError("the tokens stopped without an end")


def record(line: bytes) -> tuple[str, str]:
    """Return the id and the data of a record."""
    value = load(line)
    if not isinstance(value, dict):
        raise Refused("not_an_object")
    fields = []
    for name in ("id", "data"):
        text = value.get(name)
        if text is not None and not isinstance(text, str):
            raise Refused("wrong_type")
        fields.append(text or "")
    return fields[0], fields[1]


def is_json(raw: bytes) -> bool:
    """Return whether the reference implementation accepts this as a JSON value."""
    try:
        load(raw)
    except Refused:
        return False
    return True


@dataclass
class Outcome:
    """The expected outcome of a stream."""

    rows: list[Row] = field(default_factory=list)
    lines: int = 0
    records: int = 0
    errors: int = 0
    failed: bool = False


def process(data: bytes, on_error: OnError = "skip", max_line_size: int = 1 << 20) -> Outcome:
    """Process a whole input."""
    outcome = Outcome()
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, 1):
        outcome.lines = number
        text = line.removeprefix(BOM) if number == 1 else line
        try:
            if len(line) > max_line_size:
                raise Refused("line_too_long")
            if not text.strip(BLANK):
                continue
            id_, data_ = record(text)
        except Refused as error:
            outcome.errors += 1
            if on_error != "skip":
                outcome.rows.append({"status": "error", "line": number, "kind": error.args[0]})
            if on_error == "fail":
                outcome.failed = True
                break
        else:
            outcome.records += 1
            outcome.rows.append({"id": id_, "result": "processed_" + data_, "status": "success"})
    return outcome


def rows_of(output: bytes) -> list[Row]:
    """Read the core's output into the rows that the reference implementation returns."""
    rows: list[Row] = []
    assert not output or output.endswith(b"\n")
    for line in output.split(b"\n")[:-1]:
        row: Row = json.loads(line)
        if row["status"] == "error":
            assert list(row) == ["status", "line", "offset", "code", "message"]
            code = row["code"]
            kind = "malformed" if code in MALFORMED else code
            row = {"status": "error", "line": row["line"], "kind": kind}
        else:
            assert list(row) == ["id", "result", "status"]
        rows.append(row)
    return rows
