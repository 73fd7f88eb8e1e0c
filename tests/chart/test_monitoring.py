"""Alerts and dashboard speak of metrics that the programs export, and of what people ask."""

import json
import re
from collections.abc import Mapping
from itertools import chain
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from summaryrule.api.field_errors import invalid
from tests.chart.helm import CHART, Helm, Object, only
from webhook import metrics as webhook_metrics
from worker import metrics as worker_metrics

FOLDER = CHART / "files" / "monitoring"
ROOT = CHART.parents[1]
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
def exported() -> dict[str, set[str]]:
    """Give all series that webhook and worker can export, each with its labels."""
    samples = [
        sample
        for metrics in (webhook_with_all(), worker_with_all())
        for family in metrics.registry.collect()
        for sample in family.samples
    ]
    return {sample.name: set(sample.labels) for sample in samples}


def webhook_with_all() -> webhook_metrics.Metrics:
    metrics = webhook_metrics.Metrics()
    assert all((metrics.leaf_expiry, metrics.ca_expiry, metrics.bundle_in_sync))
    metrics.watch_in_flight(int)
    metrics.observe_review("/validate", "CREATE", "denied", 0.001)
    metrics.count_violation(invalid("spec.interval", "is too short"))
    metrics.count_refusal("/validate", 400)
    return metrics


def worker_with_all() -> worker_metrics.Metrics:
    metrics = worker_metrics.Metrics()
    for name in worker_metrics.WATCHED:
        metrics.watch(name, int)
    metrics.watch_endpoints(lambda: {"https://mycluster.kusto.windows.net": True})
    metrics.windows.labels("interval", "failed").inc()
    metrics.operation_duration.labels("interval").observe(1.0)
    metrics.failed_windows.labels("default", "errors", "interval").set(1)
    metrics.in_flight.labels("interval").set(1)
    metrics.reconciles.labels("ok").inc()
    metrics.api_request("GET", "ok", 0.1)
    metrics.kusto_request("append", "ok", 0.1)
    for gauge in (metrics.rule_lag, metrics.rule_interval, metrics.backfill_remaining):
        gauge.labels("default", "errors").set(1)
    return metrics


def unknown_labels(expression: str, exported: Mapping[str, set[str]]) -> set[str]:
    """Give the labels that an expression names and none of its series has."""
    named = set(re.findall(r"(\w+)=~?\"|(\w+)!=\"", expression))
    grouped = re.findall(r"(?:by|on) \(([^)]*)\)", expression)
    wanted = {each for pair in named for each in pair if each}
    wanted |= {each.strip() for group in grouped for each in group.split(",")}
    return wanted - set().union(*(exported[name] for name in spoken_of(expression)))


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
    assert all(
        rule["annotations"].keys() == {"summary", "description", "runbook"} for rule in rules
    )
    assert all(rule["labels"]["severity"] for rule in rules)


def test_each_runbook_is_a_heading_of_a_page() -> None:
    text = (FOLDER / "alerts.yaml").read_text()
    for rule in yaml.safe_load(text)["groups"][0]["rules"]:
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        lines = (ROOT / page).read_text("utf-8").splitlines()
        headings = [line.lstrip("# ").lower() for line in lines if line.startswith("#")]
        assert anchor in [heading.replace(" ", "-") for heading in headings], rule["alert"]


def test_alerts_link_to_the_documentation_where_it_is_served(helm: Helm) -> None:
    rule = {"enabled": True, "docsUrl": "https://docs.example.com/rules/"}
    objects = helm.render(monitoring={"prometheusRule": rule})
    (group,) = only(objects, "PrometheusRule")["spec"]["groups"]
    links = {each["alert"]: each["annotations"]["runbook_url"] for each in group["rules"]}
    assert links.keys() == {f"SummaryRule{name}" for name in ALERTS}
    assert links["SummaryRuleWindowsFailing"] == (
        "https://docs.example.com/rules/backfill.html#retry-or-skip-failed-windows"
    )


def test_every_alert_watches_metrics_that_are_exported(exported: dict[str, set[str]]) -> None:
    text = (FOLDER / "alerts.yaml").read_text()
    expressions = [rule["expr"] for rule in yaml.safe_load(text)["groups"][0]["rules"]]
    assert all(map(spoken_of, expressions))
    assert spoken_of(text) - exported.keys() == set()
    assert {name for each in expressions for name in unknown_labels(each, exported)} == set()


def test_every_panel_shows_metrics_that_are_exported(exported: dict[str, set[str]]) -> None:
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    assert all(map(spoken_of, expressions))
    assert spoken_of(" ".join(expressions)) - exported.keys() == set()
    assert {name for each in expressions for name in unknown_labels(each, exported)} == set()


def read_by_grafana(dashboard: Object) -> Object:
    """What Grafana's own models keep of a dashboard."""
    plugins.register_default_plugins()
    kept: Object = json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))
    return kept


def lost(written: object, kept: object, path: str = "") -> list[str]:
    """The paths of what was written and is not kept as it was."""
    if isinstance(written, dict) and isinstance(kept, dict):
        parts = [lost(written[key], kept.get(key), f"{path}.{key}") for key in written]
        return list(chain.from_iterable(parts))
    if isinstance(written, list) and isinstance(kept, list) and len(written) == len(kept):
        pairs = enumerate(zip(written, kept, strict=True))
        return list(chain.from_iterable(lost(*pair, f"{path}.{at}") for at, pair in pairs))
    return [] if written == kept else [path]


def test_the_dashboard_is_one_of_grafanas_schema() -> None:
    dashboard = json.loads((FOLDER / "dashboard.json").read_text())
    assert lost(dashboard, read_by_grafana(dashboard)) == []
    panel = dashboard["panels"][0]
    panel["gridPosition"] = panel.pop("gridPos")
    panel["fieldConfig"]["defaults"]["units"] = "s"
    assert lost(dashboard, read_by_grafana(dashboard)) == [
        ".panels.0.fieldConfig.defaults.units",
        ".panels.0.gridPosition",
    ]


def test_the_lag_that_is_too_much_is_a_value(helm: Helm) -> None:
    objects = helm.render(monitoring={"prometheusRule": {"enabled": True, "lagSeconds": 7200}})
    (group,) = only(objects, "PrometheusRule")["spec"]["groups"]
    (lagging,) = [rule for rule in group["rules"] if rule["alert"].endswith("Lagging")]
    assert lagging["expr"].endswith(" + 7200)")


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
