"""Run coverage-guided fuzzing of the compiled code: `python -m fuzz.explore --help`.

Builds the extensions with AddressSanitizer, UndefinedBehaviorSanitizer and libFuzzer's
instrumentation in build/fuzz, and runs each target under libFuzzer for a limited time.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from fuzz import TARGETS

__all__ = ["main"]

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build" / "fuzz"
SANITIZE = "-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -g -O1"
LIMITS = [
    "-timeout=30",
    "-rss_limit_mb=1500",
    # Long enough for several records of any form; longer inputs reach no additional code.
    "-max_len=1024",
    "-len_control=10",
]


def _environment() -> dict[str, str]:
    """Return the environment variables of the build and the fuzzer."""
    return {
        **os.environ,
        "CC": "clang",
        # Also used for the native processor that a target builds.
        "CFLAGS": SANITIZE,
        "FORSTCORE_SANITIZE": "1",
        # Import the packages of this build; without -P, Python would import those of the checkout.
        "PYTHONPATH": os.pathsep.join([str(BUILD), str(ROOT)]),
        "PYTHONMALLOC": "malloc",
        # CPython does not free all memory at exit, so leak detection is off. Short stack traces
        # and a small quarantine double the speed.
        "ASAN_OPTIONS": "detect_leaks=0:malloc_context_size=3:quarantine_size_mb=16",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }


def _build(environment: dict[str, str]) -> None:
    """Rebuild changed extensions."""
    places = ["--build-lib", str(BUILD), "--build-temp", str(BUILD / "objects")]
    subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build", *places],
        cwd=ROOT,
        env=environment,
        check=True,
    )


def _inputs(name: str) -> list[Path]:
    """Return the seed directories; libFuzzer adds new inputs to the first."""
    found = BUILD / "corpus" / name
    found.mkdir(parents=True, exist_ok=True)
    return [found, ROOT / "fuzz" / "corpus" / name]


def _explore(
    name: str, inputs: list[Path], environment: dict[str, str], arguments: list[str]
) -> int:
    """Run libFuzzer on one target; return its exit status.

    Args:
        name: name of the target.
        inputs: seed directories, or files to run once.
        environment: environment variables of the process.
        arguments: additional arguments for libFuzzer.
    """
    findings = BUILD / "findings"
    findings.mkdir(parents=True, exist_ok=True)
    print(f"== {name}", flush=True)
    return subprocess.run(
        [
            *(sys.executable, "-P", "-m", "fuzz.guided", name),
            *LIMITS,
            f"-dict={ROOT / 'fuzz' / 'tokens.dict'}",
            f"-artifact_prefix={findings}/{name}-",
            *arguments,
            *map(str, inputs),
        ],
        cwd=ROOT,
        env=environment,
        check=False,
    ).returncode


def main() -> int:
    """Fuzz the targets one after the other, until the first finding."""
    parser = argparse.ArgumentParser(
        prog="python -m fuzz.explore",
        description="Search for inputs that break the compiled code.",
        epilog="Other options are passed to libFuzzer.",
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: 60)")
    parser.add_argument(
        "--run", type=Path, nargs="+", default=[], metavar="FILE", help="run only these inputs"
    )
    options, arguments = parser.parse_known_args()
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"unknown target {unknown.pop()!r}; choose from {', '.join(TARGETS)}")
    atheris = importlib.util.find_spec("atheris")
    if shutil.which("clang") is None or atheris is None or atheris.origin is None:
        parser.error("requires clang and atheris: pip install --group fuzz")
    environment = _environment()
    _build(environment)
    runtime = Path(atheris.origin).parent.parent / "asan_with_fuzzer.so"
    environment["LD_PRELOAD"] = str(runtime)
    arguments = [f"-max_total_time={options.seconds}", "-print_final_stats=1", *arguments]
    for name in options.targets or TARGETS:
        status = _explore(name, options.run or _inputs(name), environment, arguments)
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
