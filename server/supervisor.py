"""Several worker processes that share the listening sockets; one that dies is replaced."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from prometheus_client import multiprocess

from forstcore.engine.worker_channel import new_memory
from forstcore.loading import CHECK_INTERVAL
from server.config import ServerConfig
from server.http.worker_loads import LOADS_VARIABLE, WorkerLoads, size_of_loads
from server.live.feed_registry import WORKER_VARIABLE
from server.observe.metrics_files import (
    METRICS_VARIABLE,
    hold_metrics,
    make_metrics_directory,
    release_metrics,
)
from server.observe.nonblocking_output import own_output
from server.process.notify import ServiceManager
from server.process.ready import address_of, announce
from server.process.reload_reports import (
    RELOADS_VARIABLE,
    Message,
    ReloadReports,
    Report,
    log_messages,
    merge_messages,
)
from server.process.signals import SupervisorSignals
from server.process.worker_slot import Worker, WorkerSlot
from server.worker import EXIT_TIMEOUT

__all__ = ["LISTENER_VARIABLE", "supervise"]

LISTENER_VARIABLE = "FORSTCORE_LISTENER_FDS"
"""Environment variable with the file descriptors of a worker's listening sockets, with commas."""

_MAIN = str(Path(__file__).with_name("__main__.py"))
_INTERVAL = 0.05  # Seconds between two checks of workers that start or reload.
_MAX_FAILURES = 5  # Replacements of a worker while none serves, before the server exits.
_CHANGES_TIMEOUT = 5.0  # Seconds for all workers to report that they have reloaded changed files.
_RELOAD_TIMEOUT = 60.0  # Seconds after which a reload is reported as done in any case.


def supervise(
    config: ServerConfig,
    listeners: Sequence[socket.socket],
    argv: Sequence[str],
    service: ServiceManager,
) -> int:
    """Run `processes` workers until SIGINT or SIGTERM.

    All workers accept from the same queues, so a waiting connection is not lost if a worker dies.

    Args:
        config: the configuration.
        listeners: the listening sockets.
        argv: the arguments of the workers.
        service: the service manager.

    Returns:
        The exit status: 0 if every worker exited with 0 after the signal, 1 if no worker serves.

    Raises:
        OSError: there is no directory for the metrics, or no worker can be started.
    """
    metrics = make_metrics_directory()
    lock = hold_metrics(metrics)
    memory = new_memory("forstcore-loads")
    os.truncate(memory, size_of_loads(config.processes))
    reports = new_memory("forstcore-reloads")
    descriptors = [listener.fileno() for listener in listeners]
    environment = {
        **os.environ,
        LISTENER_VARIABLE: ",".join(map(str, descriptors)),
        LOADS_VARIABLE: str(memory),
        RELOADS_VARIABLE: str(reports),
        METRICS_VARIABLE: metrics,
    }
    loads = WorkerLoads(memory, config.processes)
    signals = SupervisorSignals()

    def start(index: int) -> Worker:
        loads.withdraw(index)
        return subprocess.Popen(
            # With `-m`, Python would prefer a module of this name in the working directory.
            [sys.executable, _MAIN, *argv],
            pass_fds=[*descriptors, memory, reports],
            # A worker also stops when this pipe is closed, because this process was killed. Unlike
            # a signal, a message in it cannot be too early.
            stdin=subprocess.PIPE,
            env={**environment, WORKER_VARIABLE: str(index + 1)},
            # Ctrl-C signals the foreground process group. Workers are stopped by this process.
            start_new_session=True,
        )

    def clean_up(index: int, worker: Worker) -> None:
        loads.withdraw(index)
        # The gauges of a dead worker; its counters remain.
        multiprocess.mark_process_dead(worker.pid, metrics)  # type: ignore[no-untyped-call]

    slots: list[WorkerSlot] = []
    try:
        for index in range(config.processes):
            slots.append(WorkerSlot(partial(start, index), partial(clean_up, index)))
        supervisor = _Supervisor(
            config,
            address_of(config, listeners[0]),
            slots,
            loads,
            ReloadReports(reports),
            signals,
            service,
        )
        if not supervisor.start() or not supervisor.run():
            return 1
        service.is_stopping()
        for listener in listeners:
            listener.close()
        for slot in slots:
            slot.stop()
        timeout = config.drain_delay + config.drain_timeout + EXIT_TIMEOUT
        return max(slot.wait(timeout) for slot in slots)
    finally:
        for slot in slots:
            slot.kill()
        release_metrics(metrics, lock)


class _Supervisor:
    """The states of a supervisor; see `supervise`."""

    def __init__(
        self,
        config: ServerConfig,
        address: str,
        slots: Sequence[WorkerSlot],
        loads: WorkerLoads,
        reports: ReloadReports,
        signals: SupervisorSignals,
        service: ServiceManager,
    ) -> None:
        self._config = config
        self._address = address
        self._slots = slots
        self._loads = loads
        self._reports = reports
        self._signals = signals
        self._service = service
        self._reload_until: float | None = None
        self._changes_until: float | None = None
        # The reports about changed files that have been logged.
        self._seen: dict[int, Report] = {}

    def start(self) -> bool:
        """Wait until all workers serve; return False if one ends before that."""
        while not self._signals.is_stopping:
            if all(map(self._loads.is_accepting, range(len(self._slots)))):
                self._service.is_ready(self._address)
                # Not earlier: the reader of this line may send a signal immediately.
                announce(self._config, self._address)
                break
            if ended := next(filter(None, (slot.ended for slot in self._slots)), ""):
                _log(f"{ended} before it served")
                return False
            self._signals.wait(_INTERVAL)
        return True

    def run(self) -> bool:
        """Replace workers until a signal ends the server; return False if none serves."""
        while not self._signals.is_stopping:
            self._service.is_alive()
            if self._signals.is_reload_due:
                self._signals.is_reload_due = False
                self._reload()
            self._check_reload()
            self._check_changes()
            for slot in self._slots:
                slot.check()
            if self._has_failed():
                _log(f"{self._config.processes} workers keep ending, and none serves")
                return False
            self._signals.wait(self._timeout())
        return True

    def _has_failed(self) -> bool:
        if any(map(self._loads.is_accepting, range(len(self._slots)))):
            return False
        return all(slot.failures > _MAX_FAILURES for slot in self._slots)

    def _reload(self) -> None:
        self._service.is_reloading()
        self._reload_until = time.monotonic() + _RELOAD_TIMEOUT
        for slot in self._slots:
            slot.reload()

    def _check_reload(self) -> None:
        """When all workers have reloaded, log how, and tell the service manager."""
        if self._reload_until is None:
            return
        reports = {}
        late = []
        for index, slot in enumerate(self._slots):
            report = self._reports.read(index)
            if report is not None and report.pid == slot.pid and report.number >= slot.reloads:
                reports[slot.pid] = report.messages
            elif slot.reloads and self._loads.is_accepting(index):
                late.append(Message(logging.ERROR, f"worker {slot.pid} has not reloaded yet"))
        if late and time.monotonic() < self._reload_until:
            return
        self._reload_until = None
        log_messages([*merge_messages(reports, len(reports) + len(late)), *late])
        self._service.is_ready(self._address)

    def _check_changes(self) -> None:
        """Log how workers have reloaded changed files, when all of them have reported it."""
        if not self._config.reload:
            return
        found: dict[int, Report] = {}
        has_all = True
        for index, slot in enumerate(self._slots):
            report = self._reports.read(len(self._slots) + index)
            if report is not None and report.pid == slot.pid and report != self._seen.get(index):
                found[index] = report
            elif self._loads.is_accepting(index):
                has_all = False
        if not found:
            return
        now = time.monotonic()
        if self._changes_until is None:
            self._changes_until = now + _CHANGES_TIMEOUT
        if not has_all and now < self._changes_until:
            return
        self._changes_until = None
        self._seen.update(found)
        reports = {report.pid: report.messages for report in found.values()}
        log_messages(merge_messages(reports, len(reports) if has_all else len(self._slots)))

    def _timeout(self) -> float | None:
        """Return the seconds until there is something to do other than on a signal."""
        now = time.monotonic()
        waits = [max(0.0, slot.due - now) for slot in self._slots if slot.due is not None]
        if self._service.watchdog_interval is not None:
            waits.append(self._service.watchdog_interval)
        if self._config.reload:
            waits.append(CHECK_INTERVAL)
        if self._reload_until is not None:
            waits.append(_INTERVAL)
        return min(waits, default=None)


def _log(text: str) -> None:
    with own_output():
        print(f"forstcore: {text}", file=sys.stderr, flush=True)
