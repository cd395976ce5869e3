"""Datasets in an object store: moto's S3, over HTTP."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

import forstcore

if TYPE_CHECKING:
    from distributed import Client

RECORDS = b"".join(b'{"id":"%d","data":"reading %d"}\n' % (n, n) for n in range(2000))


@pytest.fixture(scope="module")
def options() -> Iterator[dict[str, Any]]:
    """The fsspec options for a local S3 server."""
    server = pytest.importorskip("moto.server", reason="needs moto")
    pytest.importorskip("s3fs", reason="needs s3fs")
    running = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield {"key": "key", "secret": "secret", "endpoint_url": f"http://{host}:{port}"}
    running.stop()


def test_from_s3_to_s3(client: Client, options: dict[str, Any]) -> None:
    import fsspec

    from forstcore.cluster import process_dataset

    system = fsspec.filesystem("s3", **options)
    system.mkdir("data")
    system.pipe_file("data/in/a.ndjson", b"\xef\xbb\xbf" + RECORDS[:-1])
    system.pipe_file("data/in/b.ndjson.gz", gzip.compress(RECORDS + b'{"id":1}'))
    system.pipe_file("data/in/c.txt", b"nothing")

    def run(**more: Any) -> Any:
        return process_dataset(
            "s3://data/in/*.ndjson*",
            "s3://data/out/set",
            client=client,
            blocksize=20_000,
            storage_options=options,
            collect_errors=True,
            **more,
        )

    manifest = run()
    names = [part["part"] for part in manifest["parts"]]
    assert len(names) > 3
    out = b"".join(system.cat_file(f"data/out/set/{name}") for name in names)
    assert out == forstcore.process_block(RECORDS) * 2
    errors = system.cat_file(f"data/out/set/errors-{len(names) - 1:05d}.ndjson")
    assert errors.startswith(b'{"file":"s3://data/in/b.ndjson.gz","line":2001,"offset":6,')
    system.invalidate_cache()
    found = {path.rpartition("/")[2] for path in system.find("data/out")}
    assert found == {"manifest.json", f"errors-{len(names) - 1:05d}.ndjson", *names}
    with pytest.raises(FileExistsError, match="s3://data/out/set"):
        run()
    assert run(resume=True) == manifest
    assert run(overwrite=True) == manifest


KEYS = [
    "in/data[1].ndjson",
    "in/st*r.ndjson",
    "in/q?.ndjson",
    "in/a::b.ndjson",
    "in/simplecache::c.ndjson",
    "in/e{1}#f%20 g.ndjson",
    "in/~h.ndjson",
    "in//i.ndjson",
    "in/zip://j::k.ndjson",
]


@pytest.mark.long
def test_keys_are_no_patterns(client: Client, options: dict[str, Any]) -> None:
    import fsspec

    from forstcore.cluster import process_dataset

    system = fsspec.filesystem("s3", **options)
    system.mkdir("keys")
    lines = RECORDS.splitlines(keepends=True)
    for number, key in enumerate(KEYS):
        system.pipe_file(f"keys/{key}", lines[number])
    for other in ("data1", "stAr", "qq"):
        system.pipe_file(f"keys/in/{other}.ndjson", b'{"id":"wrong"}\n')
    common: dict[str, Any] = {"client": client, "storage_options": options}
    urls = [f"s3://keys/{key}" for key in KEYS]
    manifest = process_dataset(urls, "s3://keys/all", **common)
    assert [each["file"] for each in manifest["inputs"]] == urls
    out = b"".join(system.cat_file(f"keys/all/{part['part']}") for part in manifest["parts"])
    assert out == forstcore.process_block(b"".join(lines[: len(KEYS)]))
    # A name without a file is a pattern.
    one = process_dataset("s3://keys/in/data[0-9].ndjson", "s3://keys/one", **common)
    assert [each["file"] for each in one["inputs"]] == ["s3://keys/in/data1.ndjson"]


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", ["out[1]", "o*t", "q?", "a::b", "simplecache::x"])
def test_a_destination_is_no_pattern(client: Client, options: dict[str, Any], name: str) -> None:
    import fsspec

    from forstcore.cluster import process_dataset

    system = fsspec.filesystem("s3", **options)
    system.makedirs("places", exist_ok=True)
    system.pipe_file("places/in.ndjson", RECORDS)
    common: dict[str, Any] = {"client": client, "storage_options": options, "blocksize": 20_000}
    neighbours = ["out1", "out", "qq", "a", "b"]
    for neighbour in neighbours:
        process_dataset(
            "s3://places/in.ndjson", f"s3://places/{neighbour}", overwrite=True, **common
        )
    system.invalidate_cache()
    before = {each: system.cat(system.find(f"places/{each}")) for each in neighbours}
    url = f"s3://places/{name}"
    first = process_dataset("s3://places/in.ndjson", url, **common)
    assert process_dataset("s3://places/in.ndjson", url, resume=True, **common) == first
    few = process_dataset(
        "s3://places/in.ndjson", url, overwrite=True, **common | {"blocksize": 1 << 20}
    )
    assert len(few["parts"]) == 1 < len(first["parts"])
    system.invalidate_cache()
    found = {each["Key"].rpartition("/")[2] for each in system.ls(f"places/{name}", detail=True)}
    assert found == {"manifest.json", "part-00000.ndjson"}
    assert {each: system.cat(system.find(f"places/{each}")) for each in neighbours} == before


@pytest.mark.long
def test_no_input_lies_where_parts_go(client: Client, options: dict[str, Any]) -> None:
    import fsspec

    from forstcore.cluster import process_dataset

    system = fsspec.filesystem("s3", **options)
    system.mkdir("same")
    key = "same/set[1]/part-00000.ndjson"
    system.pipe_file(key, RECORDS)
    common: dict[str, Any] = {"client": client, "storage_options": options, "blocksize": 20_000}
    for url in (f"s3://{key}", f"s3a://{key}", "s3://same/set[[]1]/part-*"):
        for how in ("", "overwrite", "resume"):
            more: dict[str, Any] = {how: True} if how else {}
            with pytest.raises(FileExistsError, match=r"holds the input s3a?://same/set") as caught:
                process_dataset(url, "s3://same/set[1]/", **common, **more)
            assert "overwrite" not in str(caught.value)
    chained = {**common, "storage_options": {"s3": options}}
    for url in (f"simplecache::s3://{key}", "dir://part-00000.ndjson::s3://same/set[1]"):
        with pytest.raises(FileExistsError, match="holds the input"):
            process_dataset(url, "s3://same/set[1]", **chained, overwrite=True)
    assert system.cat_file(key) == RECORDS
    # Foreign files are not removed.
    system.pipe_file("same/other.ndjson", RECORDS)
    with pytest.raises(FileExistsError, match="which forstcore did not write"):
        process_dataset("s3://same/other.ndjson", "s3://same/set[1]", overwrite=True, **common)
    assert system.cat_file(key) == RECORDS


@pytest.mark.long
def test_a_changed_object_is_another_input(client: Client, options: dict[str, Any]) -> None:
    import fsspec

    from forstcore.cluster import process_dataset

    system = fsspec.filesystem("s3", **options)
    system.mkdir("changed")
    system.pipe_file("changed/in", RECORDS)
    elsewhere = fsspec.filesystem("s3", skip_instance_cache=True, **options)
    common: dict[str, Any] = {"client": client, "storage_options": options}
    process_dataset("s3://changed/i*", "s3://changed/out", **common)
    assert system.ls("changed")
    # Cached listings must not hide a change.
    elsewhere.pipe_file("changed/in", RECORDS.replace(b"reading 1", b"reading 2"))
    with pytest.raises(FileExistsError, match="other files, another processor"):
        process_dataset("s3://changed/in", "s3://changed/out", resume=True, **common)
    assert system.ls("changed")
    elsewhere.pipe_file("changed/i[n]", RECORDS)
    found = process_dataset("s3://changed/i[n]", "s3://changed/next", **common)["inputs"]
    assert [each["file"] for each in found] == ["s3://changed/i[n]"]
