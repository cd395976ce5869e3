"""Outputs keep mode, owner and attributes, and commands respect the permissions of their user."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

import forstcore
from tests import children
from tests.cli.conftest import Run, Start, environment
from tests.cli.files import INPUT, OLD, OUTPUT, drafts, is_root, mode_of, shell

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs files as on Unix")
NOBODY = 65534


def as_nobody(directory: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command as an unprivileged user, who may lack access to Python's directory as well."""
    code = (
        "import os, sys\n"
        "from forstcore.cli import main\n"
        "main(['process', 'in', '-o', '/dev/null', '--errors', '/dev/null'])\n"
        f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    return children.run(
        [sys.executable, "-c", code, *arguments],
        cwd=directory,
        env=environment(),
    )


@pytest.mark.one_in(2)
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o4711, 0o2770])
def test_a_file_keeps_its_mode(run: Run, tmp_path: Path, mode: int) -> None:
    (tmp_path / "in").write_bytes(INPUT)
    for name in ("out", "out.gz", "errors"):
        (tmp_path / name).write_bytes(OLD)
        (tmp_path / name).chmod(mode)
    assert run("process", "in", "-o", "out", "--errors", "errors").returncode == 0
    assert run("process", "in", "-o", "out.gz").returncode == 0
    assert (tmp_path / "out").read_bytes() == OUTPUT
    assert gzip.decompress((tmp_path / "out.gz").read_bytes()) == OUTPUT
    assert [mode_of(tmp_path / name) for name in ("out", "out.gz")] == [mode] * 2
    assert mode_of(tmp_path / "errors") == mode & 0o777 or mode_of(tmp_path / "errors") == mode
    forstcore.process_file(tmp_path / "in", tmp_path / "out", workers=1)
    assert mode_of(tmp_path / "out") == mode


def test_a_new_file_has_the_mode_of_the_umask(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(INPUT)
    assert shell(tmp_path, "umask 027; F process in -o out --errors errors").returncode == 0
    assert (mode_of(tmp_path / "out"), mode_of(tmp_path / "errors")) == (0o640, 0o640)


@is_root
def test_a_file_keeps_its_owner(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(INPUT)
    (tmp_path / "out").write_bytes(OLD)
    (tmp_path / "out").chmod(0o4750)
    os.chown(tmp_path / "out", NOBODY, NOBODY)
    (tmp_path / "out").chmod(0o4750)
    assert run("process", "in", "-o", "out").returncode == 0
    found = (tmp_path / "out").stat()
    assert (found.st_uid, found.st_gid, mode_of(tmp_path / "out")) == (NOBODY, NOBODY, 0o4750)


@pytest.fixture
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that other users can access."""
    path = tmp_path_factory.mktemp("shared")
    for each in (path, *path.parents):
        if each.owner() == "root" and each.is_relative_to(tmp_path_factory.getbasetemp().parent):
            each.chmod(0o755)
    path.chmod(0o777)
    (path / "in").write_bytes(INPUT)
    (path / "in").chmod(0o644)
    return path


@is_root
def test_who_may_not_give_a_file_away_gives_no_rights_away(shared: Path) -> None:
    (shared / "out").write_bytes(OLD)
    (shared / "out").chmod(0o6672)
    done = as_nobody(shared, "process", "in", "-o", "out")
    assert done.returncode == 0, done.stderr
    # The group `root` had more rights than others; the group `nobody` does not get them.
    assert (mode_of(shared / "out"), (shared / "out").stat().st_uid) == (0o622, NOBODY)


@is_root
def test_what_may_not_be_written_is_not_replaced(shared: Path) -> None:
    (shared / "out").write_bytes(OLD)
    (shared / "out").chmod(0o444)
    closed = shared / "closed"
    closed.mkdir()
    (closed / "out").write_bytes(OLD)
    (closed / "out").chmod(0o666)
    for name in ("out", "closed/out"):
        done = as_nobody(shared, "process", "in", "-o", name)
        assert done.returncode == 3
        assert done.stderr.endswith(b"forstcore: %s: Permission denied\n" % name.encode())
        assert (shared / name).read_bytes() == OLD
    # Errors are written in place, which the directory does not matter to.
    assert as_nobody(shared, "process", "in", "-o", "o", "--errors", "closed/out").returncode == 0
    assert (closed / "out").read_bytes().startswith(b'{"file":"in"')


@is_root
def test_links_of_others_are_not_followed_where_everybody_writes(
    run: Run, shared: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").write_bytes(INPUT)
    victim = tmp_path / "victim"
    victim.write_bytes(OLD)
    (shared / "theirs").symlink_to(victim)
    os.chown(shared / "theirs", NOBODY, NOBODY, follow_symlinks=False)
    (shared / "file").write_bytes(OLD)
    os.chown(shared / "file", NOBODY, NOBODY)
    (shared / "ours").symlink_to("new")
    shared.chmod(0o1777)
    for name in ("theirs", "file"):
        for option in ("-o", "--errors"):
            done = run("process", "in", option, shared / name)
            assert done.returncode == 3
            assert b"belongs to another user" in done.stderr
    assert victim.read_bytes() == (shared / "file").read_bytes() == OLD
    assert run("process", "in", "-o", shared / "ours").returncode == 0
    assert (shared / "new").read_bytes() == OUTPUT


def test_drafts_have_names_of_their_own(start: Start, tmp_path: Path) -> None:
    """Drafts have random names, and are opened with O_EXCL, O_NOFOLLOW and mode 600."""
    (tmp_path / "out").write_bytes(OLD)
    (tmp_path / "out").chmod(0o600)
    names = set()
    for _ in range(2):
        process = start("process", "-", "-o", "out")
        while not (found := drafts(tmp_path)):
            assert process.poll() is None
        names.add(found[0])
        assert mode_of(tmp_path / found[0]) == 0o600
        process.terminate()
        process.wait(60)
    assert len(names) == 2
    assert (tmp_path / "out").read_bytes() == OLD


def test_extended_attributes_are_kept(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(INPUT)
    (tmp_path / "out").write_bytes(OLD)
    try:
        os.setxattr(tmp_path / "out", "user.origin", b"plant 7")
    except OSError:
        pytest.skip("needs extended attributes")
    assert run("process", "in", "-o", "out").returncode == 0
    assert os.getxattr(tmp_path / "out", "user.origin") == b"plant 7"


def acl(user: int, rights: int) -> bytes:
    """Return an access control list as Linux keeps it: with an entry for one more user."""
    entries = [(1, 6, -1), (2, rights, user), (4, 4, -1), (16, 6, -1), (32, 0, -1)]
    return b"\2\0\0\0" + b"".join(
        tag.to_bytes(2, "little")
        + right.to_bytes(2, "little")
        + who.to_bytes(4, "little", signed=True)
        for tag, right, who in entries
    )


def test_access_control_lists_are_kept_and_none_is_inherited(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(INPUT)
    for name in ("listed", "plain"):
        (tmp_path / name).write_bytes(OLD)
        (tmp_path / name).chmod(0o660)
    try:
        os.setxattr(tmp_path / "listed", "system.posix_acl_access", acl(NOBODY, 6))
        os.setxattr(tmp_path, "system.posix_acl_default", acl(NOBODY, 6))
    except OSError:
        pytest.skip("needs access control lists")
    for name in ("listed", "plain"):
        assert run("process", "in", "-o", name).returncode == 0
        assert mode_of(tmp_path / name) == 0o660
    assert os.getxattr(tmp_path / "listed", "system.posix_acl_access") == acl(NOBODY, 6)
    assert "system.posix_acl_access" not in os.listxattr(tmp_path / "plain")
