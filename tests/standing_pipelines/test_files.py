"""Pipelines from files to files."""

from __future__ import annotations

import gzip
import json
import signal
from collections.abc import Callable

import pytest

from tests.sinks.http_target import Answer, HttpTarget, Request
from tests.standing_pipelines.workspace import Workspace, records, results


@pytest.mark.parametrize("processor", ["double", "python", "async"])
def test_results_of_a_whole_file_are_written(workspace: Workspace, processor: str) -> None:
    (workspace.path / "in.ndjson").write_bytes(records(0, 20_000))
    workspace.declare(
        copy={"source": "file:in.ndjson?follow=no", "sink": "file:out", "processor": processor}
    )
    done = workspace.run()
    assert done.returncode == 0, done.stderr
    first, last = done.stderr.decode().splitlines()
    steps = f"file:in.ndjson?follow=no -> {processor} -> file:out"
    assert first == f"forstcore: copy: {steps}; exactly once; errors: counted only"
    assert last.startswith("forstcore: copy: 20,000 results of 0.5 MB written in ")
    assert workspace.read("out") == results(0, 20_000)


def test_records_pass_unchanged_without_a_processor(workspace: Workspace) -> None:
    (workspace.path / "in.ndjson").write_bytes(records(0, 100) + b" \n" + b'{ "b" : 1 }')
    workspace.declare(copy={"source": "file:in.ndjson?follow=no", "sink": "file:out"})
    assert workspace.run().returncode == 0
    assert workspace.read("out") == records(0, 100) + b'{ "b" : 1 }\n'


def test_the_built_in_processor_has_a_name(workspace: Workspace) -> None:
    (workspace.path / "in.ndjson").write_bytes(b'{"id":"1","data":"x"}\n')
    workspace.declare(
        copy={
            "source": "file:in.ndjson?follow=no",
            "sink": "file:out",
            "processor": "built-in",
        }
    )
    assert workspace.run().returncode == 0
    assert b'"processed_x"' in workspace.read("out")


def test_what_is_written_while_none_runs_is_read_later(workspace: Workspace) -> None:
    source = workspace.path / "in.ndjson"
    source.write_bytes(records(0, 1000))
    workspace.declare(
        copy={"source": "file:in.ndjson?follow=no", "sink": "file:out", "processor": "double"}
    )
    for end in (1000, 3001):
        source.write_bytes(records(0, end))
        assert workspace.run().returncode == 0
        assert workspace.read("out") == results(0, end)


def test_a_filter_selects_records(workspace: Workspace) -> None:
    (workspace.path / "in.ndjson").write_bytes(records(0, 1000))
    workspace.declare(copy={"source": "file:in.ndjson?follow=no", "sink": "file:out"})
    with (workspace.path / "pipelines.toml").open("a") as file:
        file.write("filter = {n = {gte = 990}}\n")
    assert workspace.run().returncode == 0
    assert workspace.read("out") == records(990, 1000)


def test_rejected_lines_are_dead_letters_that_replay_reads(workspace: Workspace) -> None:
    bad = [b"broken", b'{"id":"7"}', b'\xff{"id":"8"}']
    lines = records(0, 5000).splitlines()
    for place, line in zip((0, 2500, 4999), bad, strict=True):
        lines[place] = line
    (workspace.path / "in.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    workspace.declare(
        copy={
            "source": "file:in.ndjson?follow=no",
            "sink": "file:out",
            "processor": "double",
            "errors": "file:errors.ndjson",
        }
    )
    done = workspace.run()
    assert done.returncode == 0
    assert b"forstcore: copy: 3 lines were rejected: " in done.stderr
    assert workspace.read("out").count(b"\n") == 4997
    entries = [json.loads(line) for line in workspace.read("errors.ndjson").splitlines()]
    assert [entry["line"] for entry in entries] == [1, 2501, 5000]
    assert {entry["pipeline"] for entry in entries} == {"copy"}
    assert {entry["file"] for entry in entries} == {"file:in.ndjson?follow=no"}
    assert [entry["code"] for entry in entries] == [
        "invalid_json",
        "processor_failed",
        "invalid_json",
    ]
    # Another processor would make other results of them.
    again = workspace.command("replay", "errors.ndjson")
    assert again.returncode == 2
    assert b"dead letters of the pipeline 'copy', which need its processor: " in again.stderr
    fixed = workspace.read("errors.ndjson").replace(
        b'{\\"id\\":\\"7\\"}', b'{\\"id\\":\\"7\\",\\"n\\":7}'
    )
    (workspace.path / "errors.ndjson").write_bytes(fixed)
    again = workspace.command(
        *("replay", "errors.ndjson", "--errors", "still.ndjson"),
        *("--processors", "processors.py", "--processor", "double"),
    )
    assert again.returncode == 0
    assert again.stdout == results(7, 8)
    assert workspace.read("still.ndjson").count(b"\n") == 2
    again = workspace.command("replay", "errors.ndjson", "--processor", "pass")
    assert again.stdout == records(7, 8)


def test_results_that_the_sink_refused_are_not_processed_again(workspace: Workspace) -> None:
    def answer(request: Request) -> Answer:
        return Answer(422 if b'"twice":14' in request.body else 204)

    (workspace.path / "in.ndjson").write_bytes(records(0, 10) + b'{"id":"10"}\n')
    with HttpTarget(answer) as target:
        workspace.declare(
            post={
                "source": "file:in.ndjson?follow=no",
                "sink": f"http://127.0.0.1:{target.port}/in",
                "processor": "double",
                "errors": "file:errors.ndjson",
                "tries": 1,
            }
        )
        assert workspace.run().returncode == 0
    again = workspace.command(
        "replay", "errors.ndjson", "--processors", "processors.py", "--processor", "double"
    )
    assert again.returncode == 1
    assert again.stdout == b""
    assert b"1 result that a sink refused was left out of errors.ndjson: --refused" in again.stderr
    again = workspace.command("replay", "errors.ndjson", "--refused")
    assert again.returncode == 0
    assert again.stdout == results(7, 8)
    assert (
        workspace.command("replay", "errors.ndjson", "--refused", "--to", "http://x").returncode
        == 2
    )


def test_several_pipelines_run_at_once(workspace: Workspace) -> None:
    (workspace.path / "in.ndjson").write_bytes(records(0, 1000))
    workspace.declare(
        **{
            name: {"source": "file:in.ndjson?follow=no", "sink": f"file:{name}"}
            for name in ("first", "second", "third")
        }
    )
    assert workspace.run("third", "first").returncode == 0
    assert workspace.read("first") == workspace.read("third") == records(0, 1000)
    assert workspace.read("second") == b""
    assert workspace.run().returncode == 0
    assert workspace.read("first") == workspace.read("second") == records(0, 1000)


def test_a_pipeline_that_fails_does_not_end_the_others(workspace: Workspace) -> None:
    (workspace.path / "in.ndjson").write_bytes(records(0, 1000))
    workspace.declare(
        good={"source": "file:in.ndjson?follow=no", "sink": "file:out"},
        bad={"source": "file:in.ndjson?follow=no", "sink": "file:missing/out"},
    )
    done = workspace.run()
    assert done.returncode == 3
    assert b"forstcore: pipeline bad: sink 'bad' cannot be written: " in done.stderr
    assert workspace.read("out") == records(0, 1000)


def test_compressed_files_are_read_once(workspace: Workspace) -> None:
    for number, name in enumerate("ab"):
        content = gzip.compress(records(number * 1000, number * 1000 + 1000))
        (workspace.path / f"{name}.ndjson.gz").write_bytes(content)
    workspace.declare(
        double={"source": "file:*.ndjson.gz?follow=no", "processor": "double", "sink": "file:out"}
    )
    assert workspace.run().returncode == 0
    assert workspace.read("out") == results(0, 2000)
    content = gzip.compress(records(2000, 3000))
    (workspace.path / "c.ndjson.gz").write_bytes(content)
    assert workspace.run().returncode == 0
    assert workspace.read("out") == results(0, 3000)


def test_an_offset_of_another_source_is_an_error(workspace: Workspace) -> None:
    (workspace.path / "in.ndjson").write_bytes(records(0, 10))
    workspace.declare(copy={"source": "file:in.ndjson?follow=no", "sink": "file:out"})
    assert workspace.run().returncode == 0
    workspace.declare(copy={"source": "redis://127.0.0.1:1/0?stream=x", "sink": "file:out"})
    done = workspace.run()
    assert done.returncode == 3
    assert b"pipeline copy: sink 'copy' cannot be written: .out.manifest has an offset of " in (
        done.stderr
    )
    assert b"has an offset of file:in.ndjson, not of redis://127.0.0.1:1/0?stream=x: use " in (
        done.stderr
    )
    assert workspace.read("out") == records(0, 10)
    # Options say how to read, not where.
    (workspace.path / "in.ndjson").write_bytes(records(0, 20))
    workspace.declare(copy={"source": "file:in.ndjson", "sink": "file:out"})
    process = workspace.start()
    workspace.wait_until(lambda: workspace.read("out") == records(0, 20), process)
    workspace.stop(process)


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)]
)
def test_a_signal_drains(workspace: Workspace, number: int) -> None:
    (workspace.path / "in.ndjson").write_bytes(records(0, 100_000))
    workspace.declare(copy={"source": "file:in.ndjson", "sink": "file:out.ndjson?max_size=1GB"})
    process = workspace.start("--progress")
    part = workspace.path / ".out-000001.ndjson.part"
    workspace.wait_until(lambda: part.exists() and part.stat().st_size > 0, process)
    errors = workspace.stop(process, number)
    assert process.returncode == -number
    assert b"results of" in errors
    # The rotated file ends with the process, with whole lines.
    written = workspace.read("out-000001.ndjson")
    assert written
    assert records(0, 100_000).startswith(written)
    process = workspace.start()

    def total() -> bytes:
        return b"".join(
            path.read_bytes() for path in sorted(workspace.path.glob("out-*.ndjson"))
        ) + b"".join(path.read_bytes() for path in workspace.path.glob(".out-*.part"))

    workspace.wait_until(lambda: total().count(b"\n") >= 100_000, process)
    workspace.stop(process)
    assert total() == records(0, 100_000)


def test_progress_names_the_sink_that_is_down(workspace: Workspace) -> None:
    (workspace.path / "in.ndjson").write_bytes(b"broken\n")
    workspace.declare(
        copy={
            "source": "file:in.ndjson?follow=no",
            "sink": "file:out",
            "errors": "kafka://127.0.0.1:1?topic=bad",
        }
    )
    process = workspace.start("--progress", "--drain-timeout", "0.2")
    line = workspace.read_until(b"  the sink for errors is down: ", process)
    assert b"KafkaUnavailableError" not in line
    errors = workspace.stop(process)
    assert b"forstcore: pipeline copy: its sink for errors did not confirm in time\n" in errors


def test_a_sink_that_is_down_does_not_hold_up_the_end(workspace: Workspace) -> None:
    (workspace.path / "in.ndjson").write_bytes(records(0, 10))
    workspace.declare(copy={"source": "file:in.ndjson", "sink": "http://127.0.0.1:1/"})
    process = workspace.start("--drain-timeout", "0.2")
    workspace.read_until(b"it is down", process)
    errors = workspace.stop(process)
    assert process.returncode == -signal.SIGTERM
    assert b"forstcore: pipeline copy: its sink did not confirm in time\n" in errors


@pytest.mark.parametrize(
    "pipeline",
    [
        {"source": "file:in.ndjson", "sink": "redis://127.0.0.1:1/0?stream=a"},
        {"source": "kafka://127.0.0.1:1?topic=a&group=b", "sink": "kafka://127.0.0.1:1?topic=c"},
    ],
    ids=["redis", "kafka"],
)
def test_a_pipeline_that_has_read_nothing_ends_at_once(
    workspace: Workspace, pipeline: dict[str, str]
) -> None:
    """Although it still waits for a broker, to know where to start or what to commit."""
    (workspace.path / "in.ndjson").write_bytes(records(0, 10))
    workspace.declare(copy=pipeline)
    process = workspace.start("--drain-timeout", "3600")
    workspace.read_until(b"it is down", process)
    assert b"did not confirm" not in workspace.stop(process)
    assert process.returncode == -signal.SIGTERM


def test_lines_that_come_are_written_soon(workspace: Workspace) -> None:
    source = workspace.path / "in.ndjson"
    source.write_bytes(b"")
    workspace.declare(copy={"source": "file:in.ndjson", "sink": "file:out", "processor": "double"})
    process = workspace.start()

    def has(count: int) -> Callable[[], bool]:
        return lambda: workspace.read("out") == results(0, count)

    for before, count in ((0, 1), (1, 10), (10, 1000)):
        with source.open("ab") as file:
            file.write(records(before, count))
        workspace.wait_until(has(count), process)
    workspace.stop(process)


def test_lost_records_are_reported_with_the_name_of_the_source(workspace: Workspace) -> None:
    source = workspace.path / "in.ndjson"
    workspace.declare(copy={"source": "file:in.ndjson?follow=no", "sink": "file:out"})
    source.write_bytes(records(0, 1000))
    assert workspace.run().returncode == 0
    source.write_bytes(records(2000, 2010))
    done = workspace.run()
    assert b"\nsource copy: it has lost an unknown number of records\n" in done.stderr
    assert workspace.read("out") == records(0, 1000) + records(2000, 2010)
