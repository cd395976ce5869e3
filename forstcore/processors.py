"""Declaring processors, and deriving their kind from their signatures."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from forstcore._io.line_reader import object_group_reader, object_of
from forstcore._proc import RecordStream, parse_record
from forstcore.compilation import Compilation, CompilationReport
from forstcore.config import WORKER_KINDS, WorkerKind
from forstcore.records import ProcessedRecord, StreamingRecord

if TYPE_CHECKING:
    from forstcore._core.program import Program

__all__ = [
    "BUILT_IN",
    "REGISTRY",
    "Processor",
    "Registry",
    "as_processor",
    "processor",
    "stamp_of",
]

Kind = Literal["native", "dict", "record", "typed"]
GroupReader: TypeAlias = Callable[[int], Callable[[bytes], list[Any] | None] | None]
T = TypeVar("T")

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_TAKES_RECORD = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
)
_ANY_OBJECT = (dict, Mapping, MutableMapping)


@dataclass(frozen=True)
class Processor:
    """A function or native extension that turns records into results.

    Attributes:
        name: the name under which it is served.
        kind: ``native`` for compiled code; otherwise its input: ``dict``, ``record`` (a
            `StreamingRecord`) or ``typed``.
        function: the function, or the capsule of a native one; None for the built-in one.
        decode: converts a line to a record, or raises RecordError; None for native ones.
        is_async: whether it is called in the event loop and awaited.
        takes, gives: its input and output types, for documentation.
        doc: its docstring.
        place: where it is declared, for messages.
        group_reader: returns, for the longest line to accept, a function that reads many lines at
            once, or returns None if one has to be read on its own; None to read each alone.
        worker_kind: what its workers are, None for what the stream says.
        stamp: the state of the file that declares it, when it did.
        compilation: the compiled form of the function; None for native code, and for functions
            that are not to be compiled.

    Thread-safety: immutable.
    """

    name: str
    kind: Kind
    function: Any
    decode: Callable[[bytes], Any] | None = None
    is_async: bool = False
    takes: str = "record"
    gives: str = "results"
    doc: str = ""
    place: str = ""
    group_reader: GroupReader | None = None
    worker_kind: WorkerKind | None = None
    stamp: tuple[int, int] = (0, 0)
    compilation: Compilation | None = dataclasses.field(default=None, compare=False)

    @property
    def program(self) -> Program | None:
        """The compiled function, None if there is none."""
        return self.compilation.program if self.compilation is not None else None

    @property
    def result_type(self) -> Any:
        """The annotation of what it returns, None if there is none."""
        if self is BUILT_IN:
            return ProcessedRecord
        if self.kind == "native":
            return None
        return typing.get_type_hints(self.function).get("return")

    @property
    def compilation_report(self) -> CompilationReport:
        """Whether it is compiled, and if not, why; the function is compiled for that."""
        if self.compilation is None:
            return CompilationReport(self.kind == "native")
        return self.compilation.report


BUILT_IN = Processor(
    "built-in",
    "native",
    None,
    takes="StreamingRecord",
    gives="ProcessedRecord",
    doc="Put 'processed_' before the data of a record.",
)


class Registry(dict[str, Processor]):
    """The declared processors, by name.

    Attributes:
        strict: whether declaring the same function again is an error. Notebooks redeclare a
            function each time its cell runs, so it is not by default.
    """

    strict = False

    def add(self, new: Processor) -> None:
        """Add a processor.

        Raises:
            ValueError: another processor has the same name.
        """
        old = self.get(new.name)
        if old is not None and (self.strict or _identity(old) != _identity(new)):
            raise ValueError(
                f"two processors are called {new.name!r}: one {old.place}, another {new.place}"
            )
        self[new.name] = new

    def drop(self, modules: typing.Container[str]) -> None:
        """Remove the processors that were declared in these modules."""
        for name, known in list(self.items()):
            if getattr(known.function, "__module__", None) in modules:
                del self[name]

    @contextmanager
    def strictly(self) -> Iterator[None]:
        """Refuse repeated declarations; after an error, remove the processors added meanwhile."""
        before = dict(self)
        self.strict = True
        try:
            yield
        except BaseException:
            self.clear()
            self.update(before)
            raise
        finally:
            self.strict = False


REGISTRY = Registry()
"""The registry that `processor` adds to."""


def processor(
    name: str, *, worker_kind: WorkerKind | None = None, compiled: bool | None = None
) -> Callable[[T], T]:
    """Declare a function, or the capsule of a native processor, as a processor.

    The function is returned unchanged. Its only required parameter is the record, annotated as
    ``dict`` (the default), `StreamingRecord`, or a dataclass, TypedDict or msgspec Struct, against
    which records are then validated. It returns a result, None for no result, or an iterable of
    results. An ``async def`` is called in the event loop, any other function in a thread.

    Args:
        name: the path under which the server serves it; lower case letters, digits, ``-``
            and ``_``.
        worker_kind: ``"threads"``, or ``"processes"`` for a function that keeps the CPU busy:
            each worker is then a process that imports the module. None for the kind that the
            stream, the command or the server is configured with. Compiled functions run in
            threads.
        compiled: whether the function is compiled; None to do so if it can be, on first use. If
            True, it is compiled now, so what it uses has to be declared before it.

    Raises:
        TypeError: there is no name, the function cannot be a processor, or `compiled` is True and
            it cannot be compiled; the message gives the place and the reason.
        ValueError: the name is invalid or already in use, or `worker_kind` is invalid.
    """
    if worker_kind is not None and worker_kind not in WORKER_KINDS:
        raise ValueError(
            f"worker_kind must be one of {', '.join(WORKER_KINDS)}, not {worker_kind!r}"
        )
    if callable(name):
        raise TypeError(
            "@processor needs the name under which the server serves the function: "
            f'@processor("{getattr(name, "__name__", "name").lower()}")'
        )
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            "the name of a processor must be up to 64 lower case letters, digits, '-' and '_', "
            f"and start with a letter or digit, not {name!r}"
        )

    def declare(function: T) -> T:
        declared = as_processor(function, name, compiled=compiled)
        if worker_kind == "processes" and (declared.is_async or declared.kind == "native"):
            what = "async" if declared.is_async else "native"
            raise TypeError(f"processor {name!r} is {what}, so it cannot have worker processes")
        REGISTRY.add(dataclasses.replace(declared, worker_kind=worker_kind))
        return function

    return declare


def as_processor(what: Any, name: str = "", *, compiled: bool | None = None) -> Processor:
    """Return the processor for a function, capsule or name.

    Args:
        what: a function, a capsule, the name of a declared processor, a processor, or None
            for the built-in one.
        name: its name; if empty, the name of the function.
        compiled: whether a function is compiled, as for `processor`. Without name and this, a
            function has the options with which it is declared.

    Raises:
        LookupError: no processor has that name.
        ValueError: the function is declared several times, with different options.
        TypeError: `what` cannot be a processor; the message gives the reason.
    """
    if what is None:
        return BUILT_IN
    if isinstance(what, Processor):
        return what
    if isinstance(what, str):
        if what not in REGISTRY:
            declared = ", ".join(sorted(REGISTRY)) or "none"
            raise LookupError(f"there is no processor {what!r}; declared are: {declared}")
        return REGISTRY[what]
    if type(what).__name__ == "PyCapsule":
        if compiled:
            raise TypeError("a native processor is compiled already: compiled is for functions")
        # Validate the capsule now, not at the first stream.
        RecordStream(processor=what)
        return Processor(name or "native", "native", what, place=f"as {what!r}")
    if not (inspect.isfunction(what) or inspect.ismethod(what)):
        raise TypeError(f"a processor is a function or a native processor's capsule, not {what!r}")
    made = _of_function(what, name or what.__name__)
    if not name and compiled is None:
        return _as_declared(made)
    if compiled is False:
        return dataclasses.replace(made, compilation=None)
    if compiled and made.compilation is not None and made.program is None:
        raise TypeError(f"processor {made.name!r} does not compile: {made.compilation.result}")
    return made


def stamp_of(function: Any) -> tuple[int, int]:
    """Return a value that changes with the file that a function is declared in."""
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    try:
        found = Path(getattr(module, "__file__", None) or "").stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _of_function(function: Callable[..., Any], name: str) -> Processor:
    code = getattr(inspect.unwrap(function), "__code__", None)
    place = f"in {code.co_filename}, line {code.co_firstlineno}" if code else f"as {function!r}"
    where = f"processor {name!r} ({place})"
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters or parameters[0].kind not in _TAKES_RECORD:
        raise TypeError(f"{where} must take the record as its first parameter")
    wanting = [
        each.name
        for each in parameters[1:]
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    if wanting:
        raise TypeError(f"{where} has parameters that nobody fills: {', '.join(wanting)}")
    try:
        hints = typing.get_type_hints(function)
    except Exception as error:
        raise TypeError(f"{where} has annotations that cannot be read: {error}") from error
    takes = hints.get(parameters[0].name, dict)
    kind, decode, group_reader = _decoders(takes, where)
    # What is compiled once need not be compiled again.
    known = (each.compilation for each in _declarations_of(function))
    return Processor(
        name,
        kind,
        function,
        decode,
        inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function),
        _text_of(takes),
        _text_of(hints["return"]) if "return" in hints else "results",
        inspect.getdoc(function) or "",
        place,
        group_reader,
        None,
        stamp_of(function),
        next(filter(None, known), None) or Compilation(function, kind, takes),
    )


def _declarations_of(function: Callable[..., Any]) -> list[Processor]:
    return [each for each in REGISTRY.values() if each.function == function]


def _as_declared(made: Processor) -> Processor:
    """Return a processor with the options with which its function is declared."""
    known = _declarations_of(made.function)
    if len({(each.worker_kind, each.compilation is None) for each in known}) > 1:
        names = ", ".join(repr(each.name) for each in known)
        raise ValueError(
            f"the function {made.name!r} ({made.place}) is declared with different options as "
            f"{names}: give one of these names"
        )
    if not known:
        return made
    return dataclasses.replace(
        made, worker_kind=known[0].worker_kind, compilation=known[0].compilation
    )


def _decoders(takes: Any, where: str) -> tuple[Kind, Callable[[bytes], Any], GroupReader | None]:
    """Return the kind of processor that an annotation asks for, and how its records are read."""
    if takes is StreamingRecord:
        return "record", parse_record, None
    if takes in (Any, object) or (typing.get_origin(takes) or takes) in _ANY_OBJECT:
        return "dict", object_of, object_group_reader
    is_union = typing.get_origin(takes) in (typing.Union, types.UnionType)
    if not all(map(_has_fields, typing.get_args(takes) if is_union else (takes,))):
        raise TypeError(
            f"{where} takes {_text_of(takes)}: it must take a dict, a StreamingRecord, a "
            "dataclass, a TypedDict, a msgspec Struct or a union of tagged Structs"
        )
    try:
        from forstcore._io.typed_records import TypedRecords
    except ImportError:
        raise TypeError(
            f"{where} takes {_text_of(takes)}, which needs msgspec: pip install 'forstcore[typed]'"
        ) from None
    try:
        records = TypedRecords(takes)
    except TypeError as error:
        raise TypeError(f"{where} takes {_text_of(takes)}, which cannot be: {error}") from error
    return "typed", records.read, records.group_reader


def _has_fields(takes: Any) -> bool:
    is_struct = isinstance(takes, type) and hasattr(takes, "__struct_fields__")
    return dataclasses.is_dataclass(takes) or typing.is_typeddict(takes) or is_struct


def _text_of(hint: Any) -> str:
    if hint is type(None):
        return "None"
    if isinstance(hint, type) and typing.get_origin(hint) is None:
        return hint.__qualname__
    return inspect.formatannotation(hint).replace("typing.", "").replace("collections.abc.", "")


def _identity(known: Processor) -> tuple[object, object]:
    function = known.function
    return getattr(function, "__module__", None), getattr(function, "__qualname__", function)
