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
    """The options of fsspec for an S3 of our own."""
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
