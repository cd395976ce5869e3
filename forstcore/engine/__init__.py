"""The engine: records through Python functions, over threads or tasks, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forstcore.engine.engine import Engine, EngineOptions

__all__ = ["Engine", "EngineOptions"]


def __getattr__(name: str) -> object:
    # Imported on first use: worker processes need no event loop, which takes long to import.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from forstcore.engine import engine

    return getattr(engine, name)
