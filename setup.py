"""Builds the extensions, one for each .pyx file. All other metadata is in pyproject.toml.

Environment variables:
    FORSTCORE_ANNOTATE=1   also write the annotated HTML of each .pyx
    FORSTCORE_SANITIZE=1   build with AddressSanitizer and UndefinedBehaviorSanitizer
"""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup

# isort: split
# Cython patches distutils, so setuptools must be imported first.
import Cython.Compiler.Options
from Cython.Build import cythonize

Cython.Compiler.Options.warning_errors = True

DIRECTIVES = {
    "language_level": 3,
    "freethreading_compatible": True,
    "wraparound": False,
    "cdivision": True,
    "binding": True,
}

SOURCES = sorted(
    path for package in ("forstcore", "server") for path in Path(package).rglob("*.pyx")
)

if sys.platform == "win32":
    compile_args, link_args = ["/O2"], []
elif os.environ.get("FORSTCORE_SANITIZE"):
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    compile_args, link_args = ["-O1", "-g", "-fno-omit-frame-pointer", *sanitize], sanitize
else:
    compile_args, link_args = ["-O3"], []
if sys.platform != "win32":
    # Where there is a fused multiply-add, as on ARM, a * b + c would be rounded once, not twice.
    compile_args.append("-ffp-contract=off")

setup(
    ext_modules=cythonize(
        [
            Extension(
                ".".join(source.with_suffix("").parts),
                [source.as_posix()],
                extra_compile_args=compile_args,
                extra_link_args=link_args,
                libraries=[] if sys.platform == "win32" else ["m"],
            )
            for source in SOURCES
        ],
        compiler_directives=DIRECTIVES,
        annotate=bool(os.environ.get("FORSTCORE_ANNOTATE")),
    )
)
