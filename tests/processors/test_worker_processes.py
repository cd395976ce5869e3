"""Worker processes have the results of threads, and lose nothing when they end."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing, closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import forstcore
from forstcore.engine import process_pool
from forstcore.engine.function_reference import reference_to
from forstcore.engine.process_runner import WorkerError
from forstcore.engine.worker_channel import SharedMemory, new_memory
from forstcore.errors import LoadError
from forstcore.processors import REGISTRY, as_processor
from tests import children
from tests.processors import worker_routes
from tests.processors.engines import engine_for, source_of
from tests.servers import ROOT, wait_until

pytestmark = pytest.mark.skipif(os.name != "posix", reason="worker processes need POSIX")

HAS_CLOUDPICKLE = importlib.util.find_spec("cloudpickle") is not None


# Other tests run over all processors that are declared.
DECLARED = {name: REGISTRY.pop(name) for name in ("work", "pid", "made")}


@pytest.fixture(autouse=True)
def no_process_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, declared in DECLARED.items():
        monkeypatch.setitem(REGISTRY, name, declared)
    yield
    assert all(pool.streams == 0 for pool in process_pool._pools.values())
    process_pool._end_all()


def lines_of(*records: Any) -> bytes:
    return b"".join(
        (record if isinstance(record, bytes) else json.dumps(record).encode()) + b"\n"
        for record in records
    )


def numbered(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"id": number, **more} for number in range(count)]


def processed(lines: bytes, function: object = worker_routes.work, **options: Any) -> bytes:
    return b"".join(forstcore.process(lines, function, **options))


def rows(output: bytes) -> list[Any]:
    return [json.loads(line) for line in output.splitlines()]


def in_thread(record: dict[str, Any]) -> Any:
    return worker_routes.work(record)


def waiting(place: Path) -> list[int]:
    """Return the processes that wait for the file "go"."""
    return [int(each.stem) for each in place.glob("*.waits")]


# ---------------------------------------------------------------- the same as threads

MIXED = [
    b"\xef\xbb\xbf{}",
    b"",
    {"id": 1},
    b"junk",
    b'{"id":"' + b"x" * 3000 + b'"}',
    {"id": 2, "times": 3},
    {"id": 3, "drop": True},
    {"id": 4, "refuse": "no"},
    {"id": 5, "leave": 3},
    {"id": 6, "size": 600_000},
    b'{"id":7,"big":123456789012345678901234567890}\r',
    b"[1]",
]


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.long), 3])
@pytest.mark.parametrize("on_error", ["skip", "emit", "fail"])
def test_the_same_bytes_as_in_threads(workers: int, on_error: Any) -> None:
    def run(function: object) -> tuple[list[bytes], list[Any], dict[str, int], Any]:
        async def collect() -> tuple[dict[str, int], Any]:
            with engine_for(
                function,
                workers=workers,
                on_error=on_error,
                keep_rejected=True,
                max_line_size=2000,
            ) as engine:
                async with aclosing(engine.run(source_of([data]))) as outputs:
                    async for output in outputs:
                        parts.append(output)
                        rejected.extend(engine.take_rejected() or ())
                counts = {
                    name: getattr(engine, name)
                    for name in ("lines", "records", "results", "errors", "bytes_out")
                }
                return counts, repr(engine.failure)

        parts: list[bytes] = []
        rejected: list[Any] = []
        counts, failure = asyncio.run(collect())
        return b"".join(parts).splitlines(), rejected, counts, failure

    data = lines_of(*MIXED * 2, *numbered(2000), *MIXED)
    assert run(worker_routes.work) == run(in_thread)


def test_each_result_once_in_order_of_completion() -> None:
    records = numbered(3000)
    output = processed(lines_of(*records), workers=3, order="completion")
    assert sorted(rows(output), key=lambda row: row["id"]) == records


def test_several_processes_work_at_once(tmp_path: Path) -> None:
    records = numbered(3, wait=str(tmp_path))
    with closing(forstcore.process(lines_of(*records), worker_routes.work, workers=3)) as outputs:
        done: list[bytes] = []
        thread = threading.Thread(target=lambda: done.extend(outputs))
        thread.start()
        wait_until(lambda: len(waiting(tmp_path)) == 3)
        assert os.getpid() not in waiting(tmp_path)
        (tmp_path / "go").touch()
        thread.join()
    assert rows(b"".join(done)) == records


def test_the_kind_is_that_of_the_declaration_or_of_the_stream() -> None:
    def pids(**options: Any) -> set[int]:
        return {row["pid"] for row in rows(processed(b"{}\n", worker_routes.pid, **options))}

    assert pids() == pids(worker_kind="threads") == {os.getpid()}
    assert os.getpid() not in pids(worker_kind="processes")
    with pytest.raises(ValueError, match="worker_kind must be one of threads, processes"):
        pids(worker_kind="fibres")


def test_kinds_that_have_no_worker_processes() -> None:
    async def waits(record: dict[str, Any]) -> None: ...

    with pytest.raises(TypeError, match="'waits' is async"):
        forstcore.processor("waits", worker_kind="processes")(waits)
    with pytest.raises(TypeError, match="'pass-on' is native"):
        forstcore.processor("pass-on", worker_kind="processes")(forstcore._proc.PASS_ON)
    with pytest.raises(ValueError, match="worker_kind must be one of"):
        forstcore.processor("waits", worker_kind="fibres")  # type: ignore[arg-type]
    # For a stream it concerns only those that can have them.
    assert processed(b'{"id":"1"}\n', None, worker_kind="processes").startswith(b'{"id":"1"')


def test_output_and_input_of_the_process(capfd: pytest.CaptureFixture[str]) -> None:
    processed(lines_of({"id": 1, "print": "here"}))
    process_pool._end_all()
    wait_until(lambda: "here ''" in capfd.readouterr().out, 20)


# ---------------------------------------------------------------- functions to import


def test_a_function_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    factor = 7

    def local(record: dict[str, Any]) -> Any:
        return {"id": record["id"] * factor if os.getpid() else 0}

    if HAS_CLOUDPICKLE:
        assert processed(b'{"id":2}\n', local, worker_kind="processes") == b'{"id":14}\n'
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with pytest.raises(TypeError, match="or install cloudpickle"):
        processed(b"{}\n", local, worker_kind="processes")
    # This one is registered when its module is imported.
    assert processed(b'{"id":2}\n', "made", worker_kind="processes") == b'{"id":6}\n'


def test_how_functions_are_found() -> None:
    registered = reference_to(REGISTRY["pid"])
    passed = reference_to(as_processor(worker_routes.pid))
    assert (registered.attribute, passed.attribute) == ("", "pid")
    for reference in (registered, passed):
        assert reference.load().function is worker_routes.pid


def module(place: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Write and import a module."""
    (place / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(place)
    return importlib.import_module(name)


def test_a_module_that_a_process_cannot_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "import os\nif os.getpid() != {}: raise OSError('no more')\ndef same(r): os.getpid()\n"
    fails = module(tmp_path, "fails_in_worker", text.format(os.getpid()), monkeypatch)
    with pytest.raises(LoadError, match="from fails_in_worker: OSError: no more"):
        processed(b"{}\n", fails.same, worker_kind="processes")


def test_a_process_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import os\nif os.getpid() != {}: os._exit(5)\ndef same(r): os.getpid()\n"
    exits = module(tmp_path, "exits_in_worker", text.format(os.getpid()), monkeypatch)
    with pytest.raises(
        WorkerError, match="worker process of processor 'same' exited with status 5"
    ):
        processed(b"{}\n", exits.same, worker_kind="processes")


def test_a_changed_file_is_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Streams continue in threads, with the function that was loaded."""
    text = "import os\ndef value(record): return {'old': os.getpid()}\n"
    changes = module(tmp_path, "changes_on_disk", text, monkeypatch)
    as_loaded = as_processor(changes.value)
    (tmp_path / "changes_on_disk.py").write_text(text.replace("old", "other"))
    assert rows(processed(b"{}\n", as_loaded, worker_kind="processes")) == [{"old": os.getpid()}]
    assert "the file of processor 'value' has changed" in caplog.text


# ---------------------------------------------------------------- the end of processes

DEATHS: dict[str, tuple[dict[str, Any], str]] = {
    "exit": ({"exit": 3}, "exited with status 3"),
    "kill": ({"signal": signal.SIGKILL}, "was ended by SIGKILL"),
    "crash": ({"crash": True}, "was ended by SIGSEGV"),
    "generator": ({"times": 3, "dies": 2}, "was ended by SIGKILL"),
}


@pytest.mark.parametrize(
    "death",
    [
        "exit",
        *(pytest.param(each, marks=pytest.mark.long) for each in ("kill", "crash", "generator")),
    ],
)
def test_a_record_that_ends_its_process(death: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is an error, and all others are processed."""
    members, cause = DEATHS[death]
    records: list[Any] = numbered(300)
    records[0] = records[150] = {"id": -1, **members}
    records[70] = b"junk"
    output = rows(processed(lines_of(*records), workers=2, on_error="emit"))
    assert [row.get("id", row.get("line")) for row in output] == [
        *(1, *range(1, 70), 71, *range(71, 150), 151, *range(151, 300))
    ]
    assert {row["message"] for row in output if row.get("line") in (1, 151)} == {
        f"WorkerDiedError: its worker process {cause}"
    }
    assert f"a worker process of processor 'work' {cause}" in caplog.text


def test_processes_that_are_killed_from_outside(tmp_path: Path) -> None:
    """A record that was being processed is processed again."""
    records = [*numbered(50), {"id": 50, "wait": str(tmp_path)}, *numbered(50)]
    done: list[bytes] = []
    thread = threading.Thread(
        target=lambda: done.append(processed(lines_of(*records), workers=2, on_error="emit"))
    )
    thread.start()
    wait_until(lambda: waiting(tmp_path))
    (pid,) = waiting(tmp_path)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(waiting(tmp_path)) == 2)
    (tmp_path / "go").touch()
    thread.join()
    assert rows(done[0]) == records


def test_a_stream_that_is_closed_does_not_wait(tmp_path: Path) -> None:
    records = [{"id": 0}, {"id": 1, "wait": str(tmp_path)}]
    with closing(forstcore.process(lines_of(*records), worker_routes.work, workers=1)) as outputs:
        assert rows(next(outputs)) == [{"id": 0}]
        wait_until(lambda: waiting(tmp_path))
    (pid,) = waiting(tmp_path)
    wait_until(lambda: not children.lives(pid))


def test_idle_processes_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def pid(seconds: float) -> int:
        monkeypatch.setattr(process_pool, "_IDLE_SECONDS", seconds)
        (row,) = rows(processed(b"{}\n", "pid", worker_kind="processes", workers=1))
        found: int = row["pid"]
        return found

    first = pid(1000)
    assert pid(0.1) == first
    # The timer of the first stream is still running.
    for pool in list(process_pool._pools.values()):
        pool._look_again()
    wait_until(lambda: not children.lives(first))
    assert pid(1000) != first


def test_processes_of_a_function_end_with_the_stream() -> None:
    (row,) = rows(processed(b"{}\n", worker_routes.pid, worker_kind="processes", workers=1))
    wait_until(lambda: not children.lives(row["pid"]))
    assert not process_pool._pools


PROGRAM = """
import sys, forstcore
from tests.processors import worker_routes
lines = b'{"id":0,"wait":"%s"}\\n' % sys.argv[1].encode()
print(b"".join(forstcore.process(lines, worker_routes.work)))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_they_end_with_their_parent(tmp_path: Path, number: int) -> None:
    program = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    with children.started(program, cwd=ROOT) as parent:
        wait_until(lambda: waiting(tmp_path))
        (pid,) = waiting(tmp_path)
        assert children.lives(pid)
        parent.send_signal(number)
        parent.wait(timeout=60)
        wait_until(lambda: not children.lives(pid))


def test_signals_for_all_processes_are_for_the_parent(tmp_path: Path) -> None:
    """A service manager sends SIGTERM to all processes, and current batches must be finished."""
    program = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    with children.started(program, cwd=ROOT, stdout=-1) as parent:
        wait_until(lambda: waiting(tmp_path))
        (pid,) = waiting(tmp_path)
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
        (tmp_path / "go").touch()
        out, _ = parent.communicate(timeout=60)
        assert b'"id":0' in out
        assert waiting(tmp_path) == [pid]


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)]
)
def test_interrupting_a_command(tmp_path: Path, number: int) -> None:
    data = tmp_path / "in.ndjson"
    data.write_bytes(lines_of(*numbered(4, wait=str(tmp_path))))
    command = [
        *(sys.executable, "-m", "forstcore", "process", str(data), "--workers", "2"),
        *("--worker-kind", "processes", "--processors", "tests.processors.worker_routes"),
        *("--processor", "work"),
    ]
    with children.started(command, cwd=ROOT, stderr=-1) as process:
        wait_until(lambda: len(waiting(tmp_path)) == 2)
        pids = waiting(tmp_path)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        assert b"Traceback" not in said
        assert process.returncode in (128 + number, -number)
    wait_until(lambda: not any(map(children.lives, pids)))


# ---------------------------------------------------------------- the log


def test_log_records_reach_the_log_of_the_parent(caplog: pytest.LogCaptureFixture) -> None:
    processed(lines_of({"id": 1, "log": "hello"}, {"id": 2, "refuse": "no"}))
    (said,) = (record for record in caplog.records if record.name == "tests.worker")
    assert (said.getMessage(), said.levelno) == ("says hello", logging.WARNING)
    assert said.process != os.getpid()
    (failed,) = (record for record in caplog.records if record.name == "forstcore.processors")
    assert failed.getMessage() == "processor 'work' failed on line 2"
    assert "ValueError: no" in caplog.text
    assert "worker_routes.py" in caplog.text


def test_failures_are_logged_at_a_limited_rate(caplog: pytest.LogCaptureFixture) -> None:
    processed(lines_of(*numbered(3000, refuse="no")), workers=2)
    logged = [record for record in caplog.records if record.name == "forstcore.processors"]
    shown = [record for record in logged if "failed on line" in record.getMessage()]
    assert 5 <= len(shown) < 1000
    left_out = sum(
        int(word)
        for record in logged
        for word in record.getMessage().replace(";", " ").split()
        if word.isdigit() and f"{word} more" in record.getMessage()
    )
    assert len(shown) + left_out == 3000


# ---------------------------------------------------------------- memory


def test_memory_of_any_size() -> None:
    writer, reader = (SharedMemory(memory) for memory in twins())
    for size in (0, 1, 5000, 3_000_000, 10, 600_000, 5_000_000, 0, 1):
        data = os.urandom(size)
        writer.write(data)
        assert reader.read(size) == data
    assert os.fstat(writer._descriptor).st_size < 1 << 20
    writer.close()
    reader.close()


def twins() -> tuple[int, int]:
    memory = new_memory()
    return memory, os.dup(memory)


def test_no_descriptor_is_left(count_descriptors: Callable[[], int]) -> None:
    processed(lines_of(*numbered(10)))
    before = count_descriptors()
    processed(lines_of(*numbered(10), {"exit": 1}), workers=2)
    wait_until(lambda: count_descriptors() <= before)


@pytest.fixture
def count_descriptors() -> Callable[[], int]:
    place = Path("/proc/self/fd")
    if not place.exists():
        pytest.skip("needs /proc")
    return lambda: len(list(place.iterdir()))
