"""Pipelines from CSV files, whose process is killed."""

from __future__ import annotations

import json
import random

import pytest

from tests.standing_pipelines.test_killed import kill_later
from tests.standing_pipelines.workspace import Workspace


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.long) for n in (2, 3, 4))])
def test_each_row_has_one_result_whenever_the_process_is_killed(
    workspace: Workspace, seed: int
) -> None:
    content, expected = ["id,text\r\n"], []
    for number in range(40_000):
        if number % 1000 == 999:
            content.append(f"{number}\r\n")
        elif number % 7 == 0:
            content.append(f'{number},"a ""quoted""\nline"\r\n')
            expected.append({"id": str(number), "text": 'a "quoted"\nline'})
        else:
            content.append(f"{number},plain\r\n")
            expected.append({"id": str(number), "text": "plain"})
    for part in range(2):
        rows = content[:1] * part + content[part * 20_000 : part * 20_000 + 20_000 + part]
        (workspace.path / f"in{part}.csv").write_text("".join(rows), newline="")
    workspace.declare(
        copy={
            "source": "file:in*.csv?follow=no",
            "sink": "file:out.ndjson",
            "errors": "file:errors.ndjson",
            "max_unconfirmed": 20_000,
        }
    )
    chance = random.Random(seed)
    for _ in range(5):
        if not kill_later(workspace, workspace.start(), chance):
            break
    done = workspace.run()
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in workspace.read("out.ndjson").splitlines()] == expected
    letters = [json.loads(line) for line in workspace.read("errors.ndjson").splitlines()]
    assert {(each["code"], each["message"], each["raw"]) for each in letters} == {
        ("invalid_csv", "1 field, but 2 columns", str(number))
        for number in range(999, 40_000, 1000)
    }


def test_invalid_rows_are_counted_without_dead_letters(workspace: Workspace) -> None:
    (workspace.path / "in.csv").write_text("id,n\n1,2\n3\n")
    workspace.declare(copy={"source": "file:in.csv?follow=no", "sink": "file:out.ndjson"})
    done = workspace.run("--progress")
    assert done.returncode == 0
    assert b"1 line was rejected: invalid_csv 1" in done.stderr
    assert workspace.read("out.ndjson") == b'{"id":"1","n":"2"}\n'


def test_files_may_be_removed_when_they_have_been_read(workspace: Workspace) -> None:
    (workspace.path / "1.csv").write_text("id\n1\n")
    workspace.declare(copy={"source": "file:*.csv?follow=no", "sink": "file:out.ndjson"})
    assert workspace.run().returncode == 0
    (workspace.path / "1.csv").unlink()
    (workspace.path / "2.csv").write_text("id\n2\n")
    done = workspace.run()
    assert done.returncode == 0
    assert b"lost" not in done.stderr
    assert workspace.read("out.ndjson") == b'{"id":"1"}\n{"id":"2"}\n'
