from typing import Final

from typing_extensions import Buffer

from forstcore import RecordStream
from server.http._chunked import ChunkedDecoder
from server.http.control_lines import ControlLines

AVAILABLE: Final[bool]

class FastPath:
    def __init__(
        self,
        loop_fd: int,
        fd: int,
        buffer: Buffer,
        decoder: ChunkedDecoder,
        stream: RecordStream,
        frames: ControlLines | None = None,
        records_rejected: bool = False,
    ) -> None: ...
    def run(self, lines: int, received: int, chunks: int, /) -> bytes: ...
    @property
    def size(self) -> int: ...
    @property
    def sent(self) -> int: ...
    @property
    def nanoseconds(self) -> int: ...
    @property
    def rest(self) -> int: ...
    @property
    def left(self) -> int: ...
