"""Words that depend on a number, in messages."""

from __future__ import annotations

__all__ = ["plural"]


def plural(number: int, one: str, many: str = "") -> str:
    """Return the word for a number of things: ``line`` for 1, ``lines`` for 0, 2 and so on.

    Args:
        number: of things.
        one: the word for one of them, or several words: ``line was``.
        many: the word for any other number; by default `one` with an s.
    """
    return one if number == 1 else many or f"{one}s"
