"""Observability: logs, counters and metrics."""
