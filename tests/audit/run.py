"""One audit: start everything, cause the planned faults, recover, and compare the logs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

from tests.audit.half_duplex import HalfDuplex
from tests.audit.plan import Event, Plan
from tests.audit.processes import Child, fake_clock_library, in_own_mounts
from tests.audit.report import Report
from tests.oracle import account, make_lines

__all__ = ["run"]

_TIMEOUT = 3.0  # Timeout of server and client in seconds.
_DISK = 48  # Megabytes of the disk that is filled.
_HEALED = 90.0  # Seconds for the client to finish after the last fault.
_DRAIN = 2.0
_WRITES = 0.02  # Seconds between two writes to the source.
_MOST_LINES = 1000  # of a write


async def run(plan: Plan, directory: Path) -> Report:
    """Carry out a plan.

    Args:
        plan: the plan.
        directory: an empty directory for the logs.
    """
    audit = _Audit(plan, directory)
    started = time.monotonic()
    try:
        await audit.run()
    finally:
        await asyncio.to_thread(audit.clean_up)
    report = audit.report
    with audit.results.open("rb") as results:
        lines = audit.source.read_bytes().splitlines(keepends=True)
        report.account = await asyncio.to_thread(account, lines, results)
    report.seconds = time.monotonic() - started
    return report


class _Audit:
    def __init__(self, plan: Plan, directory: Path) -> None:
        self.report = Report(plan)
        self.source = directory / "source.ndjson"
        self._end_of_source = directory / "source.ndjson.end"
        self.results = directory / "results.ndjson"
        self._plan = plan
        self._directory = directory
        self._spool = directory / "spool"
        self._clock = directory / "clock"
        self._server = self._make_server(0)
        self._proxy = self._make_proxy(0)
        self._client = Child("client", directory, ["tests.audit.client"])
        # An event of a process waits for the previous one of that process.
        self._locks = {name: asyncio.Lock() for name in ("server", "proxy", "client", "starved")}
        self._half_duplex: HalfDuplex | None = None
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Run the audit to its end, or until something is wrong."""
        self.source.touch()
        self.results.touch()
        self._spool.mkdir()
        self._clock.write_text("+0")
        await self._start_all()
        side = [asyncio.create_task(self._look()), asyncio.create_task(self._write())]
        watch = asyncio.create_task(self._watch())
        happen = asyncio.create_task(self._happen())
        try:
            await asyncio.wait([happen, watch], return_when=asyncio.FIRST_COMPLETED)
            if not watch.done():
                await self._heal()
                await asyncio.wait([watch], timeout=_HEALED)
            if not watch.done():
                self.report.wrong.append(f"the client goes on {_HEALED:g} s after the last event")
        finally:
            # Wait for current events, which would otherwise start processes that are never ended.
            self._over.set()
            await happen
            for task in (*side, watch):
                task.cancel()
            await asyncio.wait([*side, watch])
        if self._half_duplex is not None:
            await asyncio.to_thread(self._half_duplex.stop)
        if not self.report.wrong:
            await self._nothing_is_left()

    async def _start_all(self) -> None:
        await asyncio.to_thread(self._server.start)
        port = int(self._server.found)
        self._server.command = self._make_server(port).command
        self._proxy = self._make_proxy(port)
        await asyncio.to_thread(self._proxy.start)
        setup = self._plan.setup
        self._client.command += [
            *("--url", f"http://127.0.0.1:{self._proxy.found}", "--endpoint", setup.endpoint),
            *("--source", str(self.source), "--results", str(self.results)),
            *("--chunk-size", str(setup.chunk_size), "--timeout", str(_TIMEOUT)),
            *(["--compression"] if setup.compression else []),
        ]
        await asyncio.to_thread(self._client.start)
        self.report.runs = 1
        self._half_duplex = HalfDuplex(port)

    def _make_server(self, port: int) -> Child:
        setup = self._plan.setup
        env = {}
        library = fake_clock_library()
        if setup.fake_clock and library is not None:
            env = {
                "LD_PRELOAD": library,
                "FAKETIME_TIMESTAMP_FILE": str(self._clock),
                "FAKETIME_CACHE_DURATION": "1",
                # On Linux only the time of day can jump. SIGSTOP covers a process that was not run
                # for a while.
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        command = [
            *("server", "--port", str(port), "--processes", str(setup.processes)),
            *("--timeout", str(_TIMEOUT), "--stall", "0.3", "--heartbeat", "0.5"),
            *("--drain-timeout", str(_DRAIN), "--takeover", setup.takeover),
            *("--spool-dir", str(self._spool), "--no-dashboard"),
        ]
        before = in_own_mounts(self._spool, _DISK) if setup.tiny_disk else []
        ready = r"listens on http://127\.0\.0\.1:(\d+)"
        return Child("server", self._directory, command, ready, before=before, env=env)

    def _make_proxy(self, server: int) -> Child:
        most = 10_000 if self._plan.setup.compression else 100_000
        command = [
            *("tests.faults", "--to", str(server), "--most", str(most)),
            *("--seed", str(self._plan.seed)),
        ]
        return Child("proxy", self._directory, command, r"listens on port (\d+)")

    async def _write(self) -> None:
        """Add to the source: in bursts, one by one, and at times nothing."""
        chance = random.Random(self._plan.seed)
        number = 0
        end = time.monotonic() + self._plan.seconds
        with self.source.open("ab", buffering=0) as log:
            while time.monotonic() < end:
                count = chance.choice((0, 1, 7, _MOST_LINES, _MOST_LINES))
                log.write(make_lines(chance, number, count))
                number += count
                await asyncio.sleep(_WRITES if chance.random() > 0.005 else 1.0)
        self._end_of_source.touch()

    async def _watch(self) -> None:
        """Wait for the end of the client, which must succeed or be caused by the audit."""
        while True:
            await asyncio.sleep(0.1)
            async with self._locks["client"]:
                status = self._client.status()
            if status == 0:
                return
            if status is not None:
                self.report.wrong.append(
                    f"the client gave up with status {status}; see {self._client.log}"
                )
                return

    async def _look(self) -> None:
        while True:
            for child in (self._server, self._proxy, self._client):
                child.look()
            await asyncio.sleep(0.1)

    async def _happen(self) -> None:
        """Cause each planned event when it is due."""
        started = time.monotonic()
        happening = []
        for event in self._plan.events:
            if await self._is_over(started + event.at - time.monotonic()):
                break
            happening.append(asyncio.create_task(self._do(event)))
        await self._is_over(started + self._plan.seconds - time.monotonic())
        for each in happening:
            await each

    async def _is_over(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), max(0.0, seconds))
        return self._over.is_set()

    async def _do(self, event: Event) -> None:
        child = {"server": self._server, "proxy": self._proxy, "client": self._client}[event.target]
        starves = event.action in ("full disk", "no descriptors", "clock")
        async with self._locks["starved" if starves else event.target]:
            if child.status() is not None and event.target != "server":
                # It has already ended, or has to be inspected in its current state.
                return
            self.report.events[f"{event.target} {event.action}"] += 1
            if event.action == "clock":
                self._clock.write_text(f"{event.jump:+d}")
            elif event.action == "full disk":
                with child.full_disk(self._spool):
                    await asyncio.sleep(event.seconds)
            elif event.action == "no descriptors":
                with child.no_descriptors():
                    await asyncio.sleep(event.seconds)
            elif event.action == "stop":
                child.signal_all(signal.SIGSTOP)
                await asyncio.sleep(event.seconds)
                child.signal_all(signal.SIGCONT)
            elif event.action == "kill worker":
                self._kill_worker(child)
            else:
                await self._restart(event, child)

    def _kill_worker(self, child: Child) -> None:
        with contextlib.suppress(ProcessLookupError, IndexError):
            os.kill(child.workers()[0], signal.SIGKILL)

    async def _restart(self, event: Event, child: Child) -> None:
        if child.status() is not None:
            self.report.wrong.append(f"the {child.name} ended by itself; see {child.log}")
        elif event.action == "kill":
            await asyncio.to_thread(child.kill)
        else:
            await self._end(child)
        await asyncio.sleep(event.seconds)
        if child is self._proxy:
            self._go_on_as(f"{self._plan.seed} {event.at}")
        elif child is self._client:
            self.report.runs += 1
        try:
            await asyncio.to_thread(child.start)
        except RuntimeError as error:
            self.report.wrong.append(str(error))

    async def _end(self, child: Child) -> None:
        try:
            status = await asyncio.to_thread(child.end, 30)
        except subprocess.TimeoutExpired:
            self.report.wrong.append(f"the {child.name} does not end")
            child.kill_all()
        else:
            # Of several processes one may have been killed a moment before.
            killed = self._plan.setup.processes > 1 and status in (1, 9)
            if status and not killed:
                self.report.wrong.append(f"the {child.name} ended with status {status}")

    def _go_on_as(self, seed: str, *more: str) -> None:
        """Start the next proxy on the same port, with other faults than the last."""
        port = ["--port", self._proxy.found]
        self._proxy.command = [*self._proxy.command[:5], "--seed", seed, *port, *more]

    async def _heal(self) -> None:
        async with self._locks["proxy"]:
            await asyncio.to_thread(self._proxy.kill)
            self._go_on_as("none", "--count", "0")
            await asyncio.to_thread(self._proxy.start)

    async def _nothing_is_left(self) -> None:
        """Wait until the server has released all of a stream, and end it."""
        await asyncio.to_thread(self._proxy.kill)
        for _ in range(150):
            if not (held := self._server.held()):
                break
            await asyncio.sleep(0.1)
        else:
            self.report.wrong.append(f"the server holds {held} connections and spool files")
        if self._server.status() is not None:
            self.report.wrong.append(f"the server ended by itself; see {self._server.log}")
        else:
            await self._end(self._server)

    def clean_up(self) -> None:
        """End every process, and read their output."""
        for child in (self._client, self._proxy, self._server):
            child.kill_all()
            self.report.memory[child.name] = child.peak
        report = self.report
        if self._half_duplex is not None:
            self._half_duplex.stop()
            report.whole, report.cut = self._half_duplex.whole, self._half_duplex.cut
            report.wrong += self._half_duplex.wrong
        said = self._client.log.read_text() if self._client.log.exists() else ""
        report.losses = said.count("; reconnecting in ")
        if self._proxy.log.exists():
            for line in self._proxy.log.read_text().splitlines():
                words = line.split()
                if words[0] != "listens":
                    report.faults[words[0] if words[0] == "duplicate" else " ".join(words[:2])] += 1
        if self._server.log.exists():
            errors = self._server.log.read_text().count("ended by an error of the server")
            if errors:
                report.wrong.append(f"{errors} errors of the server; see {self._server.log}")
