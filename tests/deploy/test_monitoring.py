"""The alert rules and the Grafana dashboard: by Prometheus' own tools, and by a real Prometheus."""

from __future__ import annotations

import json
import re
import shutil
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from forstcore.wire import StreamErrorCode
from tests import children
from tests.server.raw import RawStream
from tests.server.requests import TOKEN, ask
from tests.servers import ROOT, StartServer, free_port, wait_until

MONITORING = ROOT / "deploy" / "monitoring"
ALERTS = MONITORING / "alerts.yml"
PIPELINE = """
[pipelines.copy]
source = "file:{directory}/in.ndjson"
sink = "file:{directory}/out.ndjson"
"""
_NAME = re.compile(r"\b(?:forstcore|process)_[a-z_]+\b")
_SUFFIX = re.compile(r"_(?:total|created|bucket|sum|count)$")


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}")
    return found


def rules() -> dict[str, str]:
    """Return the expressions of the alerts by name."""
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    return {rule["alert"]: rule["expr"] for rule in group["rules"]}


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    return found


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions() -> dict[str, str]:
    """Return the expressions of the dashboard, with a value for each of Grafana's variables."""
    found = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in panels()
        for target in panel["targets"]
    }
    found |= {each["name"]: each["expr"] for each in dashboard()["annotations"]["list"]}
    values = {"$__rate_interval": "10s", "$job": "forstcore", "$instance": ".+"}
    for name, expression in found.items():
        for variable, value in values.items():
            expression = expression.replace(variable, value)
        assert "$" not in expression
        found[name] = expression
    return found


def test_promtool_accepts_rules_and_configuration(tmp_path: Path) -> None:
    promtool = tool("promtool")
    checked = children.run([promtool, "check", "rules", str(ALERTS)], text=True)
    assert checked.returncode == 0, checked.stderr
    text = (MONITORING / "prometheus.yml").read_text()
    assert "/etc/prometheus/forstcore-token" in text
    (tmp_path / "token").write_text(TOKEN)
    shutil.copy(ALERTS, tmp_path)
    config = tmp_path / "prometheus.yml"
    config.write_text(text.replace("/etc/prometheus/forstcore-token", str(tmp_path / "token")))
    checked = children.run([promtool, "check", "config", str(config)], text=True)
    assert checked.returncode == 0, checked.stderr


def _case(alert: str, series: dict[str, str], at: str, labels: dict[str, str] | None) -> object:
    """Return a case of `promtool test rules`: series, and whether an alert fires."""
    expected = [] if labels is None else [{"exp_labels": {"severity": "warning", **labels}}]
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [{"alertname": alert, "eval_time": at, "exp_alerts": expected}],
    }


def test_alerts_fire_when_they_should(tmp_path: Path) -> None:
    one = {"job": "forstcore", "instance": "a"}
    label = '{job="forstcore",instance="a"}'
    refused = '{job="forstcore",instance="a",reason="%s"}'
    cases = [
        _case("ForstcoreDown", {f"up{label}": "1 1 0x9"}, "2m", None),
        _case("ForstcoreDown", {f"up{label}": "1 1 0x9"}, "5m", {**one, "severity": "critical"}),
        *(
            _case(
                "ForstcoreStreamsNearLimit",
                {
                    f"forstcore_streams_open{label}": f"{streams}x20",
                    "forstcore_streams_limit" + label: "100x20",
                },
                "15m",
                expected,
            )
            for streams, expected in ((80, None), (95, one))
        ),
        *(
            _case(
                "ForstcoreAccessDenied",
                {f"forstcore_refused_requests_total{refused % reason}": f"0+{rate}x20"},
                "15m",
                expected,
            )
            for reason, rate, expected in (
                ("token", 600, {**one, "reason": "token"}),
                ("token", 6, None),
                ("not_found", 600, None),
            )
        ),
        _case(
            "ForstcoreRefusesStreams",
            {f"forstcore_refused_requests_total{refused % 'too_many_streams'}": "0+5x20"},
            "15m",
            {**one, "severity": "critical"},
        ),
        *(
            _case(
                "ForstcoreManyRejectedLines",
                {
                    f"forstcore_errors_total{label}": f"0+{errors}x60",
                    f"forstcore_records_total{label}": "0+100x60",
                },
                "45m",
                expected,
            )
            for errors, expected in ((1, None), (50, one))
        ),
        *(
            _case(
                "ForstcorePipelineFallsBehind",
                {'forstcore_pipeline_lag{job="forstcore",instance="a",pipeline="p"}': values},
                "55m",
                expected,
            )
            for values, expected in (
                ("0+10x60", {**one, "pipeline": "p"}),
                ("900-10x60", None),
                ("5x60", None),
            )
        ),
    ]
    # Annotations are not compared, because promtool requires them to be repeated.
    text = re.sub(r"\n {8}annotations:(\n {10}.*)+", "", ALERTS.read_text())
    assert "annotations" not in text
    (tmp_path / "alerts.yml").write_text(text)
    test = {"rule_files": ["alerts.yml"], "evaluation_interval": "1m", "tests": cases}
    (tmp_path / "test.json").write_text(json.dumps(test))
    done = children.run([tool("promtool"), "test", "rules", "test.json"], cwd=tmp_path, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_name_outcomes_and_reasons_that_there_are() -> None:
    text = "".join(rules().values())
    outcomes = set(re.findall(r'outcome="(\w+)"', text)) - {"dropped"}
    assert outcomes <= {each.value for each in StreamErrorCode}
    documented = (ROOT / "docs" / "server.md").read_text()
    for group in re.findall(r'reason=~?"([\w|]+)"', text):
        for reason in group.split("|"):
            assert f"`{reason}`" in documented


def test_every_panel_can_be_drawn() -> None:
    found = dashboard()
    assert len({panel["id"] for panel in found["panels"]}) == len(found["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in found["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
    variables = {each["name"] for each in found["templating"]["list"]}
    assert set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(found))) <= variables


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "in.ndjson").write_text('{"id":"1","data":"x"}\n')
    (tmp_path / "server.toml").write_text(PIPELINE.format(directory=tmp_path))
    (tmp_path / "token").write_text(TOKEN)
    return tmp_path


class Prometheus:
    """A Prometheus that scrapes a server every second, with what is in deploy/monitoring."""

    def __init__(self, directory: Path, target: str) -> None:
        config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
        config["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
        (job,) = config["scrape_configs"]
        job["authorization"]["credentials_file"] = str(directory / "token")
        job["static_configs"] = [{"targets": [target]}]
        (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
        shutil.copy(ALERTS, directory)
        port = free_port()
        self._url = f"http://127.0.0.1:{port}/api/v1"
        self._process = children.start(
            [
                tool("prometheus"),
                f"--config.file={directory}/prometheus.yml",
                f"--storage.tsdb.path={directory}/data",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=error",
            ]
        )

    def ask(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer; None while Prometheus is starting."""
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f"{self._url}/{path}?{query}", timeout=10) as answer:
                document = json.load(answer)
        except OSError as error:
            reason = getattr(error, "read", bytes)()
            assert not reason.startswith(b'{"status":"error"'), reason
            return None
        return document["data"]

    def stop(self) -> None:
        children.end(self._process)


@pytest.fixture
def traffic(start_one: StartServer, directory: Path) -> Iterator[Prometheus]:
    """A Prometheus, and a server of whose metrics each has a value."""
    server = start_one(
        *("--config", str(directory / "server.toml"), "--host", "0.0.0.0"),
        *("--token-file", str(directory / "token"), "--errors", str(directory / "errors")),
        *("--processors", str(ROOT / "examples" / "processors.py")),
    )
    # Not an address that the server knows by name.
    prometheus = Prometheus(directory, f"127.0.0.2:{server.port}")
    token = {"Authorization": f"Bearer {TOKEN}"}

    def work() -> object:
        for path in ("/streaming-process", "/large-dataset-stream"):
            with RawStream(("127.0.0.1", server.port), path=path, headers=token) as stream:
                stream.send(b'{"id":"1","data":"x"}\njunk\n')
                stream.end()
                stream.read_rest()
        assert ask(server, "GET /version HTTP/1.1\nHost: localhost").status == 401
        found = prometheus.ask("query", query="sum(rate(forstcore_lines_total[10s]))")
        return found and found["result"] and float(found["result"][0]["value"][1]) > 0

    server.host = "127.0.0.1"
    try:
        wait_until(work)
        yield prometheus
    finally:
        prometheus.stop()


@pytest.mark.long
def test_prometheus_loads_rules_and_draws_every_panel(traffic: Prometheus) -> None:
    (target,) = traffic.ask("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    wait_until(lambda: all(r["health"] == "ok" for r in _rules(traffic)))
    assert {rule["name"] for rule in _rules(traffic)} == set(rules())
    (pending,) = [rule for rule in _rules(traffic) if rule["name"] == "ForstcoreDown"]
    assert pending["state"] == "inactive"

    exported = set(traffic.ask("metadata"))
    for name, expression in (expressions() | rules()).items():
        for metric in _NAME.findall(expression):
            known = {metric, _SUFFIX.sub("", metric)}
            assert known & exported, f"{name}: there is no {metric}"

    empty = set()
    deadline = time.monotonic() + 30
    for name, expression in expressions().items():
        while not traffic.ask("query", query=expression)["result"]:
            if time.monotonic() > deadline:
                empty.add(name)
                break
            time.sleep(0.2)
    # No processor has given records back, no subscriber missed any, and nothing has restarted.
    assert empty <= {"Records given back by compiled processors A", "Restarts"}
    for expression in rules().values():
        assert traffic.ask("query", query=expression) is not None


def _rules(prometheus: Prometheus) -> list[dict[str, Any]]:
    (group,) = prometheus.ask("rules")["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found
