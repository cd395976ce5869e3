"""Functions of the corpus through server, command line, a live source and a cluster."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import requests

import forstcore
from tests import children
from tests.compiled.corpus import CASES, Case
from tests.compiled.corpus.records import odd_lines, usual_lines
from tests.compiled.oracle import Interpreted
from tests.servers import ROOT, Server, StartServer
from tests.sources.live import Subscription, publish

NAMES = (
    *("web_log", "redact_text", "order_lines", "words_of", "validate_order", "trip_minutes"),
    *("flatten", "typed_hit", "pseudonym", "redact_deeply"),
)
SOME = [case for case in CASES if case.name in NAMES]
ROUTES = ("--processors", "tests.compiled.routes")


def expected_of(case: Case, data: bytes) -> bytes:
    return b"".join(Interpreted(case.function).lines(data))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of lines for each function."""
    directory = tmp_path_factory.mktemp("lines")
    for case in SOME:
        (directory / case.name).write_bytes(odd_lines(case, 400))
    return {case.name: directory / case.name for case in SOME}


def test_server(start_server: StartServer, files: dict[str, Path]) -> None:
    server = start_server(*ROUTES)
    for case in SOME:
        data = files[case.name].read_bytes()
        response = requests.post(
            f"{server.url}/{case.name}", data, headers={"Forst-On-Error": "emit"}, timeout=60
        )
        assert response.content == expected_of(case, data), case.name


@pytest.mark.parametrize("case", SOME[:4], ids=lambda case: case.name)
def test_command_line(case: Case, files: dict[str, Path]) -> None:
    command = (sys.executable, "-m", "forstcore", "process", str(files[case.name]))
    options = ("--on-error", "emit", "--workers", "2", "--processor", case.name)
    done = children.run([*command, *ROUTES, *options], cwd=ROOT)
    assert done.stdout == expected_of(case, files[case.name].read_bytes())


def test_live_source(start_one: StartServer) -> None:
    server: Server = start_one(*ROUTES)
    for case in SOME[:4]:
        data = usual_lines(case, 60)
        with Subscription(server, processor=case.name) as live:
            live.start()
            status, _ = publish(server, data)
            assert status == 200
            results = expected_of(case, data).splitlines(keepends=True)
            due = [each for each in results if not each.startswith(b'{"status":"error","line":')]
            while due:
                line = live.next_line()
                if line is not None:
                    assert line == due.pop(0)


@pytest.mark.long
def test_cluster(files: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="needs dask")
    from forstcore.cluster import process_dataset
    from forstcore.cluster.local import local_cluster

    with local_cluster(2) as client:
        for case in SOME:
            target = tmp_path / case.name
            process_dataset(
                [files[case.name]],
                target,
                processor=case.function,
                client=client,
                blocksize=8192,
                on_error="emit",
            )
            parts = sorted(path for path in target.iterdir() if path.name.startswith("part-"))
            results = b"".join(part.read_bytes() for part in parts)
            assert results == expected_of(case, files[case.name].read_bytes()), case.name


def test_results_to_a_file(files: dict[str, Path], tmp_path: Path) -> None:
    for case in SOME:
        counts = forstcore.process_file(files[case.name], tmp_path / "out", case.function)
        expected = expected_of(case, files[case.name].read_bytes())
        lines = expected.splitlines(keepends=True)
        errors = [each for each in lines if each.startswith(b'{"status":"error","line":')]
        assert (tmp_path / "out").read_bytes() == b"".join(
            each for each in lines if each not in errors
        )
        assert counts["errors"] == len(errors)
