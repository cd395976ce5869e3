"""Estimate the hardware for 100 Gbit/s, a petabyte or ten thousand streams from measured figures.

    python -m benchmarks.streams > figures.json
    python -m benchmarks.scale figures.json

prints the tables of docs/scale.md for your own figures; without a file, for those of the page. For
the last table, add the output of `python -m benchmarks.group` to the file.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

FIGURES: Final = Path(__file__).with_name("scale.json")

# Assumptions that are not measured; "assumed" in the file overrides them.
ASSUMED: Final = {
    "load": 0.7,  # utilization of a core, with headroom for bursts and failures
    "goodput": 0.94,  # of a network port: what Ethernet, IP and TCP leave with frames of 1500 bytes
    "port_gbit": 100.0,
    "disk_read_gb": 6.0,  # GB/s of one NVMe disk, in order
    "disk_write_gb": 4.0,
    "cores_of_a_machine": 64.0,
}

_RATE: Final = 12.5  # GB/s, 100 Gbit/s
_PETABYTE: Final = 1e6  # GB
_WAYS: Final = ("plain", "TLS", "gzip in", "zstd in", "gzip out", "zstd out")
_PROXIES: Final = ("nginx", "haproxy")


class Scale:
    """The tables for one set of figures.

    Args:
        figures: the output of `benchmarks.streams`.
    """

    def __init__(self, figures: dict[str, Any]) -> None:
        self._figures = figures
        self._cost: dict[str, float] = figures["cpu_seconds_per_gb"]
        self._size: dict[str, float] = figures["size_per_input"]
        self._stream: dict[str, float] = figures["bytes_of_a_stream"]
        self._assumed: dict[str, float] = {**ASSUMED, **figures.get("assumed", {})}

    def tables(self) -> list[str]:
        """Return all tables, in Markdown."""
        return [
            self._measured(),
            self._hundred_gigabits(),
            self._petabyte(),
            self._streams(),
            self._limits(),
            *([self._pipelines()] if "group" in self._figures else []),
        ]

    def _measured(self) -> str:
        rows = [
            (way, f"{self._cost[way]:.2f}", f"{1 / self._cost[way]:.2f}")
            for way in (*_WAYS, *_PROXIES)
            if way in self._cost
        ]
        return _table(("a stream", "CPU s / GB", "GB/s of a core"), rows)

    def _hundred_gigabits(self) -> str:
        rows = []
        for way in _WAYS:
            coding, _, side = way.partition(" ")
            size_in = self._size[coding] if side == "in" else 1.0
            size_out = self._size[f"{coding} results" if side == "out" else "results"]
            port = self._assumed["port_gbit"] * self._assumed["goodput"]
            most = max(size_in, size_out) * _RATE * 8
            rows.append(
                (
                    way,
                    f"{self._cores(way, _RATE)}",
                    f"{size_in * _RATE * 8:.0f}",
                    f"{size_out * _RATE * 8:.0f}",
                    f"{math.ceil(most / port)}",
                    *(
                        f"{self._cores(proxy, _RATE)}"
                        if way == "plain" and proxy in self._cost
                        else "–"
                        for proxy in _PROXIES
                    ),
                )
            )
        ports = f"ports of {self._assumed['port_gbit']:.0f}"
        titles = ("way", "cores", "Gbit/s in", "Gbit/s out", ports, "cores nginx", "cores HAProxy")
        return _table(titles, rows)

    def _petabyte(self) -> str:
        rows = []
        for name, hours in (("an hour", 1), ("a day", 24), ("a week", 168)):
            rate = _PETABYTE / hours / 3600
            cores = self._cores("plain", rate)
            port = self._assumed["port_gbit"] * self._assumed["goodput"] / 8
            out = rate * self._size["results"]
            rows.append(
                (
                    name,
                    f"{rate:.1f}",
                    f"{cores}",
                    f"{self._cores('TLS', rate)}",
                    f"{math.ceil(cores / self._assumed['cores_of_a_machine'])}",
                    f"{math.ceil(out / port)}",
                    f"{math.ceil(rate / self._assumed['disk_read_gb'])}",
                    f"{math.ceil(out / self._assumed['disk_write_gb'])}",
                )
            )
        titles = (
            *("a petabyte in", "GB/s", "cores", "cores, TLS", "machines"),
            *("ports", "disks to read", "disks to write"),
        )
        return _table(titles, rows)

    def _streams(self) -> str:
        rows = []
        for count in (1, 1_000, 10_000, 100_000):
            idle, used = self._stream["idle"], self._stream["idle after 512 KiB"]
            stopped, kernel = self._stream["stopped"], self._stream["stopped, in the kernel"]
            process = self._stream["process"]
            rows.append(
                (
                    f"{count:,}",
                    _bytes(process + count * idle),
                    _bytes(process + count * used),
                    _bytes(process + count * stopped),
                    _bytes(count * kernel),
                    f"{math.ceil(count * self._stream['descriptors']):,}",
                )
            )
        titles = (
            *("streams", "idle", "idle, once busy", "reader stopped"),
            *("and in the kernel", "descriptors"),
        )
        return _table(titles, rows)

    def _limits(self) -> str:
        fastest = self._figures["gb_per_second_of_a_stream"]
        waits = self._figures["p99_us_beside_busy_streams"]
        port = self._assumed["port_gbit"] * self._assumed["goodput"]
        rows = [
            ("one stream, which is one core", f"{fastest:.2f} GB/s"),
            ("streams for 100 Gbit/s, at least", f"{math.ceil(_RATE / fastest)}"),
            (
                f"input whose results fill a port of {self._assumed['port_gbit']:.0f} Gbit/s",
                f"{port / self._size['results']:.0f} Gbit/s",
            ),
            *(
                (f"one core of {proxy}", f"{1 / self._cost[proxy]:.2f} GB/s")
                for proxy in _PROXIES
                if proxy in self._cost
            ),
            *(
                (f"p99 of a lone record, beside {count} busy streams", f"{float(waited):,.0f} µs")
                for count, waited in waits.items()
            ),
        ]
        return _table(("limit", "at"), rows)

    def _pipelines(self) -> str:
        group: dict[str, float] = self._figures["group"]
        rows = []
        for rate in (10_000, 100_000, 1_000_000, 10_000_000):
            cores, broker_cores = (
                math.ceil(rate * group[name] / 1e6 / self._assumed["load"])
                for name in ("cpu_us_per_record", "broker_cpu_us_per_record")
            )
            gigabits = rate * group["record_bytes"] * 8 / 1e9
            rows.append((f"{rate:,}", f"{gigabits:.2f}", f"{cores}", f"{cores}", f"{broker_cores}"))
        titles = ("records/s", "Gbit/s in", "processes", "partitions, at least", "cores Kafka")
        return _table(titles, rows)

    def _cores(self, way: str, rate: float) -> int:
        """Return the number of cores for an input rate in GB/s."""
        return math.ceil(rate * self._cost[way] / self._assumed["load"])


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    aligned = ["---", *["--:"] * (len(titles) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (titles, aligned, *rows))


def _bytes(count: float) -> str:
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if count >= 10 else f"{count:.1f} {unit}"
    raise AssertionError


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("figures", nargs="?", type=Path, default=FIGURES, metavar="FILE")
    options = parser.parse_args()
    print("\n\n".join(Scale(json.loads(options.figures.read_text())).tables()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
