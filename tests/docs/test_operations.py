"""The pages for operators name every alert, every metric, and only values that the chart has."""

import re

import yaml

from tests.chart.helm import CHART
from tests.docs.blocks import DOCS
from webhook import metrics as webhook_metrics
from worker import metrics as worker_metrics

MONITORING = (DOCS / "monitoring.md").read_text(encoding="utf-8")
WEBHOOK = (DOCS / "webhook.md").read_text(encoding="utf-8")


def families(metrics: webhook_metrics.Metrics | worker_metrics.Metrics, prefix: str) -> set[str]:
    named = {family.name.removeprefix(f"{prefix}_") for family in metrics.registry.collect()}
    return {name for name in named if not name.startswith("process_")}


def spoken_of(page: str) -> set[str]:
    names = re.findall(r"`(\w+?)(?:_total)?(?:\{[^`]*\})?`", page)
    return set(names)


def test_every_alert_has_a_line_with_what_to_do() -> None:
    groups = yaml.safe_load((CHART / "files" / "monitoring" / "alerts.yaml").read_text())["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"]}
    assert set(re.findall(r"^\| `(SummaryRule\w+)` \|", MONITORING, re.MULTILINE)) == alerts


def test_every_series_of_the_worker_is_explained() -> None:
    worker = worker_metrics.Metrics()
    for name in worker_metrics.WATCHED:
        worker.watch(name, int)
    assert families(worker, worker_metrics.PREFIX) - spoken_of(MONITORING) == set()


def test_every_series_of_the_webhook_is_explained() -> None:
    webhook = webhook_metrics.Metrics()
    gauges = (webhook.leaf_expiry, webhook.ca_expiry, webhook.bundle_in_sync)
    assert gauges
    webhook.watch_in_flight(int)
    assert families(webhook, webhook_metrics.PREFIX) - spoken_of(WEBHOOK) == set()


def test_pages_speak_of_values_that_the_chart_has() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    tops = "|".join(key for key, value in values.items() if isinstance(value, dict))
    pages = "".join(page.read_text(encoding="utf-8") for page in sorted(DOCS.glob("*.md")))
    for path in sorted(set(re.findall(rf"`((?:{tops})\.[\w.]+)[=`:]", pages))):
        found = values
        for key in path.split("."):
            assert key in found or found == {}, f"no value {path}"
            found = found.get(key, {}) if isinstance(found, dict) else {}
