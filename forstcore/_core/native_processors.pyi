from typing import Final

ABI: Final[int]
PASS_ON: Final[object]
