"""One chaos run: feed a pipeline, cause faults, and compare its results with its records."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests import children
from tests.chaos.ledger import Ledger, check_dead_letters, check_results, has_all_dead_letters
from tests.chaos.peers import MAKERS, Peer
from tests.chaos.plan import PROCESS, Event, draw
from tests.chaos.records import PROCESSORS, broken
from tests.chaos.sinks import SINKS, CollectedSink, KafkaSink, RedisSink
from tests.chaos.sources import SOURCES, FedSource, KafkaGroup, RedisGroup
from tests.cli.conftest import command, environment

__all__ = ["PAIRS", "Report", "is_exactly_once", "most_doubles", "run"]

PAIRS = [f"{source}-{sink}" for source in SOURCES for sink in SINKS]
"""All pairs of a source and a sink."""

_FIRST = 400  # Records that are fed before the first event: some of each part.
_MEANWHILE = 20_000  # Records that are fed during an event of the process.
_CHUNK = 2000  # Maximum records that are fed at once.
_UNCONFIRMED = 256 << 10  # Bytes of results that may await confirmation.

_LARGEST_OUTPUT = 1 << 20  # Bytes of results that a process may be writing besides.
_RESULT_SIZE = 50  # Bytes of a result, about.
# Dead letters that may come again after an event: 2 of 997 records that are being processed.
_LETTERS_AGAIN = 200
_PATIENCE = 120.0  # Seconds in which there has to be progress.
_DRAIN = 60.0  # Seconds in which a process has to end after SIGTERM.


def is_exactly_once(source: type[FedSource], sink: type[CollectedSink]) -> bool:
    """Return whether the delivery table says that each result is there once."""
    # Kafka and Redis acknowledge the input of a group together with adding its results.
    both = ((KafkaGroup, KafkaSink), (RedisGroup, RedisSink))
    if any(issubclass(source, one) and issubclass(sink, other) for one, other in both):
        return True
    return sink.keeps_offsets and source.keeps_offsets


def most_doubles(events: Sequence[Event]) -> int:
    """Return how many results may be there twice after these events, at least once."""
    # After SIGTERM a process waits until everything is confirmed.
    causes = [each for each in events if (each.target, each.action) != (PROCESS, "end")]
    return len(causes) * (_UNCONFIRMED + _LARGEST_OUTPUT) // _RESULT_SIZE


@dataclass
class Report:
    """What a run has found.

    Attributes:
        pair: the source and the sink.
        records: how many records were fed.
        events: what happened.
        ledger: how results and records compare.
        runs: how many processes have run the pipeline.
        letters: how many dead letters there were; more than expected if some came again.
        memory: the most that a process had, in bytes.
        seconds: how long it took.
        wrong: what is wrong, in words; empty if all is as documented.
    """

    pair: str
    records: int
    events: Sequence[Event]
    ledger: Ledger = field(default_factory=Ledger)
    runs: int = 0
    letters: int = 0
    memory: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        ledger = self.ledger
        found = (
            f"{self.pair}: {self.records:,} records, {len(self.events)} events, {self.runs} "
            f"processes: {ledger.lost:,} lost, {ledger.doubles:,} doubles, {ledger.disordered:,} "
            f"out of order; {self.letters:,} dead letters for {len(broken(self.records)):,} broken "
            f"lines; {self.memory >> 20} MiB; {self.seconds:.0f} s"
        )
        return "\n".join([found, *(f"  WRONG: {each}" for each in self.wrong[:20])])


def run(pair: str, records: int, events: int, seed: int, directory: Path) -> Report:
    """Carry out a run.

    Args:
        pair: one of `PAIRS`.
        records: how many records to feed.
        events: how many things happen.
        seed: what happens follows from it.
        directory: an empty one, for all files.
    """
    started = time.monotonic()
    with ExitStack() as stack:
        chaos = _Chaos(pair, records, events, seed, directory, stack)
        try:
            chaos.run()
        except AssertionError as error:
            chaos.report.wrong.append(str(error))
        chaos.report.seconds = time.monotonic() - started
        return chaos.report


class _Chaos:
    def __init__(
        self, pair: str, records: int, events: int, seed: int, directory: Path, stack: ExitStack
    ) -> None:
        source_name, _, sink_name = pair.rpartition("-")
        (make_source, source_kind), (make_sink, sink_kind) = SOURCES[source_name], SINKS[sink_name]
        self._directory = directory
        self._peers: dict[str, Peer] = {}
        for kind in filter(None, {source_kind: None, sink_kind: None}):
            home = directory / kind
            home.mkdir()
            self._peers[kind] = MAKERS[kind](home)
            stack.callback(self._peers[kind].close)
        self._work = directory / "work"
        self._work.mkdir()
        self._source = make_source(self._work, self._peers.get(source_kind))
        stack.callback(self._source.close)
        # About ten files in a series.
        file_size = max(20_000, records * _RESULT_SIZE // 10)
        self._sink = make_sink(self._work, self._peers.get(sink_kind), file_size)
        stack.callback(self._sink.close)
        self._is_exactly_once = is_exactly_once(make_source, make_sink)
        actions = {kind: peer.actions for kind, peer in self._peers.items()}
        self.report = Report(pair, records, draw(seed, records, events, actions))
        self._process: subprocess.Popen[bytes] | None = None
        stack.callback(self._end_process)

    def run(self) -> None:
        """Feed the source while things happen, wait until all is processed, and compare."""
        self._declare()
        size = self._sink.size()
        self._start()
        # Files that are rotated before the pipeline has found them are not read.
        fed = min(_FIRST, self.report.records)
        self._feed(0, fed)
        self._wait_for_progress(size, "anything happens")
        if self._source.keeps_offsets and not self._sink.keeps_offsets:
            self._wait_until((self._work / "state" / "chaos.json").exists, "no offset is saved")
        size = self._sink.size()
        for event in self.report.events:
            if event.at > fed:
                self._feed(fed, event.at)
                fed = event.at
                self._wait_for_progress(size, str(event))
            if event.target == PROCESS:
                # Meanwhile there is more to do for it.
                end = min(fed + _MEANWHILE, self.report.records)
                with ThreadPoolExecutor(1) as executor:
                    feeding = executor.submit(self._feed, fed, end)
                    time.sleep(event.delay)
                    self._do(event)
                    feeding.result()
                fed = end
            else:
                time.sleep(event.delay)
                self._do(event)
            size = self._sink.size()
        self._feed(fed, self.report.records)
        self._wait_until_processed()
        self._end()
        self._compare()

    def _declare(self) -> None:
        (self._work / "processors.py").write_text(PROCESSORS)
        (self._work / "pipelines.toml").write_text(
            'processors = ["processors.py"]\n'
            "[pipelines.chaos]\n"
            f'source = "{self._source.url}"\n'
            f'sink = "{self._sink.url}"\n'
            'errors = "file:errors.ndjson"\n'
            'processor = "double"\n'
            f"max_unconfirmed = {_UNCONFIRMED}\n"
        )

    def _start(self) -> None:
        self.report.runs += 1
        with (self._directory / "log").open("ab") as log:
            self._process = children.start(
                command("run", "pipelines.toml"),
                cwd=self._work,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _feed(self, first: int, end: int) -> None:
        for start in range(first, end, _CHUNK):
            self._source.feed(range(start, min(start + _CHUNK, end)))

    def _wait_for_progress(self, size: int, before: str) -> None:
        self._wait_until(lambda: self._sink.size() != size, f"there is no progress before {before}")

    def _wait_until(self, holds: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not holds():
            self._check_running()
            assert time.monotonic() < deadline, otherwise
            time.sleep(0.05)

    def _do(self, event: Event) -> None:
        self._check_running()
        if event.target != PROCESS:
            peer = self._peers[event.target]
            peer.do(next(each for each in peer.actions if each == event.action), event.seconds)
            return
        assert self._process is not None
        if event.action == "stop":
            self._process.send_signal(signal.SIGSTOP)
            time.sleep(event.seconds)
            self._process.send_signal(signal.SIGCONT)
            return
        self._look_at_memory()
        if event.action == "end":
            self._end()
        else:
            self._process.kill()
            self._process.wait()
        time.sleep(event.seconds / 3)
        self._start()

    def _end(self) -> None:
        """End the process in good order."""
        self._check_running()
        self._look_at_memory()
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(_DRAIN)
        except subprocess.TimeoutExpired:
            raise AssertionError("the process does not end after SIGTERM") from None
        # A signal that comes before the process has set a handler ends it at once.
        assert status == -signal.SIGTERM, f"the process ended with status {status}"

    def _end_process(self) -> None:
        if self._process is not None:
            children.end(self._process)

    def _check_running(self) -> None:
        assert self._process is not None
        status = self._process.poll()
        assert status is None, f"the process ended by itself with status {status}: {self._log()}"

    def _log(self) -> str:
        return (self._directory / "log").read_text()[-2000:]

    def _look_at_memory(self) -> None:
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status")
        found = re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.exists() else None
        if found:
            self.report.memory = max(self.report.memory, int(found[1]) << 10)

    def _wait_until_processed(self) -> None:
        """Wait until each record has a result or a dead letter, or there is no more progress."""
        size, changed_at = self._sink.size(), time.monotonic()
        while True:
            started = time.monotonic()
            ledger = check_results(self._sink.results(), self.report.records)
            if not ledger.lost and has_all_dead_letters(self._letters(), self.report.records):
                return
            self._check_running()
            now = time.monotonic()
            if (found := self._sink.size()) != size:
                size, changed_at = found, now
            elif now - changed_at > _PATIENCE:
                return
            time.sleep(max(0.1, now - started))

    def _letters(self) -> bytes:
        path = self._work / "errors.ndjson"
        # The last line may be half written.
        return b"".join(path.read_bytes().rpartition(b"\n")[:2]) if path.exists() else b""

    def _compare(self) -> None:
        report = self.report
        ledger = report.ledger = check_results(self._sink.results(), report.records)
        report.wrong += ledger.wrong
        if ledger.doubles and self._is_exactly_once:
            report.wrong.append(f"{ledger.doubles:,} results are there twice")
        most = most_doubles(report.events) + self._sink.requested_again()
        if ledger.doubles > most:
            report.wrong.append(f"{ledger.doubles:,} doubles are more than {most:,}")
        if ledger.disordered and self._source.keeps_order:
            report.wrong.append(f"{ledger.disordered:,} results are out of order")
        letters = self._letters()
        report.letters = letters.count(b"\n")
        again = report.letters - len(broken(report.records))
        if again > len(report.events) * _LETTERS_AGAIN:
            report.wrong.append(f"{again:,} dead letters came again")
        report.wrong += check_dead_letters(letters, report.records, self._source.url, report.runs)
