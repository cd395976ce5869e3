"""`forstcore info`: installed versions, the CPU path in use, the configuration, processors."""

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
from forstcore import _proc, wire
from forstcore._core.native_processors import ABI
from forstcore.cli._compilation import lines_of, load_reports, report_as_json
from forstcore.config import StreamingConfig, options_of

__all__ = ["command"]

# Optional libraries, and the extra that installs each.
_LIBRARIES = {
    "aiohttp": "",
    "click": "",
    "prometheus-client": "",
    "xxhash": "",
    "backports.zstd": "",
    "orjson": "orjson",
    "msgspec": "typed",
    "redis": "redis",
    "confluent-kafka": "kafka",
    "dask": "dask",
    "distributed": "dask",
    "fsspec": "dask",
}

_EPILOG = """\b
Examples:
  forstcore info
  forstcore info routes.py --json | jq .processors
"""


@click.command(epilog=_EPILOG)
@click.argument("modules", metavar="[MODULE]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(modules: tuple[str, ...], as_json: bool) -> None:
    """Show versions, the CPU path in use, the effective configuration, and processors.

    MODULE is a module with processors: the path of its file, its name, or an entry point. Whether
    each is compiled is shown, and if not, why.
    """
    processors = load_reports(modules)
    report: dict[str, Any] = {
        "forstcore": forstcore.__version__,
        "python": f"{platform.python_version()} ({platform.python_implementation()}"
        f"{', free-threaded' if sysconfig.get_config_var('Py_GIL_DISABLED') else ''})",
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "scan_path": _proc.scan_path(),
        "scan_paths": list(_proc.scan_paths()),
        "wire_version": int(wire.FRAMES_VERSION),
        "c_interface": ABI,
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
        report["processors"] = [report_as_json(*each) for each in processors.items()]
        json.dump(report, sys.stdout, indent=2)
        print()
        return
    for name, value in report.items():
        _show(name, value)
    print("processors:" if processors else "processors: none; name their modules to see them here")
    for line in lines_of(processors):
        print(f"  {line}")


def _show(name: str, value: Any) -> None:
    if isinstance(value, dict):
        print(f"{name}:" if value else f"{name}: none")
        for inner, each in value.items():
            print(f"  {inner}: {_not_installed(inner) if each is None else each}")
    else:
        print(f"{name}: {', '.join(value) if isinstance(value, list) else value}")


def _not_installed(name: str) -> str:
    extra = _LIBRARIES.get(name)
    return f"not installed (pip install 'forstcore[{extra}]')" if extra else "not installed"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
