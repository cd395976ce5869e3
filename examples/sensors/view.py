"""A live view in the terminal: the last reading of each sensor, received through forstcore.

python examples/sensors/view.py --level high
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from forstcore import ForstStreamingClient, StreamingIntegration

HOME, CLEAR_REST = "\x1b[H\x1b[2J", "\x1b[J"


def draw(readings: dict[str, dict[str, Any]], count: int) -> str:
    """Draw a bar for each sensor."""
    lines = [f"{count} readings"]
    for name, reading in sorted(readings.items()):
        bar = "█" * max(0, round((reading["celsius"] - 10) * 2))
        lines.append(f"{name:<12} {reading['celsius']:6.2f} °C  {reading['level']:<6}  {bar}")
    return HOME + "\n".join(lines) + CLEAR_REST


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="http://127.0.0.1:8080")
    parser.add_argument("--level", help="show only readings of this level")
    parser.add_argument("--count", type=int, default=0, help="readings to show, 0 for no end")
    options = parser.parse_args()

    wanted: dict[str, Any] = {"source": "sensors", "processor": "pass"}
    if options.level:
        wanted["filters"] = {"level": options.level}
    integration = StreamingIntegration(ForstStreamingClient(options.server))
    readings: dict[str, Any] = {}
    try:
        with integration.process_real_time_data(wanted) as results:
            for count, result in enumerate(results, 1):
                reading: dict[str, Any] = dict(result)
                readings[reading["id"]] = reading
                if sys.stdout.isatty():
                    print(draw(readings, count), end="", flush=True)
                else:
                    print(reading["id"], reading["data"], reading["level"], flush=True)
                if count == options.count:
                    return
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
