"""`make ci-local` can run all steps of the workflows, and the workflows are complete."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import platform
import re
import shutil
import sys
import sysconfig
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests import children
from tests.servers import ROOT

yaml = pytest.importorskip("yaml", reason="needs pyyaml")
sys.path.insert(0, str(ROOT / ".ci"))
try:
    local: Any = importlib.import_module("local")
    interpreters: Any = importlib.import_module("interpreters")
    workflow: Any = importlib.import_module("workflow")
finally:
    sys.path.remove(str(ROOT / ".ci"))

JOBS = workflow.read(ROOT / ".github/workflows")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_no_run_that_may_publish_is_cancelled() -> None:
    for path in (ROOT / ".github/workflows").glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        if cancels := yaml.safe_load(text)["concurrency"]["cancel-in-progress"]:
            assert cancels == "${{ !startsWith(github.ref, 'refs/tags/') }}", path


@pytest.mark.parametrize("job", JOBS, ids=lambda job: str(job.title))
def test_every_step_is_known(job: Any) -> None:
    known = {"checkout", "setup-python", "setup-node", "upload-artifact", "download-artifact"}
    for step in job.steps:
        action = step.get("uses", "").partition("@")[0]
        assert (
            "run" in step or action in local.ELSEWHERE or action.removeprefix("actions/") in known
        )
        assert "${{ matrix" not in str(step)


def test_tests_and_wheels_are_for_the_same_versions() -> None:
    tested = {
        (job.values["runner"], job.values["python"]) for job in JOBS if job.name == "ci.tests"
    }
    built = PROJECT["tool"]["cibuildwheel"]["build"]
    versions = {f"{each[2]}.{each[3:].removesuffix('-*')}" for each in built}
    assert versions == {"3.11", "3.12", "3.13", "3.14", "3.14t", "3.15"}
    assert tested == {
        (runner, version)
        for runner in ("ubuntu-latest", "macos-15", "windows-latest")
        for version in versions
    }
    classified = {each.rpartition(" ")[2] for each in PROJECT["project"]["classifiers"]}
    assert {each.removesuffix("t") for each in versions} <= classified


def test_a_release_needs_all_tests() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/wheels.yml").read_text())["jobs"]
    assert {"version", "tests", "wheels"} <= {*jobs["publish"]["needs"]}
    assert jobs["tests"]["uses"] == "./.github/workflows/ci.yml"
    assert "release.py check" in str(jobs["version"])


def test_the_npm_package_is_published_from_what_was_tested(run: Any) -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/npm.yml").read_text())["jobs"]
    assert {"version", "package"} <= {*jobs["publish"]["needs"]}
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert "tests/typescript" in str(jobs["package"])
    *_, publish = jobs["publish"]["steps"]
    assert publish["run"].startswith("npm publish")
    # On this machine it must not run.
    assert run.step(publish) == "without npm publish"


@pytest.fixture
def run(tmp_path: Path) -> Any:
    if shutil.which("bash") is None:
        pytest.skip("needs bash")
    (tmp_path / "job").mkdir()
    python = interpreters.Interpreter(sys.executable, "3")
    return local.Run(
        "job",
        tmp_path / "job",
        tmp_path / "artifacts",
        python,
        tmp_path / "log",
        tmp_path / "nodes",
    )


def test_steps_share_variables_and_artifacts(run: Any) -> None:
    run.step({"run": 'mkdir out; echo "COLOR=blue" >> "$GITHUB_ENV"'})
    run.step({"run": 'echo "$COLOR $SHAPE" > out/a.txt', "env": {"SHAPE": "round"}})
    run.step({"run": "echo here > b.txt", "working-directory": "out"})
    assert (run.directory / "out" / "b.txt").read_text() == "here\n"
    run.step({"uses": "actions/upload-artifact@1", "with": {"name": "one", "path": "out/*.txt"}})
    run.step({"uses": "actions/download-artifact@1", "with": {"pattern": "{o*,x}", "path": "in"}})
    assert (run.directory / "in" / "a.txt").read_text() == "blue round\n"


@pytest.mark.parametrize("wanted", ["here", pytest.param("24", marks=pytest.mark.long)])
def test_a_job_has_the_version_of_node_that_it_asks_for(run: Any, wanted: str) -> None:
    if shutil.which("npm") is None:
        pytest.skip("needs Node with npm")
    (version,) = children.run(["node", "--version"], text=True).stdout.split()
    major = version[1:].partition(".")[0] if wanted == "here" else wanted
    try:
        run.step({"uses": "actions/setup-node@1", "with": {"node-version": major}})
    except local.Failed as failed:
        log = run.nodes / f"{major}.log"
        if "npm error network" in log.read_text(encoding="utf-8"):
            pytest.skip("needs a package registry that npm can reach")
        raise AssertionError(failed) from failed
    run.step({"run": "node --version > which.txt; npm --version"})
    assert (run.directory / "which.txt").read_text().startswith(f"v{major}.")
    assert run.nodes.exists() == (wanted != "here" and not version.startswith(f"v{major}."))


def test_without_npm_a_job_for_another_version_of_node_fails(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(run.directory))
    with pytest.raises(local.Failed, match="no Node 24 on this machine, and no npm"):
        run.step({"uses": "actions/setup-node@1", "with": {"node-version": "24"}})


@pytest.mark.parametrize(
    "step",
    [
        {"run": "false; true"},
        {"run": "false | true", "shell": "bash"},
        {"uses": "actions/download-artifact@1", "with": {"name": "none"}},
        {
            "uses": "actions/upload-artifact@1",
            "with": {"name": "none", "path": "none/*", "if-no-files-found": "error"},
        },
        {"uses": "somebody/something@1"},
    ],
)
def test_a_step_fails_as_on_github(run: Any, step: dict[str, Any]) -> None:
    with pytest.raises(local.Failed):
        run.step(step)


def test_versions_may_precede_jobs() -> None:
    known = {job.name for job in JOBS}
    options = local.parse(["--python", "3.14", "ci.tests", "--python", "3.15"], known)
    assert (options.jobs, options.python) == (["ci.tests"], ["3.14", "3.15"])


def planned(*arguments: str) -> dict[tuple[str, str], str]:
    options = local.parse([*arguments], {job.name for job in JOBS})
    return {(job.title, version): why for job, version, why in local.plan(JOBS, options)}


def test_the_table_says_what_is_not_run() -> None:
    everything = planned()
    for job in JOBS:
        (whys,) = [{why for (title, _), why in everything.items() if title == job.title}]
        assert all("has to be named" in why for why in whys) == (job.name in local.HOURS)
    assert len([title for title, _ in everything if title == "wheels.wheels ubuntu-latest"]) == 6

    some = planned("--python", "3.14", "ci.sdist", "ci.tests")
    linux = {
        version: why for (title, version), why in some.items() if "tests ubuntu-latest" in title
    }
    assert {version for version, why in linux.items() if not why} == {"3.14"}
    assert {why for version, why in linux.items() if version != "3.14"} == {
        "not run: only 3.14 wanted"
    }
    assert some["ci.sdist", "3.13"] == ""
    assert planned("ci.gate") == {("ci.gate", "3.11"): ""}


def test_a_failed_job_leaves_its_files_and_no_old_artifacts(tmp_path: Path) -> None:
    if platform.machine() not in workflow.RUNNERS.values() or shutil.which("bash") is None:
        pytest.skip("needs bash, and an architecture of Linux runners")
    (runner,) = [
        name for name, machine in workflow.RUNNERS.items() if machine == platform.machine()
    ]
    keep = {"uses": "actions/upload-artifact@1", "with": {"name": "one", "path": "*.txt"}}
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    version += "t" * bool(sysconfig.get_config_var("Py_GIL_DISABLED"))

    def do(script: str) -> str:
        job = workflow.Job("ci.trial", {}, [], runner, "", [{"run": script}, keep])
        local.clear(job, tmp_path / "artifacts")
        return str(local._do(job, version, tmp_path, tmp_path))

    directory = tmp_path / f"ci.trial_{version}"
    assert do("touch a.txt").startswith(f"passed on {version}.")
    assert not directory.exists()
    assert str(directory) in do("touch b.txt; false")
    assert [path.name for path in directory.iterdir()] == ["b.txt"]
    assert not list(tmp_path.glob("artifacts/*"))
    assert do("touch c.txt").startswith("passed")
    assert [path.name for path in tmp_path.glob("artifacts/one/*")] == ["c.txt"]


def test_an_unknown_job_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        local.parse(["ci.tests", "ci.test"], {"ci.tests", "ci.sdist"})
    assert stopped.value.code == 2
    assert "no job ci.test; there are ci.sdist, ci.tests" in capsys.readouterr().err


def test_what_debian_lacks_is_not_to_be_had(tmp_path: Path) -> None:
    with pytest.raises(interpreters.NotToBeHad, match="Debian does not have it"):
        interpreters.find("3.99t", tmp_path)


def test_the_published_npm_package_names_its_repository(tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("needs npm")
    shutil.copy(ROOT / "clients/typescript/package.json", tmp_path)
    jobs = yaml.safe_load((ROOT / ".github/workflows/npm.yml").read_text())["jobs"]
    commands = [step.get("run", "") for step in jobs["package"]["steps"]]
    (named,) = [index for index, each in enumerate(commands) if "npm pkg set" in each]
    assert named < commands.index("npm pack")
    url = "https://github.com/someone/forstcore"
    environment = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": url[19:]}
    done = children.run(
        ["bash", "-ec", commands[named]], cwd=tmp_path, env={**os.environ, **environment}, text=True
    )
    assert done.returncode == 0, done.stderr
    described = json.loads((tmp_path / "package.json").read_text(encoding="utf-8"))
    assert described["repository"]["url"] == f"git+{url}.git"
    assert (ROOT / described["repository"]["directory"] / "package.json").exists()
    assert described["homepage"] == f"{url}#readme"
    assert described["bugs"] == {"url": f"{url}/issues"}


def test_the_group_for_wheels_has_what_their_tests_import() -> None:
    given = {"forstcore", *map(_name_of, PROJECT["dependency-groups"]["test-wheel"])}
    while (
        more := {
            _name_of(text)
            for each in given
            for text in metadata.requires(each) or []
            if "extra ==" not in text and _is_installed(_name_of(text))
        }
        - given
    ):
        given |= more
    distributions = metadata.packages_distributions()
    ours = {"forstcore", "server", "tests", *sys.stdlib_module_names}
    paths = {
        path for folder in ("core", "server") for path in (ROOT / "tests" / folder).glob("*.py")
    }
    imported = {
        name.partition(".")[0]: path.name
        for path in paths
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        for name in _imports_of(node)
    }
    missing = {
        name: path
        for name, path in imported.items()
        if name not in ours and not given & {*map(_name_of, distributions.get(name, []))}
    }
    assert missing == {}


def _imports_of(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module]
    return []


def _name_of(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True
