"""The version of a release, which is in several files.

`python .ci/release.py cut 1.2.3` writes it there, and gives the unreleased part of the changelogs a
heading. `python .ci/release.py check v1.2.3` fails unless the tag, the versions and the changelogs
agree; so nothing else is published.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

_CODE = Path("forstcore/_version.py")
_CHANGELOG = Path("CHANGELOG.md")
# The package has the version of the server whose wire contract it implements.
_NPM = Path("clients/typescript")
_NPM_CHANGELOG = _NPM / "CHANGELOG.md"
_IMAGE = re.compile(r"(?<=image: forstcore:)\S+")
_UNRELEASED = "## [Unreleased]\n"


def _version() -> str:
    (found,) = re.findall(r'^VERSION = "(.*)"$', _CODE.read_text(encoding="utf-8"), re.MULTILINE)
    return str(found)


def npm_version(version: str) -> str:
    """Return a version as npm writes it: 1.2.3-rc.1 for 1.2.3rc1."""
    return re.sub(r"(a|b|rc)(\d+)$", r"-\1.\2", version)


def _npm_versions() -> dict[Path, str]:
    package, lock = _NPM / "package.json", _NPM / "package-lock.json"
    root = json.loads(lock.read_text(encoding="utf-8"))
    return {
        package: json.loads(package.read_text(encoding="utf-8"))["version"],
        lock: root["version"] if root["version"] == root["packages"][""]["version"] else "two",
    }


def _deployments() -> list[Path]:
    return sorted(
        path for path in Path("deploy").rglob("*.yaml") if _IMAGE.search(path.read_text())
    )


def _has_unreleased(changelog: Path) -> bool:
    text = changelog.read_text(encoding="utf-8")
    return re.search(rf"^{re.escape(_UNRELEASED)}\s*^(?!## )\S", text, re.MULTILINE) is not None


def disagreements(tag: str) -> list[str]:
    """Return the inconsistencies of a tag."""
    version = _version()
    found = []
    if tag != f"v{version}":
        found.append(f"the tag is {tag}, and {_CODE} has {version}")
    for changelog in (_CHANGELOG, _NPM_CHANGELOG):
        text = changelog.read_text(encoding="utf-8")
        latest = re.search(r"^## \[([^]]+)\] - \d{4}-\d\d-\d\d$", text, re.MULTILINE)
        if latest is None or latest[1] != version:
            found.append(
                f"the latest release in {changelog} is {latest and latest[1]}, not {version}"
            )
        if _has_unreleased(changelog):
            found.append(f"{changelog} has unreleased changes")
    for path in _deployments():
        others = {*_IMAGE.findall(path.read_text(encoding="utf-8"))} - {version}
        found += [f"{path} has {other}, not {version}" for other in sorted(others)]
    for path, other in _npm_versions().items():
        if other != npm_version(version):
            found.append(f"{path} has {other}, not {npm_version(version)}")
    return found


def cut(version: str) -> None:
    """Make the unreleased part of the changelogs a release of today.

    Raises:
        SystemExit: there is nothing to release, or that is no version.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", version):
        sys.exit(f"a version is like 1.2.3 or 1.2.3rc1, not {version!r}")
    if not _has_unreleased(_CHANGELOG):
        sys.exit(f"{_CHANGELOG} has no unreleased changes")
    heading = f"{_UNRELEASED}\n## [{version}] - {datetime.now(UTC):%Y-%m-%d}\n"
    for changelog in (_CHANGELOG, _NPM_CHANGELOG):
        # The package is released with every server.
        none = "" if _has_unreleased(changelog) else "\n- No changes of the package.\n"
        text = changelog.read_text(encoding="utf-8")
        changelog.write_text(text.replace(_UNRELEASED, heading + none, 1), encoding="utf-8")
    code = _CODE.read_text(encoding="utf-8")
    _CODE.write_text(code.replace(f'"{_version()}"', f'"{version}"'), encoding="utf-8")
    for path in _deployments():
        text = path.read_text(encoding="utf-8")
        path.write_text(_IMAGE.sub(version, text), encoding="utf-8")
    for path in _npm_versions():
        text = path.read_text(encoding="utf-8")
        # Those of the package itself come before those of its dependencies.
        count = 2 if path.name == "package-lock.json" else 1
        line = f'"version": "{npm_version(version)}"'
        path.write_text(re.sub(r'"version": "[^"]*"', line, text, count=count), encoding="utf-8")


def main(action: str = "", argument: str = "") -> None:
    """Run the command line."""
    if action == "cut":
        cut(argument)
        print(f"Commit this, then push the tag v{argument}.")
    elif action == "check":
        sys.exit("\n".join(disagreements(argument)) or None)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:3])
