"""What operators see: logs, counters and metrics."""
