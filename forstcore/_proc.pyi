from typing import Final

from typing_extensions import Buffer

from forstcore._core.filter import Filter
from forstcore._core.lines import Batcher as Batcher
from forstcore._core.lines import LineSplitter as LineSplitter
from forstcore._core.lines import count_lines as count_lines
from forstcore._core.native_processors import PASS_ON as PASS_ON
from forstcore._core.rejected import RejectedLines
from forstcore._core.scan_path import scan_path as scan_path
from forstcore._core.scan_path import scan_paths as scan_paths
from forstcore._core.scan_path import use_scan_path as use_scan_path
from forstcore._core.single_record import check_object as check_object
from forstcore._core.single_record import parse_record as parse_record
from forstcore._core.single_record import process_record as process_record
from forstcore.wire import OnError

DEFAULT_MAX_LINE_SIZE: Final[int]
HIGHEST_MAX_LINE_SIZE: Final[int]
ERROR_CODES: Final[tuple[str, ...]]
MAX_DEPTH: Final[int]

class RecordStream:
    def __init__(
        self,
        *,
        on_error: OnError = "skip",
        max_line_size: int = ...,
        first_line: int = 1,
        filter: Filter | None = None,
        processor: object = None,
        growth: float = 3.0,
        keep_rejected: bool = False,
    ) -> None: ...
    def feed(self, chunk: Buffer, /) -> bytes: ...
    def feed_part(self, chunk: Buffer, most: int, /) -> bytes: ...
    def skip_line(self) -> None: ...
    def finish(self) -> bytes: ...
    @property
    def taken(self) -> int: ...
    @property
    def given_back(self) -> bool: ...
    @property
    def growth(self) -> float: ...
    @property
    def lines(self) -> int: ...
    @property
    def records(self) -> int: ...
    @property
    def errors(self) -> int: ...
    @property
    def results(self) -> int: ...
    @property
    def filtered(self) -> int: ...
    @property
    def bytes_in(self) -> int: ...
    @property
    def bytes_out(self) -> int: ...
    @property
    def failed(self) -> bool: ...
    def take_rejected(self) -> RejectedLines | None: ...
    def errors_by_code(self) -> dict[str, int]: ...

def process_block(
    buffer: Buffer, /, *, on_error: OnError = "skip", max_line_size: int = ...
) -> bytes: ...
