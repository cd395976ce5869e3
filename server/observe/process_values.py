"""Memory, CPU time and file descriptors of this process, under Prometheus's standard names.

prometheus_client has them, too, but omits them when several processes share their metrics.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

__all__ = ["PROCESS_VALUES", "process_values"]

PROCESS_VALUES: dict[str, tuple[type[Counter] | type[Gauge], str]] = {
    "process_cpu_seconds": (Counter, "CPU time of all processes in seconds."),
    "process_resident_memory_bytes": (Gauge, "Resident memory of all processes."),
    "process_virtual_memory_bytes": (Gauge, "Virtual memory of all processes."),
    "process_open_fds": (Gauge, "Open file descriptors of all processes."),
    "process_max_fds": (Gauge, "File descriptors that all processes can open."),
    "process_start_time_seconds": (Gauge, "Start of the oldest process, in seconds since 1970."),
}
"""Kind and help of each metric."""

_COLLECTOR = ProcessCollector(registry=CollectorRegistry())


def process_values() -> dict[str, float]:
    """Return the values of this process; none where there is no /proc."""
    return {
        family.name: family.samples[0].value
        for family in _COLLECTOR.collect()
        if family.name in PROCESS_VALUES and family.samples
    }
