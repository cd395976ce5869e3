"""A cluster on this machine, for as long as something takes."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

import dask
from distributed import Client, LocalCluster

__all__ = ["local_cluster"]

# Dask has glibc give all memory back at once, which doubles the time of the built-in processor.
_ENVIRONMENT = {
    "MALLOC_TRIM_THRESHOLD_": 32 << 20,
    "MALLOC_MMAP_THRESHOLD_": 32 << 20,
    "OMP_NUM_THREADS": 1,
}


@contextmanager
def local_cluster(processes: int | None = None) -> Iterator[Client]:
    """Run a cluster of processes with a thread each.

    Args:
        processes: how many; one for each core if None.

    Yields:
        A client of it, when all are there.
    """
    several = processes or os.cpu_count() or 1
    # What goes wrong on a worker is reported as the error of a task, too.
    with (
        LocalCluster(
            n_workers=0,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        # Ctrl-C on a terminal reaches all processes; this one is to end the others.
        cluster.loop.add_callback(_leave_interrupts_to_others)
        with dask.config.set({"distributed.nanny.pre-spawn-environ": _ENVIRONMENT}):
            cluster.scale(several)
            client.wait_for_workers(several)
        yield client


def _leave_interrupts_to_others() -> None:
    """Block SIGINT in this thread, and in the processes that it starts."""
    if hasattr(signal, "pthread_sigmask"):
        # It unblocks the signal in the thread that first needs it.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
