"""Loading and reloading modules with processors, by module name, file path or entry point."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
import sysconfig
import traceback
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

from forstcore._received_signals import received_signals
from forstcore.errors import LoadError
from forstcore.processors import REGISTRY, Processor

__all__ = [
    "CHECK_INTERVAL",
    "ENTRY_POINTS",
    "Loader",
    "add_working_directory",
    "import_module",
    "load_errors",
    "path_without_user_directories",
]

ENTRY_POINTS = "forstcore.processors"
"""The entry point group in which packages register their modules with processors."""

CHECK_INTERVAL = 0.5
"""Seconds between two checks whether modules have changed, where they are reloaded."""

_user_directories: set[str] = set()
"""Those that were added to the search path for the modules of users."""

_OURS = str(Path(__file__).parent)
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


class Loader:
    """Load modules with processors, and reload them when they have changed.

    Args:
        names: for each module its name, the path of its file, or the name of an entry point
            of the group `ENTRY_POINTS`.
        again: whether the modules may be reloaded. No bytecode files are written then, because
            Python considers one up to date if the source has the same size and was changed
            within the same second.

    Attributes:
        processors: the declared processors, by name.

    Thread-safety: one call at a time.
    """

    def __init__(self, names: Sequence[str], *, again: bool = False) -> None:
        self.processors: Mapping[str, Processor] = {}
        self._names = names
        self._reserved: Container[str] = ()
        if again:
            sys.dont_write_bytecode = True
        # Modules that were imported during loading, except libraries, and the state of their files.
        self._modules: set[str] = set()
        self._stamps: dict[str, tuple[int, int]] = {}

    def load(self, reserved: Container[str] = ()) -> Mapping[str, Processor]:
        """Import the modules, and return all declared processors.

        Args:
            reserved: names that no processor may have.

        Raises:
            LoadError: a module cannot be imported, or a name is in use.
        """
        self._reserved = reserved
        before = set(sys.modules)
        try:
            with REGISTRY.strictly():
                for name in self._names:
                    self._modules.add(import_module(name))
                    if not REGISTRY:
                        raise LoadError(f"{name} declares no processors")
                for found in REGISTRY.values():
                    if found.name in reserved:
                        raise LoadError(
                            f"the processor {found.place} cannot be called {found.name!r}: "
                            "that is the path of another endpoint"
                        )
        finally:
            self._modules |= {
                name
                for name in set(sys.modules) - before
                if name.partition(".")[0] not in before and _is_own(name)
            }
            # Keep the stamp from before loading: a newer one could hide a change during loading.
            self._stamps = self._look() | self._stamps
        self.processors = dict(REGISTRY)
        return self.processors

    def has_changed(self) -> bool:
        """Return whether a loaded file has changed since the last call or load."""
        stamps = self._look()
        # A missing file is not a change: editors may replace files in two steps.
        changed = [path for path in stamps if self._stamps.get(path) != stamps[path]]
        self._stamps |= stamps
        return bool(changed)

    def reload(self, names: Sequence[str] | None = None) -> Mapping[str, Processor]:
        """Reload the modules; after an error the previous processors stay in place.

        References to the old functions remain valid, and running calls are not interrupted.

        Args:
            names: the modules from now on; None for the same ones.

        Raises:
            LoadError: as `load`.
        """
        previous = self._names
        self._names = previous if names is None else names
        modules = {name: sys.modules.pop(name) for name in self._modules if name in sys.modules}
        declared = dict(REGISTRY)
        REGISTRY.drop(modules)
        importlib.invalidate_caches()
        try:
            return self.load(self._reserved)
        except BaseException:
            self._names = previous
            for name in self._modules:
                sys.modules.pop(name, None)
            sys.modules.update(modules)
            REGISTRY.clear()
            REGISTRY.update(declared)
            raise

    def _look(self) -> dict[str, tuple[int, int]]:
        stamps = {}
        for name in self._modules:
            file = _file_of(name)
            if file and Path(file).exists():
                found = Path(file).stat()
                stamps[file] = (found.st_mtime_ns, found.st_size)
        return stamps


def import_module(name: str) -> str:
    """Import the module that a name refers to, as for `Loader`; return the module's name.

    Modules in the working directory can be imported, but they hide no others.

    Raises:
        LoadError: it cannot be imported.
    """
    add_working_directory()
    with load_errors(name):
        if name.endswith(".py") or "/" in name or "\\" in name:
            return _import_file(Path(name))
        if name.startswith("."):
            raise ImportError("give the path of its file, or its name with that of its package")
        # Not imported at the top: it takes as long to import as the rest of this package.
        from importlib.metadata import entry_points

        for entry in entry_points(group=ENTRY_POINTS, name=name):
            return importlib.import_module(entry.module).__name__
        return importlib.import_module(name).__name__


@contextlib.contextmanager
def load_errors(name: str) -> Iterator[None]:
    """Raise LoadError for anything that a module raises in the block.

    That includes SystemExit and KeyboardInterrupt, with which a program would end as if it were
    done. Only a KeyboardInterrupt by a signal is not changed.

    Args:
        name: the module's name, for the message.

    Raises:
        LoadError: the block has raised an exception.
    """
    with received_signals() as received:
        try:
            yield
        except BaseException as error:
            if received and isinstance(error, KeyboardInterrupt):
                raise
            raise LoadError(f"cannot load processors from {name}: {_cause(error)}") from error


def add_working_directory() -> None:
    """Let modules in the working directory be imported, unless an option of Python forbids it."""
    if not sys.flags.safe_path:
        # An editable installation has no directory in the path, and a file could hide this package.
        _append_to_path(str(Path(_OURS).parent))
        with contextlib.suppress(OSError):  # It may have been removed.
            _add_user_directory(str(Path.cwd()))


def path_without_user_directories() -> list[str]:
    """Return the path in which this package is searched, and what it imports itself."""
    return [directory for directory in sys.path if directory not in _user_directories]


def _import_file(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError("it is a directory" if path.is_dir() else "there is no such file")
    path = path.resolve()
    _add_user_directory(str(path.parent))
    # The file's stem could collide with another module.
    name = str(path)
    if name in sys.modules:
        return name
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("it is not a Python file")
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return name


def _add_user_directory(directory: str) -> None:
    if directory not in sys.path:
        _user_directories.add(directory)
        _append_to_path(directory)


def _append_to_path(directory: str) -> None:
    """Let modules in a directory be imported; at the end of the path they hide no others."""
    if directory not in sys.path:
        sys.path.append(directory)


def _file_of(name: str) -> str | None:
    module: ModuleType | None = sys.modules.get(name)
    return getattr(module, "__file__", None)


def _is_own(name: str) -> bool:
    """Return whether a module belongs to the user, and not to a library."""
    file = _file_of(name)
    return file is not None and not file.startswith(_LIBRARIES)


def _cause(error: BaseException) -> str:
    """Describe an error, with the innermost line outside of this package and the import system."""
    text = type(error).__name__
    # The messages of some libraries have several lines.
    if message := " ".join(str(error).split()):
        text += f": {message}"
    places = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((_OURS, "<frozen"))
    ]
    if places and not isinstance(error, SyntaxError):
        text += f" ({places[-1].filename}, line {places[-1].lineno})"
    return text
