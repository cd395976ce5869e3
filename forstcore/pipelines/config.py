"""Reading pipelines from a TOML file, and reporting all its errors together."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forstcore.config import StreamLimits, WorkerKind, option, options_of
from forstcore.errors import PipelineConfigError
from forstcore.pipelines.environment import with_environment
from forstcore.sinks import SinkLimits

__all__ = ["PipelineConfig", "PipelineFile", "Problems", "read_pipelines"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_REQUIRED = ("source", "sink")
_LIMITS = {declared.name: limits for declared, _, limits in options_of(StreamLimits)}


def _limit(name: str) -> Any:
    """Declare an option that streams have, too."""
    return field(default=getattr(StreamLimits, name), metadata={"option": _LIMITS[name]})


@dataclass(frozen=True, kw_only=True)
class PipelineConfig:
    """One pipeline, as `[pipelines.NAME]` in a TOML file declares it.

    Attributes:
        name: its name.
        filter: the records to process, as for `Filter`; empty for all.
    """

    name: str
    filter: Mapping[str, Any] = field(default_factory=dict)
    source: str = option("", "URL of the source")
    sink: str = option("", "URL of the sink for results")
    processor: str = option("", "name of the processor; none to pass records on unchanged")
    errors: str = option("", "URL of the sink for dead letters: lines that gave an error")
    start: str = option("", "where to start the first time: start, now or an offset of the source")
    workers: int = _limit("workers")
    worker_kind: WorkerKind = _limit("worker_kind")  # noqa: RUF009 (ruff does not see that it is a string)
    max_line_size: int = _limit("max_line_size")
    max_unconfirmed: int = option(
        SinkLimits().buffer_size,
        "results that may await confirmation; at this limit reading pauses",
        lowest=1 << 10,
        highest=1 << 40,
        unit="bytes",
    )
    tries: int = option(
        SinkLimits().tries,
        "how many times a refused result is tried before it becomes a dead letter",
        lowest=1,
        highest=1000,
        unit="tries",
    )


@dataclass(frozen=True, kw_only=True)
class PipelineFile:
    """The contents of a TOML file.

    Attributes:
        path: the file.
        processors: modules with processors, as for `Loader`.
        state: the directory for offsets that are not kept elsewhere.
        pipelines: the pipelines.
    """

    path: str
    processors: tuple[str, ...] = ()
    state: str = "state"
    pipelines: tuple[PipelineConfig, ...] = ()


class Problems:
    """Collect the errors in a file.

    Args:
        path: the file.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._found: list[str] = []

    def add(self, text: str, table: str = "", key: str = "") -> None:
        """Add a problem with its position."""
        place = [self._path, f"[{table}]" if table else "", key]
        self._found.append(f"{', '.join(filter(None, place))}: {text}")

    def check(self) -> None:
        """Raise PipelineConfigError if there are any."""
        if self._found:
            raise PipelineConfigError(self._found)


def read_pipelines(path: str, problems: Problems, other_keys: Collection[str] = ()) -> PipelineFile:
    """Read the file; invalid members are left out, so that others can be checked.

    Args:
        path: the file.
        problems: collects the errors.
        other_keys: top-level keys that are checked elsewhere.

    Raises:
        OSError: it cannot be read.
        PipelineConfigError: it is not TOML.
    """
    try:
        # Some editors write a byte order mark.
        table = tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise PipelineConfigError([f"{path}: is not UTF-8 text"]) from None
    except tomllib.TOMLDecodeError as error:
        raise PipelineConfigError([f"{path}: is not TOML: {error}"]) from None
    processors = table.pop("processors", [])
    if not isinstance(processors, list) or not all(
        isinstance(each, str) and each for each in processors
    ):
        problems.add("must be a list of names of modules or files", key="processors")
        processors = []
    state = table.pop("state", PipelineFile.state)
    if not isinstance(state, str) or not state:
        problems.add("must be the path of a directory", key="state")
    pipelines = table.pop("pipelines", {})
    for key in filter(lambda key: key not in other_keys, table):
        problems.add(
            "there is no such key: known are processors, state, pipelines and the server's options",
            key=key,
        )
    if not isinstance(pipelines, dict) or not pipelines:
        problems.add("there are no pipelines: declare each as a table [pipelines.NAME]")
        pipelines = {}
    found = [_pipeline(name, members, problems) for name, members in pipelines.items()]
    return PipelineFile(
        path=path,
        processors=tuple(processors),
        state=str(state),
        pipelines=tuple(each for each in found if each is not None),
    )


def _pipeline(name: str, members: Any, problems: Problems) -> PipelineConfig | None:
    table = f"pipelines.{name}"
    if not _NAME.fullmatch(name):
        problems.add(
            "the name must be up to 64 lower case letters, digits, '-' and '_', and start with a "
            "letter or digit",
            table,
        )
        return None
    if not isinstance(members, dict):
        problems.add("must be a table [pipelines.NAME]", table)
        return None
    options = {
        declared.name: (kind, limits) for declared, kind, limits in options_of(PipelineConfig)
    }
    values: dict[str, Any] = {"name": name}

    def reject(key: str, text: str) -> None:
        problems.add(text, table, key)

    for key, given in members.items():
        try:
            value = with_environment(given, os.environ)
        except ValueError as error:
            reject(key, str(error))
            continue
        if key == "filter":
            if isinstance(value, dict):
                values[key] = value
            else:
                reject(key, 'must be a table of conditions, such as {level = "error"}')
        elif key not in options:
            reject(
                key, f"there is no such key: known are {', '.join(sorted([*options, 'filter']))}"
            )
        else:
            kind, limits = options[key]
            if type(value) is not kind:
                wanted = "text" if kind is str else "a whole number"
                reject(key, f"must be {wanted}, not {value!r}")
                continue
            try:
                limits.check(key, value)
            except ValueError as error:
                reject(key, str(error).removeprefix(f"{key} "))
            else:
                values[key] = value
    for key in _REQUIRED:
        if key not in members:
            reject(key, "is missing")
    return PipelineConfig(**values)
