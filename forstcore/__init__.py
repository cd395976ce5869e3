"""Process endless NDJSON record streams at compiled speed."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from forstcore._core.filter import Filter
from forstcore._core.rejected import RejectedLine, RejectedLines
from forstcore._environment import choose_scan_path
from forstcore._proc import (
    LineSplitter,
    RecordStream,
    parse_record,
    process_block,
    process_record,
)
from forstcore._version import VERSION
from forstcore.errors import (
    ClusterError,
    FilterError,
    ForstError,
    LoadError,
    OffsetError,
    RecordError,
    RequestRefusedError,
    SourceError,
    StreamFailedError,
    StreamStateError,
)

if TYPE_CHECKING:
    from forstcore._include import get_include
    from forstcore.client import ErrorLine, ForstStreamingClient, ResultStream, StreamOptions
    from forstcore.config import RetryConfig, StreamingConfig
    from forstcore.engine.in_process import process, process_file
    from forstcore.integration import StreamingIntegration
    from forstcore.processors import processor
    from forstcore.records import ErrorRecord, ProcessedRecord, StreamingRecord, is_error
    from forstcore.retry import StreamingErrorHandler

__all__ = [
    "ClusterError",
    "ErrorLine",
    "ErrorRecord",
    "Filter",
    "FilterError",
    "ForstError",
    "ForstStreamingClient",
    "LineSplitter",
    "LoadError",
    "OffsetError",
    "ProcessedRecord",
    "RecordError",
    "RecordStream",
    "RejectedLine",
    "RejectedLines",
    "RequestRefusedError",
    "ResultStream",
    "RetryConfig",
    "SourceError",
    "StreamFailedError",
    "StreamOptions",
    "StreamStateError",
    "StreamingConfig",
    "StreamingErrorHandler",
    "StreamingIntegration",
    "StreamingRecord",
    "__version__",
    "get_include",
    "is_error",
    "parse_record",
    "process",
    "process_block",
    "process_file",
    "process_record",
    "processor",
]

__version__ = VERSION
choose_scan_path()

# Imported on first use: the client imports aiohttp and asyncio, which are slow to import and
# which code that only uses the core does not need.
_LATER = {
    "ErrorLine": "client",
    "ErrorRecord": "records",
    "ForstStreamingClient": "client",
    "ProcessedRecord": "records",
    "ResultStream": "client",
    "RetryConfig": "config",
    "StreamOptions": "client",
    "StreamingConfig": "config",
    "StreamingErrorHandler": "retry",
    "StreamingIntegration": "integration",
    "StreamingRecord": "records",
    "get_include": "_include",
    "is_error": "records",
    "process": "engine.in_process",
    "process_file": "engine.in_process",
    "processor": "processors",
}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = value
    return value
