"""The course of a soak as a picture."""

from __future__ import annotations

from pathlib import Path

from matplotlib import rcParams
from matplotlib.figure import Figure

from tests.soak.soak import Soak

__all__ = ["draw"]

_PANELS = (
    ("memory, MB", (("rss", "resident"),), 1e6),
    ("descriptors", (("descriptors", "open"),), 1),
    ("threads, tasks", (("threads", "threads"), ("tasks", "tasks of the event loop")), 1),
    ("streams", (("streams", "open"),), 1),
    ("bytes waiting, MB", (("spooled", "in spool files"), ("queued", "in memory")), 1e6),
)


def draw(seen: Soak, title: str, path: Path) -> None:
    """Draw the resources of the server over time, idle at the start and the end.

    Args:
        seen: the soak.
        title: what is written above.
        path: where to; its suffix says the format.
    """
    # Nothing that differs from one drawing of the same figures to the next.
    rcParams["svg.hashsalt"] = "forstcore"
    rcParams["svg.fonttype"] = "none"
    figure = Figure(figsize=(9, 10), layout="constrained")
    figure.suptitle(title, fontsize=11)
    course = [seen.idle, *seen.samples, seen.after]
    minutes = [each.seconds / 60 for each in course]
    closed = seen.samples[-1].seconds / 60
    panels = figure.subplots(len(_PANELS), 1, sharex=True)
    for panel, (name, lines, unit) in zip(panels, _PANELS, strict=True):
        for member, label in lines:
            panel.plot(
                minutes, [getattr(each, member) / unit for each in course],
                label=label, linewidth=0.8,
            )  # fmt: skip
        panel.axvline(closed, color="grey", linewidth=0.8, linestyle="--")
        panel.set_ylabel(name)
        panel.set_ylim(bottom=0)
        panel.grid(visible=True, linewidth=0.3)
        if len(lines) > 1:
            panel.legend(loc="best", fontsize=8)
    panels[-1].set_xlabel("minutes; from the dashed line on all streams are closed")
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
