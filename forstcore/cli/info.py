"""`forstcore info`: installed versions, the CPU path in use, and the configuration."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sys
import sysconfig
from typing import Any

import click

import forstcore
from forstcore import _proc
from forstcore.config import StreamingConfig, options_of

__all__ = ["command"]

_LIBRARIES = (
    "aiohttp",
    "click",
    "orjson",
    "msgspec",
    "redis",
    "nats-py",
    "backports.zstd",
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(as_json: bool) -> None:
    """Show versions, the CPU path in use, and the configuration that holds."""
    report = {
        "forstcore": forstcore.__version__,
        "python": f"{platform.python_version()} ({platform.python_implementation()}"
        f"{', free-threaded' if sysconfig.get_config_var('Py_GIL_DISABLED') else ''})",
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "scan_path": _proc.scan_path(),
        "scan_paths": list(_proc.scan_paths()),
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "client": {
            declared.name: getattr(StreamingConfig(), declared.name)
            for declared, _, _ in options_of(StreamingConfig)
        },
        "variables": {
            name: "set" if "TOKEN" in name else value
            for name, value in sorted(os.environ.items())
            if name.startswith("FORSTCORE_")
        },
    }
    if as_json:
        json.dump(report, sys.stdout, indent=2)
        print()
        return
    for name, value in report.items():
        _show(name, value)


def _show(name: str, value: Any) -> None:
    if isinstance(value, dict):
        print(f"{name}:" if value else f"{name}: none")
        for inner, each in value.items():
            print(f"  {inner}: {'not installed' if each is None else each}")
    else:
        print(f"{name}: {', '.join(value) if isinstance(value, list) else value}")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
