"""The wheel has everything users need, the sdist everything the wheel and the tests need."""

from __future__ import annotations

import re
import shutil
import sys
import sysconfig
import tarfile
import zipfile
from email import message_from_string

import pytest

from tests import children
from tests.packaging.conftest import Installed
from tests.servers import ROOT

STREAM = """
import sys
import forstcore
assert not forstcore.__file__.startswith(sys.argv[1]), forstcore.__file__
stream = forstcore.RecordStream()
print((stream.feed(b'{"id":"1","data":"a"}') + stream.finish()).decode(), end="")
"""


def test_it_holds_what_users_need_and_no_more(installed: Installed) -> None:
    names = {
        name for name in zipfile.ZipFile(installed.wheel).namelist() if "dist-info" not in name
    }
    assert {name.split("/")[0] for name in names} == {"forstcore", "server"}
    headers = {path.name for path in (ROOT / "forstcore").glob("*.h")}
    for name in ("native.pxd", "_proc.pxd", "_proc.pyi", "py.typed", *headers):
        assert f"forstcore/{name}" in names
    assert not [name for name in names if name.endswith((".c", ".pyx"))]
    compiled = {name.split(".")[0] for name in names if name.endswith((".so", ".pyd"))}
    assert compiled == {
        str(path.relative_to(ROOT).with_suffix(""))
        for package in ("forstcore", "server")
        for path in (ROOT / package).rglob("*.pyx")
    }
    in_checkout = {
        str(path.relative_to(ROOT))
        for package in ("forstcore", "server")
        for path in (ROOT / package).rglob("*.py")
    }
    assert in_checkout == {name for name in names if name.endswith(".py")}


def test_the_sdist_holds_what_is_in_the_repository(installed: Installed) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no repository, so there is nothing to compare with")
    listed = children.run(["git", "ls-files", "-z"], cwd=ROOT, text=True, check=True).stdout.split(
        "\0"
    )
    tracked = {name for name in listed if (ROOT / name).is_file()}
    with tarfile.open(installed.sdist) as archive:
        names = {
            member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()
        }
    # Generated C would depend on one version of Cython.
    assert not {name for name in names if name.endswith((".so", ".pyd", ".pyc"))}
    assert {name for name in names if name.endswith(".c")} <= tracked
    assert {name for name in tracked if not name.startswith(".")} <= names


def test_it_processes_records(installed: Installed) -> None:
    out = installed.run("-c", STREAM, ROOT)
    assert out == '{"id":"1","result":"processed_a","status":"success"}\n'


def test_the_server_starts(installed: Installed) -> None:
    assert "streaming" in installed.run("-m", "server", "--help")


def test_it_brings_orjson_where_that_has_wheels(installed: Installed) -> None:
    archive = zipfile.ZipFile(installed.wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = message_from_string(archive.read(name).decode())
    needed = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]
    is_free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    assert any(each.startswith("orjson") for each in needed) == (not is_free_threaded)
    assert any(each.startswith("aiohttp") for each in needed)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="about ELF files")
def test_it_has_no_symbols_and_runs_with_an_old_c_library(installed: Installed) -> None:
    archive = zipfile.ZipFile(installed.wheel)
    for name in archive.namelist():
        if name.endswith(".so"):
            sections = archive.read(name)
            assert b".symtab" not in sections, name
            assert b".debug_info" not in sections, name
    auditwheel = shutil.which("auditwheel", path=sysconfig.get_path("scripts"))
    if auditwheel is None:
        pytest.skip("needs auditwheel")
    done = children.run([auditwheel, "show", installed.wheel], text=True, check=True)
    text = " ".join(done.stdout.split())
    found = re.findall(r"(lib\w+\.so\.\d+) with versions {(.*?)}", text)
    # exp, log and pow of glibc 2.29 are another version. Wheels are built with an older glibc.
    newer = {
        (library, version)
        for library, versions in found
        for version in re.findall(r"GLIBC_([\d.]+)", versions)
        if [*map(int, version.split("."))] > [2, 17]
    }
    assert "libc.so.6" in dict(found)
    assert newer <= {("libm.so.6", "2.29")}
