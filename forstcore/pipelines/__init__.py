"""Pipelines: from a source through a filter and a processor to a sink, until the source ends.

An input is acknowledged, or its offset saved, only after its results are confirmed by the sink and
its rejected lines by the sink for dead letters.
"""

from __future__ import annotations

from forstcore.pipelines.config import PipelineConfig, PipelineFile, Problems
from forstcore.pipelines.dead_letters import LastError
from forstcore.pipelines.loading import load_pipelines, load_pipelines_and_modules
from forstcore.pipelines.pipeline import Pipeline
from forstcore.pipelines.reloading import reload_processors, take_processors

__all__ = [
    "LastError",
    "Pipeline",
    "PipelineConfig",
    "PipelineFile",
    "Problems",
    "load_pipelines",
    "load_pipelines_and_modules",
    "reload_processors",
    "take_processors",
]
