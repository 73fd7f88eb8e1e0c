"""The alerts of the rendered PrometheusRule under promtool: each fires when it should, and alone.

Run by `make test-alerts`.

A case is what a healthy cluster exports (`HEALTHY`), some of it otherwise, and at which minutes
which alerts fire. Whatever else fires then fails the case.
"""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.helm import Checker, Helm, only

pytestmark = pytest.mark.proof

WEEK = 7 * 24 * 3600
LAG, EVERY, LEFT, FAILED, KUSTO, LEADS = (
    f"summaryrule_worker_{name}"
    for name in (
        'rule_lag_seconds{namespace="web",rule="errors",pod="a"}',
        'rule_interval_seconds{namespace="web",rule="errors",pod="a"}',
        'backfill_windows_remaining{namespace="web",rule="errors",pod="a"}',
        'failed_windows{namespace="web",rule="errors",kind="interval",pod="a"}',
        'kusto_requests_total{call="append",result="%s",pod="a"}',
        'leader{pod="%s"}',
    )
)
DENIED, UP, ENDS, IN_SYNC = (
    f"summaryrule_webhook_{name}"
    for name in (
        'requests_total{path="/validate",operation="UPDATE",decision="denied",pod="c"}',
        'build_info{pod="c"}',
        'certificate_expiry_timestamp_seconds{pod="c"}',
        'cabundle_in_sync{pod="c"}',
    )
)
HEALTHY = {
    LEADS % "a": "1x600",
    LEADS % "b": "0x600",
    KUSTO % "ok": "0+6x600",
    LAG: "1800x600",
    EVERY: "3600x600",
    UP: "1x600",
    ENDS: f"{WEEK}x600",
    IN_SYNC: "1x600",
}
"""A sample a minute for ten hours; the first is at 1970-01-01T00:00:00Z."""

NOBODY = "_x600"

CASES: dict[str, tuple[Mapping[str, str], Mapping[int, set[str]]]] = {
    "all is well": ({}, {10: set(), 300: set(), 600: set()}),
    "a backfill that stands still for two hours is stuck": (
        {LEFT: "90-1x30 60x570"},
        {100: set(), 145: set(), 165: {"BackfillStuck"}},
    ),
    "a backfill that goes on is not stuck, however slowly": (
        {LEFT: "9x100 8x100 7x100 6x100 5x100 4x100"},
        {300: set(), 600: set()},
    ),
    "a backfill that moves again is no longer stuck": (
        {LEFT: "60x200 59-1x58 _x400"},
        {190: {"BackfillStuck"}, 205: set(), 500: set()},
    ),
    "a backfill that began a moment ago is not stuck": (
        {LEFT: "_x100 60x500"},
        {150: set(), 215: set(), 240: {"BackfillStuck"}},
    ),
    "a leader that takes over a backfill that stands still sees it too": (
        {LEFT: "60x100 _x500", LEFT.replace('"a"', '"b"'): "_x101 60x499"},
        {110: set(), 140: {"BackfillStuck"}},
    ),
    "a window that failed alerts for as long as it waits": (
        {FAILED: "0x100 1x400 0x100"},
        {99: set(), 102: {"WindowsFailing"}, 499: {"WindowsFailing"}, 502: set()},
    ),
    "windows that failed before the worker was restarted": (
        {FAILED: "3x100 _x10 3x490"},
        {99: {"WindowsFailing"}, 600: {"WindowsFailing"}},
    ),
    "windows that a new leader has to report": (
        {FAILED: "3x100 _x500", FAILED.replace('"a"', '"b"'): "_x101 3x499"},
        {99: {"WindowsFailing"}, 102: {"WindowsFailing"}, 600: {"WindowsFailing"}},
    ),
    "a rule that never succeeded lags from its first window on": (
        {LAG: "0+60x600", FAILED: "0x600"},
        {180: set(), 197: {"Lagging"}},
    ),
    "an hourly rule three hours behind lags, after a quarter of an hour": (
        {LAG: "0+60x600"},
        {180: set(), 194: set(), 197: {"Lagging"}},
    ),
    "a daily rule that is a day behind does not lag": (
        {LAG: "86400+60x600", EVERY: "86400x600"},
        {180: set(), 600: set()},
    ),
    "a rule of five minutes that is an hour and a half behind lags": (
        {LAG: "5400x600", EVERY: "300x600"},
        {14: set(), 16: {"Lagging"}},
    ),
    "a worker without a leader": (
        {LEADS % "a": "1x60 0x540"},
        {60: set(), 65: set(), 67: {"WorkerHasNoLeader"}},
    ),
    "a worker that nobody can scrape": (
        {LEADS % "a": "1x60 _x540", LEADS % "b": "0x60 _x540"},
        {60: set(), 75: {"WorkerHasNoLeader"}},
    ),
    "a change of leader is no alert": (
        {LEADS % "a": "1x60 0x540", LEADS % "b": "0x62 1x538"},
        {60: set(), 65: set(), 70: set()},
    ),
    "Kusto that refuses most commands": (
        {KUSTO % "ok": "0+1x600", KUSTO % "throttled": "0x60 0+5x540"},
        {60: set(), 90: {"KustoFailing"}},
    ),
    "Kusto that refuses some": (
        {KUSTO % "throttled": "0+2x600"},
        {60: set(), 300: set()},
    ),
    "rules whose queries are invalid": (
        {KUSTO % "InvalidQuery": "0+2x600"},
        {60: set(), 300: set()},
    ),
    "a certificate that was not renewed": (
        {ENDS: f"{30 * 3600}x600"},
        {350: set(), 373: {"WebhookCertificateExpiring"}},
    ),
    "a bundle that another tool overwrote": (
        {IN_SYNC: "1x60 0x540"},
        {60: set(), 67: {"WebhookBundleOutOfSync"}},
    ),
    "a pipeline that applies a broken manifest again and again": (
        {DENIED: "0+1x100 100+20x500"},
        {100: set(), 125: {"WebhookDenialsSpiking"}},
    ),
    "the same where nothing was ever denied before": (
        {DENIED: "_x100 20+20x500"},
        {100: set(), 125: {"WebhookDenialsSpiking"}},
    ),
    "as many denials as ever": (
        {DENIED: "0+20x600"},
        {600: set()},
    ),
    "a webhook that nobody can scrape": (
        {each: HEALTHY[each].replace("x600", "x60 _x540") for each in (UP, ENDS, IN_SYNC)},
        {60: set(), 75: {"WebhookDown"}},
    ),
}


@pytest.fixture(scope="module")
def rules(helm: Helm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of the rules that the chart renders."""
    objects = helm.render(monitoring={"prometheusRule": {"enabled": True}})
    file = tmp_path_factory.mktemp("alerts") / "rules.yaml"
    file.write_text(yaml.safe_dump(only(objects, "PrometheusRule")["spec"]))
    return file


def promtool(program: Path, *words: str) -> str:
    done = subprocess.run(
        [str(program), *words], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run(program: Path, rules: Path, *tests: Mapping[str, Any]) -> None:
    file = rules.with_name("tests.yaml")
    file.write_text(
        yaml.safe_dump({"rule_files": [rules.name], "evaluation_interval": "1m", "tests": tests})
    )
    promtool(program, "test", "rules", str(file))


def fed(series: Mapping[str, str]) -> list[Mapping[str, str]]:
    return [{"series": name, "values": text} for name, text in {**HEALTHY, **series}.items()]


def firing(minute: int, names: set[str]) -> Mapping[str, Any]:
    return {
        "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
        "eval_time": f"{minute}m",
        "exp_samples": [
            {"labels": f'{{alertname="SummaryRule{name}"}}', "value": 1} for name in sorted(names)
        ],
    }


def test_promtool_finds_nothing_wrong_with_the_rules(checker: Checker, rules: Path) -> None:
    said = promtool(checker("promtool"), "check", "rules", "--lint=all", "--lint-fatal", str(rules))
    assert f"SUCCESS: {len(yaml.safe_load(rules.read_text())['groups'][0]['rules'])} rules" in said


@pytest.mark.parametrize("case", CASES)
def test_alerts_fire_when_they_should_and_no_other_does(
    checker: Checker, rules: Path, case: str
) -> None:
    series, expected = CASES[case]
    looks = [firing(minute, names) for minute, names in expected.items()]
    run(
        checker("promtool"),
        rules,
        {"interval": "1m", "input_series": fed(series), "promql_expr_test": looks},
    )


def test_every_alert_fires_in_some_case(rules: Path) -> None:
    named = {rule["alert"] for rule in yaml.safe_load(rules.read_text())["groups"][0]["rules"]}
    seen = {
        f"SummaryRule{name}" for _, at in CASES.values() for names in at.values() for name in names
    }
    assert seen == named


def test_what_an_alert_says_names_the_rule_and_how_far_it_is_behind(
    checker: Checker, rules: Path
) -> None:
    (lagging,) = [
        rule
        for rule in yaml.safe_load(rules.read_text())["groups"][0]["rules"]
        if rule["alert"] == "SummaryRuleLagging"
    ]
    said = {
        **lagging["annotations"],
        "summary": "The data of web/errors is 3h 20m 0s behind.",
    }
    alert = {
        "exp_labels": {"severity": "warning", "namespace": "web", "rule": "errors"},
        "exp_annotations": said,
    }
    look = {"eval_time": "200m", "alertname": "SummaryRuleLagging", "exp_alerts": [alert]}
    series = fed({LAG: "0+60x600"})
    run(
        checker("promtool"),
        rules,
        {"interval": "1m", "input_series": series, "alert_rule_test": [look]},
    )


def test_failed_windows_are_counted_by_rule_and_kind(checker: Checker, rules: Path) -> None:
    (failing,) = [
        rule
        for rule in yaml.safe_load(rules.read_text())["groups"][0]["rules"]
        if rule["alert"] == "SummaryRuleWindowsFailing"
    ]
    names = {"namespace": "web", "rule": "errors", "kind": "interval"}
    said = {
        **failing["annotations"],
        "summary": "3 interval windows of web/errors have failed.",
        "description": failing["annotations"]["description"]
        .replace("{{ $labels.namespace }}", "web")
        .replace("{{ $labels.rule }}", "errors"),
    }
    alert = {"exp_labels": {"severity": "warning", **names}, "exp_annotations": said}
    look = {"eval_time": "200m", "alertname": "SummaryRuleWindowsFailing", "exp_alerts": [alert]}
    series = fed({FAILED: "3x600"})
    run(
        checker("promtool"),
        rules,
        {"interval": "1m", "input_series": series, "alert_rule_test": [look]},
    )
