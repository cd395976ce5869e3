from collections.abc import Iterator
from typing import NamedTuple

class RejectedLine(NamedTuple):
    line: int
    offset: int
    code: str
    message: str
    raw: bytes

class RejectedLines:
    def __iter__(self) -> Iterator[RejectedLine]: ...
    def __len__(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def places(self) -> list[int]: ...
    def add(
        self, line: int, offset: int, code: str, message: str, raw: bytes, place: int, /
    ) -> None: ...
    def extend(self, others: RejectedLines, before: int, /) -> None: ...
