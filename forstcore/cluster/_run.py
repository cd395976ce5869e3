"""Submit the tasks of a run to the cluster, and collect their results."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, cast

from distributed import Client, as_completed

from forstcore._version import VERSION
from forstcore.cluster._blocks import Block, numbered
from forstcore.cluster._manifest import FailedLine, Part
from forstcore.cluster._packed_processor import PackedProcessor
from forstcore.cluster._part import RunConfig, count_block, make_part, sample_block
from forstcore.cluster._running_tasks import end_tasks
from forstcore.errors import ClusterError, ForstError, RecordError
from forstcore.wire import IN_PLACE_MODES

__all__ = ["check_workers", "end_run", "run", "with_columns", "with_numbers"]

_END_TIMEOUT_S: Final = 10.0
_MOST_SAMPLED: Final = 4  # Blocks that are read for the columns once there are results.


def check_workers(client: Client, packed: PackedProcessor) -> None:
    """Check that all current workers can run the tasks.

    Raises:
        ClusterError: a worker cannot; the message names it and says why.
    """

    # Nested and without references to this module, so that it is pickled by value: the worker
    # may not have forstcore.
    def version() -> str:
        import forstcore

        return forstcore.__version__

    for worker, found in _asked(client, version).items():
        if isinstance(found, BaseException):
            raise ClusterError(
                f"worker {worker} has no forstcore that can be imported ({_text(found)}): "
                f"pip install forstcore=={VERSION} there"
            )
        if found != VERSION:
            raise ClusterError(
                f"worker {worker} has forstcore {found}, and here it is {VERSION}: "
                "the versions have to be the same"
            )
    for worker, found in _asked(client, _unpacked, packed).items():
        if isinstance(found, BaseException):
            raise ClusterError(f"worker {worker}: {_text(found)}")


def with_numbers(
    client: Client, config: RunConfig, blocks: Sequence[Block], retries: int
) -> list[Block]:
    """Count lines on the cluster, and return the blocks with the numbers of their first lines.

    Blocks whose counts are not needed are skipped.

    Raises:
        ClusterError: a block could not be counted.
    """
    lines = [0] * len(blocks)
    wanted = [
        block
        for block in blocks[:-1]
        if config.on_error in IN_PLACE_MODES or block.end != block.file.size
    ]
    with _Tasks(client, count_block, wanted, config, retries) as results:
        for block, counted in results:
            lines[block.number] = counted
    return numbered(blocks, lines)


def with_columns(
    client: Client, config: RunConfig, blocks: Sequence[Block], retries: int
) -> RunConfig:
    """Find the columns of Parquet parts on the cluster, and return the settings with them.

    All parts have the same columns: those of the type of the results, or of the first results.

    Raises:
        ClusterError: a block could not be processed, or its results do not fit into columns.
        ResultFormatError: an integer in the first results is too large for a column.
    """
    for number, block in enumerate(blocks, 1):
        with _Tasks(client, sample_block, [block], config, retries) as results:
            for _, sample in results:
                config = replace(config, sample=sample)
        assert config.sample is not None
        is_enough = config.sample.results and number >= _MOST_SAMPLED
        if is_enough or config.sample.is_full:
            break
    if config.sample is not None:
        config.sample.fix()
    return config


def run(
    client: Client,
    config: RunConfig,
    blocks: Sequence[Block],
    done: dict[int, Part],
    retries: int,
    on_part: Callable[[Part], None],
) -> list[Part]:
    """Process blocks into parts on the cluster.

    Args:
        client: the client of the cluster.
        config: the settings of all tasks.
        blocks: all blocks.
        done: the existing parts, by the numbers of their blocks.
        retries: how often a failed task is retried.
        on_part: called with each new part.

    Returns:
        All parts, in the order of their blocks.

    Raises:
        ClusterError: a block could not be processed.
        RecordError: the first invalid line (``on_error="fail"``).
    """
    parts = dict(done)
    failed: tuple[Block, FailedLine] | None = None
    wanted = [block for block in blocks if block.number not in done]
    with _Tasks(client, make_part, wanted, config, retries) as results:
        for block, result in results:
            if "part" in result:
                parts[block.number] = cast(Part, result)
                on_part(parts[block.number])
            else:
                # Only a block before this one can have an earlier failure.
                failed = block, cast(FailedLine, result)
                results.drop_behind(block)
    if failed is not None:
        raise _at_its_place(*failed, parts)
    return [parts[block.number] for block in blocks]


def end_run(client: Client, config: RunConfig) -> None:
    """End the cancelled tasks of a run, which could still write to the destination.

    Waits at most 10 s: a processor may take long for a record, and a worker may be unreachable.
    """

    def ask() -> None:
        with suppress(Exception):
            client.run(end_tasks, config.run, _END_TIMEOUT_S, on_error="ignore")

    # The client itself would wait forever for a worker that does not answer.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(_END_TIMEOUT_S)


class _Tasks:
    """A task for each block; iterate over their results in the order of completion.

    Args:
        client: the client of the cluster.
        function: called with a block and `config` on a worker.
        blocks: the blocks.
        config: the settings of all tasks.
        retries: how often a failed task is retried.
    """

    def __init__(
        self,
        client: Client,
        function: Callable[[Block, RunConfig], Any],
        blocks: Sequence[Block],
        config: RunConfig,
        retries: int,
    ) -> None:
        self._client = client
        # Dask groups tasks in its dashboard by the name before the token.
        name = f"{function.__name__.replace('_', '-')}-{secrets.token_hex(4)}"
        self._blocks = {f"{name}-{block.number}": block for block in blocks}
        self._last = len(blocks) and blocks[-1].number
        futures = (
            client.map(function, blocks, config=config, key=list(self._blocks), retries=retries)
            if blocks
            else []
        )
        self._open = {str(future.key): future for future in futures}

    def __enter__(self) -> _Tasks:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._open:
            return
        # The scheduler may be unreachable.
        with suppress(Exception):
            self._client.cancel(list(self._open.values()), force=True)

    def drop_behind(self, block: Block) -> None:
        """Cancel the tasks of all blocks after this one."""
        self._last = block.number
        dropped = [key for key in self._open if self._blocks[key].number > block.number]
        self._client.cancel([self._open.pop(key) for key in dropped], force=True)

    def __iter__(self) -> Iterator[tuple[Block, Any]]:
        """Yield blocks with their results.

        Raises:
            ClusterError: a task failed.
        """
        done = as_completed(
            list(self._open.values()), loop=self._client.loop, with_results=True, raise_errors=False
        )
        for future, result in done:
            block = self._blocks[str(future.key)]
            self._open.pop(str(future.key), None)
            if block.number > self._last:
                continue
            # A result may be here although the task is pending again: its worker has died since.
            if future.status in ("error", "cancelled"):
                cause = result[1] if isinstance(result, tuple) else result
                raise ClusterError(f"block {block.number} ({block}): {_text(cause)}") from cause
            # Release the result, so that Dask does not run the task again if its worker dies.
            future.release()
            yield block, result


def _asked(client: Client, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    """Call a function on each worker; return its results, or the exceptions it raised."""
    found = client.run(function, *arguments, on_error="return")
    # Workers that left meanwhile get no tasks.
    return {worker: each for worker, each in sorted(found.items()) if not _is_gone(each)}


def _is_gone(answer: object) -> bool:
    return isinstance(answer, OSError | TimeoutError)


def _unpacked(packed: PackedProcessor) -> None:
    packed.unpack()


def _at_its_place(block: Block, failure: FailedLine, parts: dict[int, Part]) -> RecordError:
    # This is the first failed block, so all parts before it exist.
    before = sum(parts[block.number - back]["lines"] for back in range(1, block.place + 1))
    return RecordError(
        failure["code"],
        f"{block.file.name}: {failure['message']}",
        before + failure["line"] + 1,
        failure["offset"],
    )


def _text(error: BaseException) -> str:
    if isinstance(error, ForstError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}"
