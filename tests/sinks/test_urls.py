"""URLs of sinks, and their errors."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from forstcore.errors import SinkError, SourceError
from forstcore.sinks import SinkUrl, open_sink
from forstcore.sources import open_source


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("65536", 65536), ("10kB", 10_000), ("64MiB", 64 << 20), ("2 GB", 2_000_000_000)],
)
def test_sizes_have_units(text: str, size: int) -> None:
    url = SinkUrl("out", f"file:x?max_size={text}")
    assert url.take_size("max_size", 7) == size
    assert url.take_size("max_size", 7) == 7


@pytest.mark.parametrize("text", ["0", "-1", "MB", "1.5GB", "1e6", "", "9" * 16])
def test_what_is_no_size_is_an_error(text: str) -> None:
    url = SinkUrl("out", f"file:x?max_size={text}")
    with pytest.raises(SinkError, match=r"^sink 'out' has max_size=.*, which must be a size"):
        url.take_size("max_size", 7)


def test_a_value_among_few_is_checked() -> None:
    url = SinkUrl("out", "file:x?mode=a&other=c")
    assert url.take_one_of("mode", ("a", "b"), "b") == "a"
    with pytest.raises(SinkError, match="has other=c, which must be one of a, b"):
        url.take_one_of("other", ("a", "b"), "b")


def test_an_unknown_scheme_names_those_that_there_are() -> None:
    with pytest.raises(SinkError, match=r"sink 'out' has a URL that starts with none of file:, "):
        open_sink("out", "ftp://user:secret@host/x")


@pytest.mark.parametrize("open_one", [open_sink, open_source])
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (
            "kafka://h:9092/orders",
            r"the path /orders, which kafka: .*: kafka://host:9092\?topic=NAME",
        ),
        ("kafka://h:9092?topic=", r"names no topic: kafka://host:9092\?topic=NAME"),
        ("nats://h:4222/orders", r"the path /orders, which nats: .*: nats://host:4222\?s\w+=NAME"),
        (
            "redis://h/orders?stream=a",
            r"the path /orders, which must be the number of a database: redis://h",
        ),
        ("redis://h/0/orders?stream=a", "the path /0/orders, which must be the number"),
        ("redis:orders?stream=a", "the path orders, which must be the number"),
        ("mqtt://h?topic=orders", "names no topic: mqtt://host:1883/TOPIC"),
        ("nats://u:hidden@h,i?stream=a&subject=a", "names several hosts, but nats: takes one"),
        ("redis://h:1,i:2?stream=a", "names several hosts, but redis: takes one"),
    ],
)
def test_sources_and_sinks_have_urls_of_one_form(
    open_one: Callable[[str, str], object], url: str, reason: str
) -> None:
    with pytest.raises((SinkError, SourceError), match=reason) as caught:
        open_one("out", url)
    assert "hidden" not in str(caught.value)


def test_errors_show_no_password() -> None:
    with pytest.raises(SinkError) as caught:
        open_sink("out", "redis://user:hidden@[/0?stream=x")
    assert "hidden" not in str(caught.value)
