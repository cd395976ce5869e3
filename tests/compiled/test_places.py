"""Reports of where records are given back, and why."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path
from typing import Any

import forstcore
from forstcore.processors import as_processor

Record = dict[str, Any]


def power(value: Any) -> Any:
    return value**2


def function(record: Record) -> Any:
    if record["n"] == 7:
        logging.getLogger(__name__).debug("seven")
    if record["n"] < 0:
        raise ValueError(f"{record['n']} is negative")
    return {"n": power(record["n"]), "name": record["name"], "upper": record["text"].upper()}


GOOD = b'{"n":1,"name":"a","text":"b"}\n'
FIRST_LINE = power.__code__.co_firstlineno
# For each line the line, counted from that of `power`, the column, and the reason.
GIVEN_BACK = {
    b'{"n":7,"name":"a","text":"b"}\n': (6, 9, "a call of debug"),
    b'{"n":-1,"name":"a","text":"b"}\n': (
        *(8, 9, "raise ValueError(f\"{record['n']} is negative\")"),
    ),
    b'{"n":1,"text":"b"}\n': (9, 46, "KeyError in record['name']"),
    b'{"n":1,"name":"a","text":5}\n': (9, 71, "AttributeError in record['text'].upper()"),
    b'{"n":5000000000,"name":"a","text":"b"}\n': (*(1, 12, "only Python is sure of value ** 2"),),
}


def test_each_place_is_named_with_its_reason() -> None:
    processor = as_processor(function)
    compilation = processor.compilation
    assert compilation is not None
    assert compilation.given_back() == []
    lines = b"".join((GOOD * 20 + line) * 3 for line in GIVEN_BACK)
    b"".join(forstcore.process(lines, processor, workers=1))
    found = {
        (remark.line - FIRST_LINE, remark.column, remark.construct): records
        for remark, records in compilation.given_back()
    }
    assert found.keys() == {*GIVEN_BACK.values()}
    # If giving records back is expensive, Python processes some without a trial of the program.
    assert all(records >= 3 for records in found.values())
    assert {Path(remark.file).name for remark, _ in compilation.given_back()} == {"test_places.py"}


def test_records_that_python_processes_untried_count_for_the_last_place() -> None:
    processor = as_processor(function)
    compilation = processor.compilation
    assert compilation is not None
    lines = b'{"n":1,"text":"b"}\n' * 5000
    b"".join(forstcore.process(lines, processor, workers=1))
    ((remark, records),) = compilation.given_back()
    assert (remark.construct, records) == ("KeyError in record['name']", 5000)


def test_another_process_counts_for_itself() -> None:
    compilation = as_processor(function).compilation
    assert compilation is not None
    compilation.count_given_back(None, 3)
    assert pickle.loads(pickle.dumps(compilation)).given_back() == []
