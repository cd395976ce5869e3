"""Builds the extensions, one for each .pyx file, and lists the dependencies.

All other metadata is in pyproject.toml.

Environment variables:
    CFLAGS                 an optimization level or -g in it replaces the one given here
    FORSTCORE_ANNOTATE=1   also write the annotated HTML of each .pyx
    FORSTCORE_SANITIZE=1   build with AddressSanitizer and UndefinedBehaviorSanitizer
    SOURCE_DATE_EPOCH      the time of all files, so that equal sources make equal archives
"""

import gzip
import os
import sys
import sysconfig
import tarfile
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.sdist import sdist

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

DEPENDENCIES = [
    "aiohttp>=3.14.5,<4",
    "backports.zstd>=1.0; python_version < '3.14'",
    "click>=8.1",
    "prometheus-client>=0.20",
    "xxhash>=3.4",
]
# No marker distinguishes free-threaded Python, which orjson does not support, but each wheel has
# its own metadata. The markers name the platforms with wheels of orjson; those for Python 3.15 need
# a newer glibc than our wheels.
if not sysconfig.get_config_var("Py_GIL_DISABLED"):
    DEPENDENCIES.append(
        "orjson>=3.11; platform_python_implementation == 'CPython'"
        " and platform_machine in 'x86_64 aarch64 arm64 AMD64 ARM64'"
        " and (sys_platform == 'darwin' or sys_platform == 'win32'"
        " or sys_platform == 'linux' and python_version < '3.15')"
    )

SOURCES = sorted(
    path for package in ("forstcore", "server") for path in Path(package).rglob("*.pyx")
)

if sys.platform == "win32":
    compile_args, link_args = ["/O2"], []
elif os.environ.get("FORSTCORE_SANITIZE"):
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    compile_args, link_args = ["-O1", "-g", "-fno-omit-frame-pointer", *sanitize], sanitize
else:
    flags = os.environ.get("CFLAGS", "").split()
    levels = {"-O": "-O3", "-g": "-g0"}
    compile_args = [
        level
        for option, level in levels.items()
        if not any(flag.startswith(option) for flag in flags)
    ]
    # Without symbols, unless the flags want debug information.
    link_args = (
        ["-Wl,-x" if sys.platform == "darwin" else "-Wl,-s"] if "-g0" in compile_args else []
    )
if sys.platform != "win32":
    # Where there is a fused multiply-add, as on ARM, a * b + c would be rounded once, not twice.
    compile_args.append("-ffp-contract=off")


class Sdist(sdist):
    """An sdist whose bytes depend only on its files, if SOURCE_DATE_EPOCH is set."""

    def make_archive(self, base_name, format, root_dir=None, base_dir=None, owner=None, group=None):
        """Write the archive; setuptools would include the times and owners of files."""

        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if epoch is None or format != "gztar":
            return super().make_archive(base_name, format, root_dir, base_dir, owner, group)
        path = Path(f"{base_name}.tar.gz")
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            path.open("wb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=int(epoch)) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            for each in sorted(each for each in Path(base_dir).rglob("*") if each.is_file()):
                entry = tarfile.TarInfo(each.as_posix())
                entry.size = each.stat().st_size
                entry.mtime = int(epoch)
                entry.mode = 0o755 if each.stat().st_mode & 0o100 else 0o644
                with each.open("rb") as content:
                    archive.addfile(entry, content)
        return str(path)


setup(
    install_requires=DEPENDENCIES,
    cmdclass={"sdist": Sdist},
    # No more, because the compiler takes some hundred megabytes for the largest file.
    options={"build_ext": {"parallel": min(os.cpu_count() or 1, 4)}},
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
    ),
)
