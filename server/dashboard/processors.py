"""The declared processors, as rows of a table."""

from __future__ import annotations

from server.streams.registry import StreamRegistry

__all__ = ["Processors"]


class Processors:
    """Report whether each processor is compiled, and what it has processed.

    Args:
        registry: the processors and the metrics.
    """

    def __init__(self, registry: StreamRegistry) -> None:
        self._registry = registry

    def look(self) -> list[dict[str, object]]:
        """Return a row for each processor, with its counters since the process started."""
        totals = self._registry.metrics.totals
        rows: list[dict[str, object]] = []
        for name, processor in sorted(self._registry.processors.items()):
            report = processor.compilation_report.without_directories()
            counts = {
                counter: totals.get((f"processor_{counter}", name), 0)
                for counter in ("records", "errors", "given_back", "seconds")
            }
            records = int(counts["records"] + counts["errors"])
            rows.append(
                {
                    "name": name,
                    "kind": processor.kind,
                    "compiled": report.compiled,
                    "reason": None if report.reason is None else str(report.reason),
                    "records": int(counts["records"]),
                    "errors": int(counts["errors"]),
                    "given_back": int(counts["given_back"]),
                    "seconds": counts["seconds"] / records if records else None,
                }
            )
        return rows
