"""Creating the pipelines that a TOML file declares."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from forstcore._core.filter import Filter
from forstcore._proc import PASS_ON
from forstcore.errors import FilterError, LoadError, OffsetError, SinkError, SourceError
from forstcore.loading import Loader
from forstcore.pipelines.config import PipelineConfig, PipelineFile, Problems, read_pipelines
from forstcore.pipelines.loops import feeds
from forstcore.pipelines.pipeline import Pipeline
from forstcore.processors import BUILT_IN, Processor
from forstcore.sinks import Sink, SinkLimits, open_sink
from forstcore.sources import Source, SourceLimits, open_source, place_of
from forstcore.sources._published import PublishedSource

__all__ = ["OpenMemory", "PipelinesAndModules", "load_pipelines", "load_pipelines_and_modules"]

OpenMemory: TypeAlias = Callable[[str, str], PublishedSource]
"""Returns a pipeline's reader of a source in memory, by the names of both.

Raises LookupError if there is no such source.
"""

_PASS = Processor("pass", "native", PASS_ON, takes="object", gives="object")


@dataclass(frozen=True, slots=True)
class PipelinesAndModules:
    """Pipelines, and the modules with their processors.

    Attributes:
        pipelines: the pipelines.
        loader: has loaded the modules.
    """

    pipelines: list[Pipeline]
    loader: Loader


def load_pipelines(
    path: str,
    names: Collection[str] = (),
    other_keys: Collection[str] = (),
    memory: OpenMemory | None = None,
) -> list[Pipeline]:
    """Read a TOML file and create its pipelines, without connecting or writing anything.

    All pipelines are checked, including those that are not returned.

    Args:
        path: the file.
        names: the pipelines to return; empty for all.
        other_keys: top-level keys that are checked elsewhere.
        memory: the sources in memory; None if there are none.

    Raises:
        OSError: the file cannot be read.
        PipelineConfigError: the file is invalid; the message has a line for each problem.
        LookupError: there is no pipeline of that name.
    """
    return load_pipelines_and_modules(path, names, other_keys, memory).pipelines


def load_pipelines_and_modules(
    path: str,
    names: Collection[str] = (),
    other_keys: Collection[str] = (),
    memory: OpenMemory | None = None,
    *,
    again: bool = False,
) -> PipelinesAndModules:
    """Do the same as `load_pipelines`, and return the loader of the modules, too.

    Args:
        path, names, other_keys, memory: as for `load_pipelines`.
        again: whether the modules may be reloaded.

    Raises:
        OSError, PipelineConfigError, LookupError: as `load_pipelines`.
    """
    problems = Problems(path)
    file = read_pipelines(path, problems, other_keys)
    loader = Loader(file.processors, again=again)
    try:
        loader.load(reserved=(BUILT_IN.name, _PASS.name))
    except LoadError as error:
        problems.add(str(error), key="processors")
    known = {**loader.processors, BUILT_IN.name: BUILT_IN, "": _PASS, _PASS.name: _PASS}
    made = [_made(config, file, known, memory, problems) for config in file.pipelines]
    problems.check()
    found = {each.config.name: each for each in made if each is not None}
    for name in names:
        if name not in found:
            raise LookupError(f"{path} has no pipeline {name!r}; it has {', '.join(found)}")
    pipelines = [found[name] for name in dict.fromkeys(names or found)]
    _check_files(pipelines, problems)
    return PipelinesAndModules(pipelines, loader)


def _check_files(pipelines: list[Pipeline], problems: Problems) -> None:
    """Raise PipelineConfigError if two sinks would write one file.

    Only of pipelines that run together: two may take turns, as one that writes old records.
    """
    writers: dict[str, str] = {}
    for pipeline in pipelines:
        table = f"pipelines.{pipeline.config.name}"
        for key, path in pipeline.files():
            if (other := writers.setdefault(path, f"[{table}], {key}")) != f"[{table}], {key}":
                problems.add(f"is also the file of {other}: each sink needs its own", table, key)
    problems.check()


def _made(
    config: PipelineConfig,
    file: PipelineFile,
    known: dict[str, Processor],
    memory: OpenMemory | None,
    problems: Problems,
) -> Pipeline | None:
    table = f"pipelines.{config.name}"
    processor = known.get(config.processor)
    if processor is None:
        declared = ", ".join(sorted(filter(None, known)))
        problems.add(
            f"there is no processor {config.processor!r}; there are: {declared}", table, "processor"
        )
    record_filter = None
    try:
        record_filter = Filter(config.filter) if config.filter else None
    except FilterError as error:
        problems.add(str(error), table, "filter")
    # A missing URL has been reported.
    source = _source(config, memory, problems, table) if config.source else None
    sink = _sink(config, config.sink, problems, table, "sink") if config.sink else None
    errors = None
    if config.errors:
        errors = _sink(config, config.errors, problems, table, "errors")
    if source is None or sink is None or processor is None:
        return None
    try:
        sink.acknowledges(source)
    except SinkError as error:
        problems.add(error.reason, table, "sink")
    # With a filter, results may be other records than those that are processed.
    for key in ("sink", "errors") if not config.filter else ():
        url = getattr(config, key)
        if url and feeds(config.name, url, config.source):
            problems.add("writes what the source reads, so results would be read again", table, key)
    state = Path(file.state, f"{config.name}.json")
    return Pipeline(config, source, processor, record_filter, sink, errors, state)


def _source(
    config: PipelineConfig, memory: OpenMemory | None, problems: Problems, table: str
) -> Source | None:
    scheme, _, name = config.source.partition(":")
    try:
        source: Source
        if scheme == "memory":
            if memory is None:
                raise LookupError("memory: is a source of pipelines in a server only")
            source = memory(config.name, name)
        else:
            limits = SourceLimits(max_line_size=config.max_line_size)
            source = open_source(config.name, config.source, limits)
    except SourceError as error:
        problems.add(error.reason, table, "source")
        return None
    except LookupError as error:
        problems.add(str(error.args[0]), table, "source")
        return None
    try:
        if config.start:
            source.check(config.start)
    except OffsetError as error:
        problems.add(f"the source {error.reason}", table, "start")
    return source


def _sink(
    config: PipelineConfig, url: str, problems: Problems, table: str, key: str
) -> Sink | None:
    try:
        # Offsets are not stored with dead letters.
        source = place_of(config.source) if key == "sink" else ""
        limits = SinkLimits(buffer_size=config.max_unconfirmed, tries=config.tries, source=source)
        return open_sink(config.name, url, limits)
    except SinkError as error:
        problems.add(error.reason, table, key)
    except ModuleNotFoundError as error:
        problems.add(f"cannot be written: {error}", table, key)
    return None
