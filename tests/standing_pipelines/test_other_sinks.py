"""Pipelines to sinks that keep no offsets, which may refuse results, or stop."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from forstcore._proc import PASS_ON
from forstcore.errors import SinkError, SourceError
from forstcore.pipelines import Pipeline, PipelineConfig
from forstcore.processors import Processor
from forstcore.sinks import open_sink
from forstcore.sources import open_source
from tests.sinks.tcp_sink import TcpServer, TcpSink
from tests.standing_pipelines.workspace import records

PASS = Processor("pass", "native", PASS_ON)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(100):
            await scenario

    asyncio.run(limited())


def pipeline_to(sink: TcpSink, directory: Path, source: str = "") -> Pipeline:
    url = source or f"file:{directory}/in.ndjson?follow=no"
    return Pipeline(
        PipelineConfig(name="p", source=url, sink="tcp:", workers=2),
        open_source("p", url),
        PASS,
        None,
        sink,
        open_sink("p", f"file:{directory}/errors.ndjson"),
        directory / "state" / "p.json",
    )


def test_the_offset_is_saved_after_the_confirmation(tmp_path: Path) -> None:
    source, state = tmp_path / "in.ndjson", tmp_path / "state" / "p.json"
    source.write_bytes(records(0, 50_000))

    async def scenario() -> None:
        async with TcpServer() as server:
            await pipeline_to(TcpSink(server.port), tmp_path).run()
            assert b"".join(server.outputs) == records(0, 50_000)
            offset = json.loads(state.read_text())["offset"]
            assert f":{source.stat().st_size}:" in offset
            with source.open("ab") as file:
                file.write(records(50_000, 50_010))
            await pipeline_to(TcpSink(server.port), tmp_path).run()
            assert b"".join(server.outputs) == records(0, 50_010)

    run(scenario())


def test_what_was_not_confirmed_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "in.ndjson").write_bytes(records(0, 50_000))
    calls = 0
    running: asyncio.Future[None]
    received: list[bytes] = []

    async def answer(_: bytes) -> object:
        nonlocal calls
        calls += 1
        if calls in (2, 5, 8, 11, 20, 30):
            # Results that are stored here may not be confirmed to the pipeline any more.
            running.cancel()
        return {}

    async def scenario() -> None:
        nonlocal running
        while True:
            async with TcpServer(answer) as server:
                running = asyncio.ensure_future(pipeline_to(TcpSink(server.port), tmp_path).run())
                await asyncio.wait([running])
            received.extend(server.lines)
            if not running.cancelled():
                await running
                break

    run(scenario())
    expected = records(0, 50_000).splitlines()
    assert set(received) == set(expected)
    # In order, apart from what begins again.
    numbers = [json.loads(line)["n"] for line in received]
    assert all(after <= before + 1 for before, after in itertools.pairwise(numbers))


def test_a_state_of_another_source_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "in.ndjson").write_bytes(records(0, 10))

    async def scenario() -> None:
        async with TcpServer() as server:
            await pipeline_to(TcpSink(server.port), tmp_path).run()
            other = f"file:{tmp_path}/other.ndjson?follow=no"
            with pytest.raises(SourceError, match=r"p\.json has an offset of file:.*in\.ndjson"):
                await pipeline_to(TcpSink(server.port), tmp_path, other).run()
            (tmp_path / "state" / "p.json").write_text("[]")
            with pytest.raises(SourceError, match=r"has a state file .*p\.json that cannot be"):
                await pipeline_to(TcpSink(server.port), tmp_path).run()

    run(scenario())


def test_a_state_directory_that_cannot_be_written_is_an_error_before_anything_is_written(
    tmp_path: Path,
) -> None:
    (tmp_path / "in.ndjson").write_bytes(records(0, 10))
    (tmp_path / "state").write_text("no directory")

    async def scenario() -> None:
        async with TcpServer() as server:
            with pytest.raises(SourceError, match=r"state directory .*state that cannot be writ"):
                await pipeline_to(TcpSink(server.port), tmp_path).run()
            assert server.outputs == []

    run(scenario())


def test_an_offset_that_cannot_be_saved_for_a_while_holds_the_pipeline_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "in.ndjson").write_bytes(records(0, 50_000))
    # As where the disk is full.
    obstacle = tmp_path / "state" / "p.json.draft"
    obstacle.mkdir(parents=True)

    async def scenario() -> None:
        async with TcpServer() as server:
            pipeline = pipeline_to(TcpSink(server.port), tmp_path)
            running = asyncio.create_task(pipeline.run())
            while (trouble := pipeline.trouble()) is None:  # noqa: ASYNC110 (there is no event)
                await asyncio.sleep(0.01)
            assert trouble[0] == "state"
            assert "p.json: Is a directory" in trouble[1].detail
            await asyncio.sleep(0.3)
            assert not running.done()
            obstacle.rmdir()
            await running
            assert pipeline.trouble() is None
            assert b"".join(server.outputs) == records(0, 50_000)

    with caplog.at_level("INFO", "forstcore"):
        run(scenario())
    said = [each for each in caplog.messages if "offsets" in each]
    assert len(said) == 2
    assert said[0].startswith("pipeline p: cannot save offsets: ")
    assert said[1] == "pipeline p: saves offsets again"


def test_results_that_the_sink_refuses_are_dead_letters(tmp_path: Path) -> None:
    (tmp_path / "in.ndjson").write_bytes(records(0, 3000) + b"broken\n" + records(3000, 6000))

    async def answer(results: bytes) -> object:
        lines = enumerate(results.splitlines())
        return {number: "no tens" for number, line in lines if line.endswith(b"0}")}

    async def scenario() -> None:
        async with TcpServer(answer) as server:
            pipeline = pipeline_to(TcpSink(server.port), tmp_path)
            await pipeline.run()
            assert pipeline.counts.results == 5400
            assert pipeline.counts.errors == {"invalid_json": 1, "sink_refused": 600}

    run(scenario())
    entries = [json.loads(line) for line in (tmp_path / "errors.ndjson").read_text().splitlines()]
    refused = [entry for entry in entries if entry["code"] == "sink_refused"]
    assert len(entries) == 601
    assert {entry["message"] for entry in refused} == {"no tens"}
    assert [json.loads(entry["raw"])["n"] for entry in refused] == list(range(0, 6000, 10))


def test_a_sink_that_stops_holds_the_source_back(tmp_path: Path) -> None:
    count = 400_000
    (tmp_path / "in.ndjson").write_bytes(records(0, count))
    size = (tmp_path / "in.ndjson").stat().st_size

    async def answer(_: bytes) -> object:
        await goes_on.wait()
        return {}

    async def scenario() -> None:
        async with TcpServer(answer) as server:
            pipeline = pipeline_to(TcpSink(server.port, buffer_size=100_000), tmp_path)
            running = asyncio.ensure_future(pipeline.run())
            while not pipeline.counts.bytes_in:  # noqa: ASYNC110 (there is no event)
                await asyncio.sleep(0.01)
            for _ in range(50):
                await asyncio.sleep(0.01)
                # The most that engine and buffer may hold, which does not depend on the input.
                assert pipeline.counts.bytes_in < size * 3 // 4
                assert pipeline.counts.results == 0
            goes_on.set()
            await running
            assert b"".join(server.outputs) == records(0, count)

    goes_on = asyncio.Event()
    run(scenario())


def test_a_sink_that_fails_ends_the_pipeline(tmp_path: Path) -> None:
    (tmp_path / "in.ndjson").write_bytes(records(0, 100_000))

    async def answer(_: bytes) -> object:
        return "is forbidden"

    async def scenario() -> None:
        async with TcpServer(answer) as server:
            with pytest.raises(SinkError, match="sink 'tcp' is forbidden"):
                await pipeline_to(TcpSink(server.port), tmp_path).run()
        assert not (tmp_path / "state" / "p.json").exists()

    run(scenario())


def test_a_pipeline_is_drained_while_its_source_goes_on(tmp_path: Path) -> None:
    (tmp_path / "in.ndjson").write_bytes(records(0, 1000))

    async def scenario() -> None:
        async with TcpServer() as server:
            source = f"file:{tmp_path}/in.ndjson"
            pipeline = pipeline_to(TcpSink(server.port), tmp_path, source)
            running = asyncio.ensure_future(pipeline.run())
            while pipeline.counts.results < 1000:  # noqa: ASYNC110 (there is no event)
                await asyncio.sleep(0.01)
            pipeline.drain()
            await running
            assert b"".join(server.outputs) == records(0, 1000)
            # A pipeline may be drained before it starts.
            pipeline = pipeline_to(TcpSink(server.port), tmp_path, source)
            pipeline.drain()
            await pipeline.run()

    run(scenario())
