"""Alerts and dashboard speak of metrics that the programs export, and of what people ask."""

import json
import re
from typing import Any

import pytest
import yaml

from tests.chart.helm import CHART, Helm, Object, only
from webhook import metrics as webhook_metrics
from worker import metrics as worker_metrics

FOLDER = CHART / "files" / "monitoring"
SUFFIXES = ("", "_total", "_bucket", "_sum", "_count")
ALERTS = {
    "BackfillStuck",
    "KustoFailing",
    "Lagging",
    "WebhookBundleOutOfSync",
    "WebhookCertificateExpiring",
    "WebhookDenialsSpiking",
    "WebhookDown",
    "WindowsFailing",
    "WorkerHasNoLeader",
}


@pytest.fixture(scope="module")
def exported() -> set[str]:
    """Give the names of all series that webhook and worker can export."""
    webhook, worker = webhook_metrics.Metrics(), worker_metrics.Metrics()
    gauges = (webhook.leaf_expiry, webhook.ca_expiry, webhook.bundle_in_sync)
    assert gauges
    webhook.in_flight(int)
    worker.queue_depth(int)
    worker.rules(int)
    worker.leader(bool)
    families = [*webhook.registry.collect(), *worker.registry.collect()]
    return {family.name + suffix for family in families for suffix in SUFFIXES}


def alerts(helm: Helm, **values: Any) -> list[Object]:
    objects = helm.render(monitoring={"prometheusRule": {"enabled": True}}, **values)
    (group,) = only(objects, "PrometheusRule")["spec"]["groups"]
    rules: list[Object] = group["rules"]
    return rules


def spoken_of(text: str) -> set[str]:
    return set(re.findall(r"summaryrule_(?:webhook|worker)_\w+", text))


def test_the_alerts_are_those_that_the_documentation_lists(helm: Helm) -> None:
    rules = alerts(helm)
    assert {rule["alert"].removeprefix("SummaryRule") for rule in rules} == ALERTS
    assert all(rule["annotations"].keys() == {"summary", "description"} for rule in rules)
    assert all(rule["labels"]["severity"] for rule in rules)


def test_every_alert_watches_metrics_that_are_exported(exported: set[str]) -> None:
    text = (FOLDER / "alerts.yaml").read_text()
    expressions = [rule["expr"] for rule in yaml.safe_load(text)["groups"][0]["rules"]]
    assert all(map(spoken_of, expressions))
    assert spoken_of(text) - exported == set()


def test_every_panel_shows_metrics_that_are_exported(exported: set[str]) -> None:
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    assert all(map(spoken_of, expressions))
    assert spoken_of(" ".join(expressions)) - exported == set()


def test_the_lag_that_is_too_much_is_a_value(helm: Helm) -> None:
    objects = helm.render(monitoring={"prometheusRule": {"enabled": True, "lagSeconds": 7200}})
    (group,) = only(objects, "PrometheusRule")["spec"]["groups"]
    (lagging,) = [rule for rule in group["rules"] if rule["alert"].endswith("Lagging")]
    assert lagging["expr"].endswith("> 7200")


def test_what_is_not_installed_raises_no_alert(helm: Helm) -> None:
    rules = alerts(helm, worker={"enabled": False})
    assert rules
    assert all("worker" not in rule["expr"] for rule in rules)


def test_each_component_is_scraped_on_its_own_port(helm: Helm) -> None:
    objects = helm.render(monitoring={"serviceMonitor": {"enabled": True}})
    monitors = [item for item in objects if item["kind"] == "ServiceMonitor"]
    ports = {
        item["metadata"]["labels"]["app.kubernetes.io/component"]: item["spec"]["endpoints"][0]
        for item in monitors
    }
    assert {name: endpoint["port"] for name, endpoint in ports.items()} == {
        "webhook": "https",
        "worker": "http",
    }
    assert ports["webhook"]["scheme"] == "https"
