"""`forstcore run`: run the pipelines of a TOML file."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Mapping, Sequence

import click

from forstcore._json_log import FORMATS, VARIABLE, error_stream, log_json
from forstcore._tracing import start_tracing, stop_tracing
from forstcore.cli import _options
from forstcore.cli._main import FAILED, Ended
from forstcore.cli._pipeline_progress import PipelineProgress
from forstcore.errors import ForstError
from forstcore.loading import Loader
from forstcore.pipelines import Pipeline, Problems, load_pipelines_and_modules, reload_processors
from forstcore.sources import without_password
from server.config import TOML_KEYS, ServerConfig

__all__ = ["command"]

_EPILOG = """\b
Examples:
  forstcore run pipelines.toml --check
  forstcore run pipelines.toml orders
"""
_INTERVAL = 0.2  # Seconds between updates of the progress.


@click.command(epilog=_EPILOG)
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False))
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--check", is_flag=True, help="Check the file, list its pipelines, and exit.")
@click.option(
    "--reload",
    is_flag=True,
    help="For development: reload modules with processors when their files change.",
)
@click.option(
    "--log-format",
    type=click.Choice(FORMATS),
    default=FORMATS[0],
    envvar=VARIABLE,
    show_default=True,
    help="Format of standard error.",
)
@click.option(
    "--tracing",
    is_flag=True,
    help="Export a span for each batch of results, by OpenTelemetry's OTLP over HTTP.",
)
@click.option(
    "--drain-timeout",
    metavar="SECONDS",
    **_options.declared(ServerConfig, "drain_timeout"),
    show_default=True,
    help="How long to wait, after a signal, for results to be confirmed.",
)
@_options.progress
def command(
    file: str,
    names: tuple[str, ...],
    check: bool,
    reload: bool,
    log_format: str,
    tracing: bool,
    drain_timeout: float,
    progress: bool | None,
) -> None:
    """Run the pipelines that a TOML file declares, or those with these names.

    Ends when all sources have ended. After Ctrl-C or SIGTERM, the results of everything read are
    written first, within --drain-timeout. A second signal ends the command immediately. Unconfirmed
    records are read again next time.
    """
    if log_format == "json":
        log_json(logging.StreamHandler(error_stream()))
        # There is nothing to redraw in a log.
        progress = False
    # The server reads the same file; the server's own options are not checked here.
    loaded = load_pipelines_and_modules(file, names, TOML_KEYS, again=reload)
    pipelines = loaded.pipelines
    if check:
        _check_sinks(file, pipelines)
        for pipeline in pipelines:
            print(_described(pipeline))
        return
    if tracing:
        start_tracing()
    try:
        run = _run(pipelines, loaded.loader if reload else None, drain_timeout, progress)
        failed, number = asyncio.run(run)
    finally:
        stop_tracing()
    if number is not None:
        raise Ended(number)
    if failed:
        click.get_current_context().exit(FAILED)


def _check_sinks(file: str, pipelines: Sequence[Pipeline]) -> None:
    """Raise PipelineConfigError if a sink is known not to be writable."""
    problems = Problems(file)
    for pipeline in pipelines:
        for key, reason in pipeline.problems():
            problems.add(reason, f"pipelines.{pipeline.config.name}", key)
    problems.check()


def _described(pipeline: Pipeline) -> str:
    config = pipeline.config
    steps = [config.source, config.processor, config.sink]
    text = " -> ".join(without_password(each) for each in steps if each)
    times = {
        True: "exactly once",
        False: "at least once",
        None: "exactly once if source and sink are in the same cluster, otherwise at least once",
    }[pipeline.is_exactly_once]
    errors = without_password(config.errors) if config.errors else "counted only"
    return f"{config.name}: {text}; {times}; errors: {errors}"


async def _run(
    pipelines: Sequence[Pipeline],
    reloaded: Loader | None,
    drain_timeout: float,
    shown: bool | None,
) -> tuple[bool, int | None]:
    """Run pipelines; return whether one has failed, and the signal that ended them."""
    progress = PipelineProgress(pipelines, shown)
    for pipeline in pipelines:
        progress.report(_described(pipeline))
    received: list[int] = []
    waits_for: dict[str, str] = {}
    loop = asyncio.get_running_loop()

    def drain(number: int) -> None:
        received.append(number)
        # A second one ends the process at once.
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)
        for pipeline in pipelines:
            pipeline.drain()
        loop.call_later(drain_timeout, cancel)

    def cancel() -> None:
        # When they have ended, it is not known any more.
        waits_for.update((each.config.name, each.waits_for) for each in pipelines)
        for task in running:
            task.cancel()

    with contextlib.suppress(NotImplementedError):  # Windows
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, drain, each)
    running = {asyncio.create_task(_until_end(each, progress, waits_for)) for each in pipelines}
    beside = [asyncio.create_task(progress.measure())]
    if reloaded is not None:
        beside.append(asyncio.create_task(reload_processors(reloaded, pipelines, progress.report)))
    results = set()
    while running:
        done, running = await asyncio.wait(running, timeout=_INTERVAL)
        results |= {task.result() for task in done}
        progress.draw()
    for task in beside:
        task.cancel()
    await asyncio.wait(beside)
    return False in results, received[0] if received else None


async def _until_end(
    pipeline: Pipeline, progress: PipelineProgress, waits_for: Mapping[str, str]
) -> bool:
    """Run a pipeline, and report how it ended; return whether it did so without an error.

    Args:
        pipeline: the pipeline.
        progress: shows it.
        waits_for: when it is cancelled, which sink has not confirmed, by the names of pipelines.
    """
    try:
        await pipeline.run()
    except asyncio.CancelledError:
        progress.end(pipeline)
        name = pipeline.config.name
        what = waits_for.get(name, "sink")
        print(f"forstcore: pipeline {name}: its {what} did not confirm in time", file=sys.stderr)
        return False
    except (ForstError, OSError) as error:
        progress.end(pipeline)
        print(f"forstcore: pipeline {pipeline.config.name}: {error}", file=sys.stderr)
        return False
    progress.end(pipeline)
    return True
