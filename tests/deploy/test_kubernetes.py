"""The Kubernetes manifests, against their schemas, the strictest policy and a real server."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from urllib.request import urlopen

import jsonschema
import kubernetes_validate
import pytest
import yaml

from server.config import load_config
from tests import children
from tests.deploy import compose_file
from tests.deploy.proxies import DEPLOY
from tests.servers import StartServer

FILES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
# The first version with sidecars enabled by default, and the newest known one.
VERSIONS = ["1.29", kubernetes_validate.latest_version()]
PYTHON = "/opt/forstcore/bin/python"


# What KEDA's definition of its resource says about the members that are used here.
SCALED_OBJECT: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["scaleTargetRef", "triggers"],
    "properties": {
        "scaleTargetRef": {
            "type": "object",
            "additionalProperties": False,
            "required": ["name"],
            "properties": {"apiVersion": {"type": "string"}, "name": {"type": "string"}},
        },
        "minReplicaCount": {"type": "integer"},
        "maxReplicaCount": {"type": "integer"},
        "pollingInterval": {"type": "integer"},
        "advanced": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "horizontalPodAutoscalerConfig": {
                    "type": "object",
                    "additionalProperties": False,
                    # The schema of Kubernetes itself has the rest.
                    "properties": {"behavior": {"type": "object"}},
                }
            },
        },
        "triggers": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["type", "metadata"],
                "properties": {
                    "type": {"const": "kafka"},
                    "metadata": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["bootstrapServers", "consumerGroup", "topic"],
                        "properties": {
                            "bootstrapServers": {"type": "string"},
                            "consumerGroup": {"type": "string"},
                            "topic": {"type": "string"},
                            "lagThreshold": {"type": "string", "pattern": "^[0-9]+$"},
                            "offsetResetPolicy": {"enum": ["earliest", "latest"]},
                            "allowIdleConsumers": {"enum": ["true", "false"]},
                        },
                    },
                },
            },
        },
    },
}


def objects() -> list[dict[str, Any]]:
    return [each for path in FILES for each in yaml.safe_load_all(path.read_text())]


def of_kubernetes() -> list[dict[str, Any]]:
    return [each for each in objects() if not each["apiVersion"].startswith("keda.sh/")]


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
        if each["image"].startswith("forstcore:") and "command" not in each
    ]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("each", of_kubernetes(), ids=lambda each: str(each["kind"]))
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
            "name", "emptyDir", "secret", "configMap"
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


def test_the_schema_takes_what_keda_scales() -> None:
    scaled = of_kind("ScaledObject", "totals")
    assert scaled.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert scaled["apiVersion"] == "keda.sh/v1alpha1"
    spec = scaled["spec"]
    jsonschema.validate(spec, SCALED_OBJECT)
    # KEDA makes an autoscaler with these values.
    target = {"apiVersion": "apps/v1", "kind": "Deployment", **spec["scaleTargetRef"]}
    made = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": scaled["metadata"],
        "spec": {
            "scaleTargetRef": target,
            "minReplicas": spec["minReplicaCount"],
            "maxReplicas": spec["maxReplicaCount"],
            **spec["advanced"]["horizontalPodAutoscalerConfig"],
        },
    }
    for version in VERSIONS:
        kubernetes_validate.validate(made, version, strict=True)
    assert of_kind(target["kind"], target["name"])


def test_pods_run_the_pipeline_whose_lag_scales_them() -> None:
    pod = of_kind("Deployment", "totals")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    composed = compose_file.SERVICES["totals"]
    assert container["image"] == composed["image"]
    assert container["command"] == composed["entrypoint"]
    assert container["args"] == composed["command"]
    assert container["workingDir"] == composed["working_dir"]
    (mount,) = container["volumeMounts"]
    assert mount["mountPath"] == container["workingDir"]
    (variable,) = container["env"]
    assert {variable["name"]} == composed["environment"].keys()
    (volume,) = pod["volumes"]
    text = (DEPLOY / "kubernetes" / "pipelines.yaml").read_text()
    files = " ".join(
        f"--from-file={path.name}"
        for path in sorted(compose_file.DIRECTORY.iterdir())
        if path.suffix in (".toml", ".py")
    )
    assert f"kubectl create configmap {volume['configMap']['name']} {files}\n" in text
    spec = of_kind("ScaledObject", "totals")["spec"]
    (trigger,) = spec["triggers"]
    assert spec["maxReplicaCount"] == compose_file.PARTITIONS
    table = tomllib.loads((compose_file.DIRECTORY / "pipelines.toml").read_text())
    source = urlsplit(table["pipelines"]["totals"]["source"])
    options = dict(parse_qsl(source.query))
    assert source.netloc == f"${{{variable['name']}}}"
    assert trigger["metadata"]["bootstrapServers"] == variable["value"]
    assert trigger["metadata"]["consumerGroup"] == options["group"]
    assert trigger["metadata"]["topic"] == options["topic"]


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
