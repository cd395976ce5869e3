"""The rows of the core and of plain memory access; their results are compared with `json` first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from benchmarks.core.corpus import Contestant, Corpus, builtin_result
from forstcore import Filter, _proc

MEMCPY: Final = "memcpy (memoryview into a 64 KiB buffer)"
MEMCHR: Final = "memchr (bytes.find of an absent byte)"
BLOCKS: Final = "built-in processor, process_block"
STREAM: Final = "built-in processor, RecordStream"
VALIDATION: Final = "validation, records passed on"
FILTER: Final = "filter, matching records passed on"

# A filter of one nested name that few records match, and the same test in Python.
_FILTERS: Final[dict[str, tuple[dict[str, object], Callable[[Any], bool]]]] = {
    "weblog": (
        {"response.status": {"gte": 500}},
        lambda record: record["response"]["status"] >= 500,
    ),
    "github": (
        {"payload.action": "closed"},
        lambda record: record["payload"].get("action") == "closed",
    ),
    "tweet": ({"user.verified": True}, lambda record: record["user"]["verified"] is True),
    "members": (
        {"meta.position.lat": {"gte": 80}},
        lambda record: record["meta"]["position"]["lat"] >= 80,
    ),
}


def memory_rows(corpus: Corpus) -> list[Contestant]:
    """Return the rows that touch the input and do nothing with it."""
    # The destination stays in the L1 or L2 cache, so the figure is that of reading the input once
    # and writing to cached memory.
    room = memoryview(bytearray(max(map(len, corpus.blocks))))
    pairs = [(room[: len(block)], memoryview(block)) for block in corpus.blocks]

    def copy() -> None:
        for target, block in pairs:
            target[:] = block

    def find() -> None:
        for block in corpus.blocks:
            block.find(b"\0")

    return [Contestant(MEMCPY, copy), Contestant(MEMCHR, find)]


def core_rows(corpus: Corpus, paths: Sequence[str]) -> list[Contestant]:
    """Return the rows of the core, for each of these scan paths.

    Raises:
        SystemExit: the core's results are not those of `json`.
    """
    ways = _ways(corpus)
    for path in paths:
        _proc.use_scan_path(path)
        for name, way in ways.items():
            if not way.is_correct(b"".join(way.results())):
                raise SystemExit(f"{corpus.kind}: {name} gives other results than json on {path}")
    return [
        Contestant(f"{name} [{path}]", way.run, partial(_proc.use_scan_path, path))
        for path in paths
        for name, way in ways.items()
    ]


@dataclass(frozen=True)
class _Way:
    """Something that the core does with a corpus, one block at a time."""

    results: Callable[[], Iterator[bytes]]
    is_correct: Callable[[bytes], bool]

    def run(self) -> None:
        for _ in self.results():
            pass


def _ways(corpus: Corpus) -> dict[str, _Way]:
    def streamed(**options: Any) -> Iterator[bytes]:
        stream = _proc.RecordStream(**options)
        for chunk in corpus.chunks:
            yield stream.feed(chunk)
        yield stream.finish()

    def blocks() -> Iterator[bytes]:
        for block in corpus.blocks:
            yield _proc.process_block(block)

    records = [json.loads(line) for line in corpus.lines]
    results = [builtin_result(record) for record in records]

    def are_results(output: bytes) -> bool:
        return [json.loads(line) for line in output.splitlines()] == results

    ways = {
        STREAM: _Way(streamed, are_results),
        BLOCKS: _Way(blocks, are_results),
        VALIDATION: _Way(partial(streamed, processor=_proc.PASS_ON), corpus.body.__eq__),
    }
    if corpus.kind in _FILTERS:
        wanted, matches = _FILTERS[corpus.kind]
        matching = b"".join(
            line + b"\n"
            for line, record in zip(corpus.lines, records, strict=True)
            if matches(record)
        )
        options = {"filter": Filter(wanted), "processor": _proc.PASS_ON}
        ways[FILTER] = _Way(partial(streamed, **options), matching.__eq__)
    return ways
