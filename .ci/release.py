"""The version of a release, which stands in several files.

`python .ci/release.py cut 1.2.3` writes it there, and gives the unreleased part of the changelog a
heading. `python .ci/release.py check v1.2.3` fails unless the tag, the version and the changelog
agree; so nothing else is published.
"""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path

_CODE = Path("forstcore/_version.py")
_CHANGELOG = Path("CHANGELOG.md")
_IMAGE = re.compile(r"(?<=image: forstcore:)\S+")
_UNRELEASED = "## [Unreleased]\n"


def _version() -> str:
    (found,) = re.findall(r'^VERSION = "(.*)"$', _CODE.read_text(encoding="utf-8"), re.MULTILINE)
    return str(found)


def _deployments() -> list[Path]:
    return sorted(
        path for path in Path("deploy").rglob("*.yaml") if _IMAGE.search(path.read_text())
    )


def disagreements(tag: str) -> list[str]:
    """Return what contradicts a tag."""
    version = _version()
    found = []
    if tag != f"v{version}":
        found.append(f"the tag is {tag}, and {_CODE} has {version}")
    changelog = _CHANGELOG.read_text(encoding="utf-8")
    latest = re.search(r"^## \[([^]]+)\] - \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)
    if latest is None or latest[1] != version:
        found.append(f"the latest release in {_CHANGELOG} is {latest and latest[1]}, not {version}")
    if re.search(rf"^{re.escape(_UNRELEASED)}\s*^(?!## )\S", changelog, re.MULTILINE):
        found.append(f"{_CHANGELOG} has unreleased changes")
    for path in _deployments():
        others = {*_IMAGE.findall(path.read_text(encoding="utf-8"))} - {version}
        found += [f"{path} has {other}, not {version}" for other in sorted(others)]
    return found


def cut(version: str) -> None:
    """Make the unreleased part of the changelog a release of today.

    Raises:
        SystemExit: there is nothing to release, or that is no version.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", version):
        sys.exit(f"a version is like 1.2.3 or 1.2.3rc1, not {version!r}")
    changelog = _CHANGELOG.read_text(encoding="utf-8")
    if not re.search(rf"^{re.escape(_UNRELEASED)}\s*^(?!## )\S", changelog, re.MULTILINE):
        sys.exit(f"{_CHANGELOG} has no unreleased changes")
    heading = f"{_UNRELEASED}\n## [{version}] - {datetime.now(UTC):%Y-%m-%d}\n"
    _CHANGELOG.write_text(changelog.replace(_UNRELEASED, heading, 1), encoding="utf-8")
    code = _CODE.read_text(encoding="utf-8")
    _CODE.write_text(code.replace(f'"{_version()}"', f'"{version}"'), encoding="utf-8")
    for path in _deployments():
        text = path.read_text(encoding="utf-8")
        path.write_text(_IMAGE.sub(version, text), encoding="utf-8")


def main(action: str = "", argument: str = "") -> None:
    """Do what the command line says."""
    if action == "cut":
        cut(argument)
        print(f"Commit this, then push the tag v{argument}.")
    elif action == "check":
        sys.exit("\n".join(disagreements(argument)) or None)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:3])
