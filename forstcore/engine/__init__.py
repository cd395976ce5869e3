"""The engine: records through Python functions, over threads or tasks, in order."""

from forstcore.engine.engine import Engine, EngineOptions

__all__ = ["Engine", "EngineOptions"]
