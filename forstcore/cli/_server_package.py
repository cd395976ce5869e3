"""Finding the package of the server, which has a common name."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import forstcore

__all__ = ["import_server_package"]


def import_server_package() -> None:
    """Import the package `server` that was installed with this one.

    Another one may come first in the search path: that of a project on PYTHONPATH. Once the package
    is imported, its modules are found, too.
    """
    root = str(Path(forstcore.__file__).parents[1])
    sys.path.insert(0, root)
    try:
        importlib.import_module("server")
    finally:
        sys.path.remove(root)
