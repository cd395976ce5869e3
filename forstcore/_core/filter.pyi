from collections.abc import Mapping

OPERATORS: Mapping[str, int]

class Filter:
    def __init__(self, wanted: Mapping[str, object], /) -> None: ...
    @property
    def source(self) -> Mapping[str, object]: ...
    @property
    def size(self) -> int: ...
