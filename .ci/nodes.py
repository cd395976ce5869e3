"""Node for the jobs of the workflows: that of this machine, or one from the npm registry.

The package `node` of the registry has its program for each platform. It brings no npm: that of this
machine runs with it.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


class NoNode(Exception):
    """The reason why there is no Node of a version."""


def folder_of(wanted: str, nodes: Path) -> Path:
    """Find or install Node; return the folder that `PATH` has to start with.

    Args:
        wanted: its major version, such as ``24``.
        nodes: where versions are kept.

    Raises:
        NoNode: there is none.
    """
    on_path = shutil.which("node")
    if on_path is not None and _major(Path(on_path)) == wanted:
        return Path(on_path).parent
    place = nodes / wanted
    folder = place / "node_modules" / "node" / "bin"
    if _major(folder / "node") == wanted:
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise NoNode(f"no Node {wanted} on this machine, and no npm to install it")
    place.mkdir(parents=True, exist_ok=True)
    log = nodes / f"{wanted}.log"
    # A script of the package puts the program in its place.
    command = [npm, "install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts=false"]
    with log.open("wb") as output:
        done = subprocess.run(
            [*command, "--prefix", str(place), f"node@{wanted}"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=place,
        )
    if done.returncode != 0 or _major(folder / "node") != wanted:
        raise NoNode(f"Node {wanted} cannot be installed: see {log}")
    return folder


def _major(program: Path) -> str:
    """Return the major version of a Node, "" if it does not run."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60)
    except OSError:
        return ""
    return done.stdout.strip().removeprefix("v").partition(".")[0]
