from typing import Final

PASS_ON: Final[object]
