"""Finding the package of the server, which has a common name."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import forstcore

__all__ = ["import_server_package"]


def import_server_package() -> None:
    """Import the package `server` that was installed with this one.

    A project on PYTHONPATH may have another package of that name, which comes first in the search
    path. Once the right package is imported, its modules are found, too.
    """
    root = str(Path(forstcore.__file__).parents[1])
    sys.path.insert(0, root)
    try:
        importlib.import_module("server")
    finally:
        sys.path.remove(root)
