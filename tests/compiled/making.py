"""Making random records from templates.

A template is a dict or list of templates, a function that makes a value, or the value itself:

    {"id": hexadecimal(16), "status": one_of(200, 404), "tags": several(word, 0, 3), "kind": "web"}
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Any, Final, TypeAlias

__all__ = [
    "ABSENT",
    "Maker",
    "address",
    "boolean",
    "email",
    "hexadecimal",
    "integer",
    "joined",
    "make",
    "maybe",
    "moment",
    "name",
    "number",
    "one_of",
    "path",
    "seconds",
    "several",
    "text",
    "unique",
    "word",
]

Maker: TypeAlias = Callable[[Random], Any]

ABSENT: Final = object()
"""A maker returns this for a member that the record must not have."""

_FIRST: Final = 1_767_225_600  # 2026-01-01T00:00:00Z
_YEAR: Final = 365 * 24 * 3600
_VOCABULARY: Final = (
    "order payment checkout user session token request response timeout error failed shipped "
    "pending refund invoice sensor pressure valve motor battery gateway proxy upstream cache miss "
    "urgent broken cannot login password reset please thanks help slow cancel delivery"
)
_WORDS: Final = _VOCABULARY.split()
_PEOPLE: Final = "Anna Bob Carol Dilip Émile Fatima Gökçe Hana 李明 Jürgen Łukasz Olga"
_NAMES: Final = _PEOPLE.split()
_DOMAINS: Final = ("example.com", "mail.example.org", "shop.test", "corp.example")
_SEGMENTS: Final = ("api", "v1", "users", "orders", "Cart", "items", "search", "42", "7.html")


def make(template: Any, chance: Random) -> Any:
    """Make a value from a template."""
    if callable(template):
        return make(template(chance), chance)
    if isinstance(template, dict):
        made = {name: make(each, chance) for name, each in template.items()}
        return {name: each for name, each in made.items() if each is not ABSENT}
    if isinstance(template, list):
        return [make(each, chance) for each in template]
    return template


def one_of(*options: Any) -> Maker:
    return lambda chance: chance.choice(options)


def maybe(template: Any, probability: float = 0.5) -> Maker:
    return lambda chance: template if chance.random() < probability else ABSENT


def several(template: Any, low: int, high: int) -> Maker:
    return lambda chance: [template] * chance.randint(low, high)


def joined(separator: str, template: Any, low: int, high: int) -> Maker:
    return lambda chance: separator.join(
        str(make(template, chance)) for _ in range(chance.randint(low, high))
    )


def integer(low: int, high: int) -> Maker:
    return lambda chance: chance.randint(low, high)


def number(low: float, high: float, digits: int = 2) -> Maker:
    return lambda chance: round(chance.uniform(low, high), digits)


def hexadecimal(digits: int) -> Maker:
    return lambda chance: f"{chance.getrandbits(4 * digits):0{digits}x}"


def boolean(chance: Random) -> bool:
    return chance.random() < 0.5


def word(chance: Random) -> str:
    return chance.choice(_WORDS)


def text(low: int, high: int) -> Maker:
    return joined(" ", word, low, high)


def name(chance: Random) -> str:
    return chance.choice(_NAMES)


def email(chance: Random) -> str:
    user = chance.choice(("anna", "bob.smith", "carol+news", "d", "x_y"))
    return f"{user}{chance.randint(1, 99)}@{chance.choice(_DOMAINS)}"


def address(chance: Random) -> str:
    return ".".join(str(chance.randint(0, 255)) for _ in range(4))


def unique(chance: Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128)))


def path(chance: Random) -> str:
    made = "/" + "/".join(chance.choice(_SEGMENTS) for _ in range(chance.randint(0, 4)))
    if chance.random() < 0.3:
        made += f"/{chance.randint(1, 99999)}"
    if chance.random() < 0.3:
        made += chance.choice(("?q=tea", "?page=2&sort=asc", "?utm_source=news&utm_medium=mail&x"))
    return made


def seconds(chance: Random) -> int:
    return _FIRST + chance.randrange(_YEAR)


def moment(form: str = "%Y-%m-%dT%H:%M:%SZ") -> Maker:
    """Make times in the format of `strftime`."""
    return lambda chance: datetime.fromtimestamp(
        _FIRST + chance.randrange(_YEAR * 1000) / 1000, UTC
    ).strftime(form)
