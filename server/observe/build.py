"""The versions that this server was built from."""

from __future__ import annotations

import platform

import aiohttp

import forstcore
from forstcore import _proc

__all__ = ["BUILD"]

BUILD = {
    "version": forstcore.__version__,
    "python": platform.python_version(),
    "aiohttp": aiohttp.__version__,
    "scan_path": _proc.scan_path(),
}
"""The versions of forstcore, Python and aiohttp, and the scan path in use."""
