"""Process endless NDJSON record streams at compiled speed."""

from forstcore._proc import (
    LineSplitter,
    RecordStream,
    parse_record,
    process_block,
    process_record,
)
from forstcore._version import VERSION
from forstcore.errors import ForstError, RecordError, StreamStateError

__all__ = [
    "ForstError",
    "LineSplitter",
    "RecordError",
    "RecordStream",
    "StreamStateError",
    "__version__",
    "parse_record",
    "process_block",
    "process_record",
]

__version__ = VERSION
