"""The jobs of the workflows, read from their files."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

RUNNERS = {"ubuntu-latest": "x86_64", "ubuntu-24.04-arm": "aarch64"}
"""The architectures of runners that this machine can replace."""

_EXPRESSION = re.compile(r"\$\{\{ *matrix\.(\w+) *\}\}")


@dataclass(frozen=True)
class Job:
    """One job, for one combination of its matrix.

    Attributes:
        name: of the workflow's file and the job, such as ``ci.tests``.
        values: those of the matrix.
        needs: names of jobs that come first.
        runner: the kind of machine.
        condition: when it runs; empty if always.
        steps: as they stand in the file, with the values of the matrix.
    """

    name: str
    values: dict[str, str]
    needs: list[str]
    runner: str
    condition: str
    steps: list[dict[str, Any]]

    @property
    def title(self) -> str:
        """The name and the values of its matrix."""
        return " ".join([self.name, *self.values.values()])


def read(directory: Path) -> list[Job]:
    """Return the jobs of all workflows, needed ones first.

    A job that calls another workflow counts as that workflow's jobs.
    """
    workflows = {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
        for path in sorted(directory.glob("*.yml"))
    }
    jobs: list[Job] = []
    for workflow, described in workflows.items():
        for name, job in described.items():
            if "uses" not in job:
                jobs += _expand(workflow, name, job, described)
    done: list[Job] = []
    while waiting := [job for job in jobs if job not in done]:
        for job in waiting:
            if not {*job.needs} & {each.name for each in waiting}:
                done.append(job)
    return done


def _expand(workflow: str, name: str, job: dict[str, Any], all_jobs: dict[str, Any]) -> list[Job]:
    needed = job.get("needs", [])
    needs = []
    for each in [needed] if isinstance(needed, str) else needed:
        called = all_jobs[each].get("uses")
        # Of a called workflow, the artifacts are needed: those of its sdist.
        needs.append(f"{Path(called).stem}.sdist" if called else f"{workflow}.{each}")
    return [
        Job(
            f"{workflow}.{name}",
            values,
            needs,
            _filled(job["runs-on"], values),
            job.get("if", ""),
            [_filled(step, values) for step in job["steps"]],
        )
        for values in _matrix(job.get("strategy", {}).get("matrix", {}))
    ]


def _matrix(matrix: dict[str, Any]) -> Iterator[dict[str, str]]:
    lists = {key: value for key, value in matrix.items() if key not in ("include", "exclude")}
    for values in itertools.product(*lists.values()):
        combination = dict(zip(lists, values, strict=True))
        if any(each.items() <= combination.items() for each in matrix.get("exclude", [])):
            continue
        original = dict(combination)
        for each in matrix.get("include", []):
            if {
                key: value for key, value in each.items() if key in lists
            }.items() <= original.items():
                combination.update(each)
        yield combination


def _filled(value: Any, values: dict[str, str]) -> Any:
    """Replace references to the matrix everywhere in a value."""
    if isinstance(value, str):
        return _EXPRESSION.sub(lambda found: values[found[1]], value)
    if isinstance(value, dict):
        return {key: _filled(each, values) for key, each in value.items()}
    return value
