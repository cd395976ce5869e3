"""The sizes of the files that people edit: one concept in each fits into 500 lines."""

from __future__ import annotations

from tests import children
from tests.servers import ROOT

SUFFIXES = (
    *("c", "cpp", "css", "go", "h", "html", "js", "lua", "mjs", "pxd", "py", "pyi", "pyx", "rs"),
    *("sh", "ts"),
)
MOST = 500


def test_no_file_has_more_than_500_lines() -> None:
    # The checkout may belong to another user.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--"]
    patterns = [f"*.{suffix}" for suffix in SUFFIXES]
    listed = children.run([*command, *patterns], cwd=ROOT, text=True, check=True)
    names = listed.stdout.split("\0")[:-1]
    assert len(names) > 500
    sizes = {name: (ROOT / name).read_bytes().count(b"\n") for name in names}
    assert {name: size for name, size in sizes.items() if size > MOST} == {}
