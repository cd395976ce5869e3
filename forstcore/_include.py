"""The include directory of the header for native processors."""

from __future__ import annotations

from pathlib import Path

__all__ = ["get_include"]


def get_include() -> str:
    """Return the directory that holds ``forstcore.h``, for the compiler's include path."""
    return str(Path(__file__).parent)
