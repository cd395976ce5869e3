"""The rows of other JSON parsers, each used in its fastest documented way for NDJSON."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from benchmarks.building import BUILD, BenchmarkError, compile_program
from benchmarks.core.corpus import Contestant, Corpus, builtin_result

ORJSON: Final = "orjson.loads"
ORJSON_RESULTS: Final = "orjson.loads, dumps of the result"
JSON_RESULTS: Final = "json.loads, dumps of the result"
MSGSPEC: Final = "msgspec Decoder.decode_lines"
PYSIMDJSON: Final = 'pysimdjson Parser.parse, ["id"]'
SIMDJSON_DOM: Final = 'simdjson in C++, parse_many, ["id"]'
SIMDJSON_ON_DEMAND: Final = 'simdjson in C++, iterate_many, ["id"]'

_SIMDJSON_SOURCE: Final = Path(__file__).with_name("simdjson_ids.cpp")
_SIMDJSON_PADDING: Final = bytes(64)
_INSTALL: Final = "skipped; `bash benchmarks/install` installs it"


def peer_rows(corpus: Corpus, notes: list[str]) -> list[Contestant]:
    """Return the rows of the peers that are installed; add a note for each other one."""
    rows: list[Contestant] = []
    for package, (module, rows_of) in _PACKAGES.items():
        try:
            rows += rows_of(corpus, importlib.import_module(module))
        except ImportError:
            notes.append(f"the Python package {package} is not installed: {_INSTALL}")
    try:
        rows += _simdjson_rows(corpus, _simdjson())
    except BenchmarkError as error:
        lines = str(error).splitlines()
        reason = next((line for line in lines if "error:" in line), lines[0])
        notes.append(f"simdjson for C++ ({reason}): {_INSTALL}")
    return [*rows, Contestant(JSON_RESULTS, partial(_json_results, corpus), warm=False)]


def peer_versions() -> list[str]:
    """Return the versions of the peers that are installed."""
    found = []
    for package in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{package} {metadata.version(package)}")
    with contextlib.suppress(BenchmarkError):
        found.append(f"simdjson {_simdjson().simdjson_version().decode()}")
    return found


def _orjson_rows(corpus: Corpus, orjson: Any) -> list[Contestant]:
    loads, dumps, newline = orjson.loads, orjson.dumps, orjson.OPT_APPEND_NEWLINE

    def parse() -> None:
        for block in corpus.blocks:
            for line in _lines(block):
                loads(line)

    def convert() -> None:
        for block in corpus.blocks:
            # Build the dict inline: a function call per record would measure Python, not orjson.
            out = []
            for line in _lines(block):
                record = loads(line)
                result = {
                    "id": record["id"],
                    "result": "processed_" + record.get("data", ""),
                    "status": "success",
                }
                out.append(dumps(result, option=newline))
            b"".join(out)

    return [Contestant(ORJSON, parse), Contestant(ORJSON_RESULTS, convert)]


def _msgspec_rows(corpus: Corpus, msgspec: Any) -> list[Contestant]:
    decode_lines = msgspec.json.Decoder().decode_lines

    def parse() -> None:
        for block in corpus.blocks:
            decode_lines(block)

    return [Contestant(MSGSPEC, parse)]


def _pysimdjson_rows(corpus: Corpus, simdjson: Any) -> list[Contestant]:
    parse_line = simdjson.Parser().parse

    def parse() -> None:
        for block in corpus.blocks:
            for line in _lines(block):
                parse_line(line)["id"]

    return [Contestant(PYSIMDJSON, parse)]


# The module of each Python package, and the function that returns its rows.
_PACKAGES: Final = {
    "orjson": ("orjson", _orjson_rows),
    "msgspec": ("msgspec", _msgspec_rows),
    "pysimdjson": ("simdjson", _pysimdjson_rows),
}


def _simdjson() -> ctypes.CDLL:
    """Compile and load the program that uses simdjson.

    Raises:
        BenchmarkError: the compiler or simdjson is not installed.
    """
    library = BUILD / "simdjson_ids.so"
    command = [
        *(os.environ.get("CXX", "c++"), "-std=c++17", "-O3", "-march=native", "-DNDEBUG"),
        *("-shared", "-fPIC", "-o", str(library), str(_SIMDJSON_SOURCE), "-lsimdjson"),
    ]
    compile_program(command, [_SIMDJSON_SOURCE], library)
    loaded = ctypes.CDLL(str(library))
    loaded.simdjson_version.restype = ctypes.c_char_p
    for function in (loaded.dom_ids, loaded.on_demand_ids):
        function.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
        function.restype = ctypes.c_int64
    return loaded


def _simdjson_rows(corpus: Corpus, simdjson: ctypes.CDLL) -> list[Contestant]:
    padded = corpus.body + _SIMDJSON_PADDING
    expected = sum(len(json.loads(line)["id"].encode()) for line in corpus.lines)

    def checked(function: Callable[[bytes, int], int]) -> None:
        if function(padded, len(corpus.body)) != expected:
            raise SystemExit(f"{corpus.kind}: simdjson gives other results than json")

    return [
        Contestant(SIMDJSON_DOM, partial(checked, simdjson.dom_ids)),
        Contestant(SIMDJSON_ON_DEMAND, partial(checked, simdjson.on_demand_ids)),
    ]


def _json_results(corpus: Corpus) -> None:
    for block in corpus.blocks:
        out = [
            json.dumps(builtin_result(json.loads(line)), separators=(",", ":"), ensure_ascii=False)
            for line in _lines(block)
        ]
        out.append("")
        "\n".join(out).encode()


def _lines(block: bytes) -> list[bytes]:
    lines = block.split(b"\n")
    lines.pop()
    return lines
