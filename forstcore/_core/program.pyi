import re
from collections.abc import Callable, Sequence
from typing import Any, Final

OPCODES: Final[dict[str, tuple[int, str]]]
FUNCTIONS: Final[dict[str, tuple[int, str]]]
REGEX_CODES: Final[dict[str, int]]
NO_VALUE: Final[object]

class Program:
    def __init__(
        self,
        code: Sequence[int],
        constants: Sequence[Any],
        paths: Sequence[tuple[str, ...]],
        pieces: Sequence[bytes],
        handlers: Sequence[tuple[int, int, int, int]],
        registers: int,
        variables: int,
        places: Sequence[object] = (),
        pattern_integers: Callable[[re.Pattern[str]], Sequence[int]] | None = None,
        classes: dict[type, int] | None = None,
    ) -> None: ...
    @property
    def places(self) -> tuple[object, ...]: ...
