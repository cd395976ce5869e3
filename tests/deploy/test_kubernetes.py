"""The Kubernetes manifests, against their schemas, the strictest policy and a real server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import kubernetes_validate
import pytest
import yaml

from server.config import load_config
from tests import children
from tests.deploy.proxies import DEPLOY
from tests.servers import StartServer

FILES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
# The first version with sidecars enabled by default, and the newest known one.
VERSIONS = ["1.29", kubernetes_validate.latest_version()]
PYTHON = "/opt/forstcore/bin/python"


def objects() -> list[dict[str, Any]]:
    return [each for path in FILES for each in yaml.safe_load_all(path.read_text())]


def of_kind(kind: str, name: str = "forstcore") -> dict[str, Any]:
    (found,) = (
        each for each in objects() if (each["kind"], each["metadata"]["name"]) == (kind, name)
    )
    return found


def pods() -> Iterator[dict[str, Any]]:
    for each in objects():
        if each["kind"] == "Deployment":
            yield each["spec"]["template"]


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def servers() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each container with a server, and its pod."""
    return [
        (each, pod)
        for pod in pods()
        for each in containers(pod)
        if each["image"].startswith("forstcore:")
    ]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("each", objects(), ids=lambda each: str(each["kind"]))
def test_the_schema_takes_it(each: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(each, version, strict=True)


def test_a_mistake_would_be_seen() -> None:
    deployment = of_kind("Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["readinessProb"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, VERSIONS[-1], strict=True)


def test_pods_keep_to_the_restricted_policy() -> None:
    for pod in pods():
        of_pod = pod["spec"]["securityContext"]
        assert of_pod["runAsNonRoot"] is True
        assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod["spec"].keys()
        assert {kind for each in pod["spec"]["volumes"] for kind in each} <= {
            "name", "emptyDir", "secret"
        }  # fmt: skip
        for each in containers(pod):
            assert each["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "memory" in each["resources"]["limits"]
            assert {"cpu", "memory"} <= each["resources"]["requests"].keys()


def test_names_mean_each_other() -> None:
    pod = of_kind("Deployment")["spec"]["template"]
    labels = pod["metadata"]["labels"]
    for selector in (
        of_kind("Service")["spec"]["selector"],
        of_kind("Deployment")["spec"]["selector"]["matchLabels"],
        of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        pod["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    ):
        assert selector == labels
    ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    (port,) = of_kind("Service")["spec"]["ports"]
    assert port["targetPort"] in ports
    target = of_kind("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", "forstcore")
    for pod in pods():
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
        mounts = {m["name"] for each in containers(pod) for m in each.get("volumeMounts", [])}
        assert mounts == volumes


@pytest.mark.parametrize(("container", "pod"), servers(), ids=["sidecar", "service"])
def test_its_options_fit(container: dict[str, Any], pod: dict[str, Any]) -> None:
    arguments = [each for each in container["args"] if not each.startswith("--token-file=")]
    config = load_config(arguments, {})
    grace = pod["spec"]["terminationGracePeriodSeconds"]
    assert config.drain_delay + config.drain_timeout + 10 <= grace
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    # Everything else is read-only.
    assert config.spool_dir in mounts
    probe = container.get("readinessProbe")
    if probe is not None:
        assert probe["periodSeconds"] * probe["failureThreshold"] < config.drain_delay


@pytest.mark.parametrize(("container", "pod"), servers(), ids=["sidecar", "service"])
def test_it_serves_with_these_arguments(
    container: dict[str, Any], pod: dict[str, Any], start_one: StartServer, tmp_path: Any
) -> None:
    (tmp_path / "token").write_text("hush")
    at = {"/spool": str(tmp_path), "/run/secrets/forstcore/token": str(tmp_path / "token")}
    arguments = []
    for each in container["args"]:
        name, _, value = each.partition("=")
        arguments.append(f"{name}={at.get(value, value)}")
    named = {each["name"]: each["value"] for each in container.get("env", ())}
    server = start_one(*arguments, "--drain-delay=0", env=named)
    ports = {port["name"]: port["containerPort"] for port in container.get("ports", ())}
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = container.get(kind, {})
        if "httpGet" in probe:
            assert ports[probe["httpGet"]["port"]] == 8080
            with urlopen(server.url + probe["httpGet"]["path"], timeout=5) as answer:
                assert answer.status == 200
        if "exec" in probe:
            assert ask(probe["exec"]["command"], server.port) == 0
    assert server.stop() == 0
    for kind in ("startupProbe", "livenessProbe"):
        if "exec" in container[kind]:
            assert ask(container[kind]["exec"]["command"], server.port) == 1
    if "env" not in container:
        # The image listens on all interfaces, which requires a token.
        assert any(each.startswith("--token-file=") for each in container["args"])


def ask(command: list[str], port: int) -> int:
    """Run the command of a probe; return its exit status."""
    assert command[0] == PYTHON
    code = command[-1]
    assert code.count("127.0.0.1:8080") == 1
    done = children.run(
        [sys.executable, *command[1:-1], code.replace(":8080", f":{port}")],
    )  # fmt: skip
    return done.returncode
