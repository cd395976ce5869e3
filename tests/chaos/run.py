"""One chaos run: feed a pipeline, cause faults, and compare its results with its records."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.ledger import Ledger, check_dead_letters, check_results, has_all_dead_letters
from tests.chaos.member import Member
from tests.chaos.peers import MAKERS, Peer
from tests.chaos.plan import PROCESS, Event, draw
from tests.chaos.records import broken
from tests.chaos.sinks import SINKS, CollectedSink, KafkaSink, RedisSink
from tests.chaos.sources import SOURCES, FedSource, KafkaGroup, RedisGroup

__all__ = ["PAIRS", "SHARED_PAIRS", "Report", "is_exactly_once", "most_doubles", "run"]

PAIRS = [f"{source}-{sink}" for source in SOURCES for sink in SINKS]
"""All pairs of a source and a sink."""

SHARED_PAIRS = [
    f"{source}-{sink}"
    for source, (kind, _) in SOURCES.items()
    if kind.can_share
    for sink, (_, peer) in SINKS.items()
    if peer
]
"""Pairs that several processes can run at once: a group reads, and the sink is no file."""

_FIRST = 400  # Records that are fed before the first event: some of each part.
_MEANWHILE = 20_000  # Records that are fed during an event of the process.
_CHUNK = 2000  # Maximum records that are fed at once.
_UNCONFIRMED = 256 << 10  # Bytes of results that may await confirmation.

_LARGEST_OUTPUT = 1 << 20  # Bytes of results that a process may be writing besides.
_RESULT_SIZE = 50  # Bytes of a result, about.
# Dead letters that may come again after an event: 2 of 997 records that are being processed.
_LETTERS_AGAIN = 200
_PATIENCE = 120.0  # Seconds in which there has to be progress.
# Of several processes, one that is down or suspended should often lose its share of the records,
# which takes more than three seconds.
_ABSENCE = 4.0  # Times as long as an event otherwise lasts.


def is_exactly_once(source: type[FedSource], sink: type[CollectedSink]) -> bool:
    """Return whether the delivery table promises each result exactly once."""
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
    """The findings of a run.

    Attributes:
        pair: the source and the sink.
        records: how many records were fed.
        events: what happened.
        ledger: how results and records compare.
        runs: how many processes have run the pipeline, one after the other or together.
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


def run(
    pair: str, records: int, events: int, seed: int, directory: Path, members: int = 1
) -> Report:
    """Carry out a run.

    Args:
        pair: one of `PAIRS`, or of `SHARED_PAIRS` for more than one process.
        records: how many records to feed.
        events: how many things happen.
        seed: what happens follows from it.
        directory: an empty one, for all files.
        members: number of processes that run the pipeline at the same time.
    """
    started = time.monotonic()
    with ExitStack() as stack:
        chaos = _Chaos(pair, records, events, seed, directory, members, stack)
        try:
            chaos.run()
        except AssertionError as error:
            chaos.report.wrong.append(str(error))
        chaos.report.seconds = time.monotonic() - started
        return chaos.report


class _Chaos:
    def __init__(
        self,
        pair: str,
        records: int,
        events: int,
        seed: int,
        directory: Path,
        members: int,
        stack: ExitStack,
    ) -> None:
        source_name, _, sink_name = pair.rpartition("-")
        (make_source, source_kind), (make_sink, sink_kind) = SOURCES[source_name], SINKS[sink_name]
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
        self._chance = random.Random(f"{seed} members")
        self._members = [self._member(number) for number in range(members)]
        for each in self._members:
            stack.callback(each.close)

    def _member(self, number: int) -> Member:
        """Return a process that is not started; the first one has the files of source and sink."""
        directory = self._work
        if number:
            directory = directory.with_name(f"work-{number}")
            directory.mkdir()
        source = self._source.url_of(number)
        return Member(directory, source, self._sink.url, _UNCONFIRMED)

    def run(self) -> None:
        """Feed the source while things happen, wait until all is processed, and compare."""
        size = self._sink.size()
        for each in self._members:
            each.start()
        # Files that are rotated before the pipeline has found them are not read.
        fed = min(_FIRST, self.report.records)
        self._feed(0, fed)
        self._wait_for_progress(size, "anything happens")
        if self._source.keeps_offsets and not self._sink.keeps_offsets:
            (member,) = self._members
            self._wait_until(lambda: member.has_saved_offset, "no offset is saved")
        size = self._sink.size()
        for event in self.report.events:
            if event.at > fed:
                self._feed(fed, event.at)
                fed = event.at
                self._wait_for_progress(size, str(event))
            if event.target == PROCESS:
                # More records arrive while the process is down or suspended.
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
        for each in self._members:
            each.end()
        self._compare()

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
        member = self._chance.choice(self._members)
        patience = event.seconds * (_ABSENCE if len(self._members) > 1 else 1)
        if event.action == "stop":
            member.suspend(patience)
            return
        if event.action == "end":
            member.end()
        else:
            member.kill()
        time.sleep(patience / 3)
        member.start()

    def _check_running(self) -> None:
        for each in self._members:
            each.check_running()

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
        return b"".join(each.letters() for each in self._members)

    def _compare(self) -> None:
        report = self.report
        report.runs = sum(each.runs for each in self._members)
        report.memory = max(each.memory for each in self._members)
        ledger = report.ledger = check_results(self._sink.results(), report.records)
        report.wrong += ledger.wrong
        if ledger.doubles and self._is_exactly_once:
            report.wrong.append(f"{ledger.doubles:,} results are there twice")
        most = len(self._members) * most_doubles(report.events) + self._sink.requested_again()
        if ledger.doubles > most:
            report.wrong.append(f"{ledger.doubles:,} doubles are more than {most:,}")
        # The results of a suspended process come late, unless the sink refuses them.
        keeps_order = self._source.keeps_order and (
            len(self._members) == 1 or (self._is_exactly_once and self._source.shares_parts)
        )
        if ledger.disordered and keeps_order:
            report.wrong.append(f"{ledger.disordered:,} results are out of order")
        letters = self._letters()
        report.letters = letters.count(b"\n")
        again = report.letters - len(broken(report.records))
        if again > len(report.events) * _LETTERS_AGAIN:
            report.wrong.append(f"{again:,} dead letters came again")
        sources = [self._source.url_of(number) for number in range(len(self._members))]
        report.wrong += check_dead_letters(letters, report.records, sources, report.runs)
