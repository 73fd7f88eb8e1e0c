"""Each file of examples/ is applied as its comment says and run to its end, its rows compared.

All are applied at once, by the commands in their comments; then all are waited for.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from azure.kusto.data import KustoClient

from devstack.stack import Stack
from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant
from summaryrule.api.windows import floor
from tests.chart.helm import CHART, RELEASE, Helm
from tests.docs import sample
from tests.docs.sample import DAY, HOUR, Rows
from tests.docs.shell import ROOT, Shell, on_the_stack

FOLDER = ROOT / "examples"
DATABASE = "Telemetry"
LABELS = "worker.clusterLabels.region=westeurope,worker.clusterLabels.environment=production"
WEEK = Duration.parse("168h")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT")
_COMMENT = re.compile(r"^#   (.*)$", re.MULTILINE)

Expected = Callable[[Instant, Instant], Rows]


@dataclass(frozen=True, slots=True)
class Case:
    """An example: its file, its rule, its table's columns, and what they should hold."""

    file: str
    rule: str
    columns: str
    expected: Expected


def _hourly(where: Callable[[sample.Sample], bool] = lambda _: True) -> Expected:
    return lambda start, end: sample.counted(start, end, lambda s: (sample.hour(s),), where)


CASES = {
    case.file: case
    for case in (
        Case(
            "hourly-error-rate-backfill.yaml",
            "hourly-error-rate",
            "Timestamp, Service, Requests, Errors, ErrorRate",
            lambda start, end: sample.error_rates(start, end, HOUR),
        ),
        Case(
            "weekly-capacity.yaml",
            "weekly-capacity",
            "Service, BusiestHour, MeanHour",
            sample.capacity,
        ),
        Case(
            "late-data.yaml",
            "late-data",
            "Timestamp, Service, Requests",
            lambda start, end: sample.counted(start, end, lambda s: (sample.hour(s), s.service)),
        ),
        Case(
            "by-cluster.yaml",
            "by-cluster",
            "Timestamp, Region, Requests",
            lambda start, end: sample.counted(start, end, lambda s: (sample.hour(s), "westeurope")),
        ),
        Case("by-expression.yaml", "by-expression", "Timestamp, Requests", _hourly()),
        Case(
            "recompute-after-a-fix.yaml",
            "server-errors",
            "Timestamp, Errors",
            _hourly(lambda s: s.code >= sample.SERVER_ERROR),
        ),
        Case("parallel-backfill.yaml", "parallel-backfill", "Timestamp, Requests", _hourly()),
        Case("paused-backfill.yaml", "paused-backfill", "Timestamp, Services", sample.services),
        Case(
            "daily-from-hourly.yaml",
            "daily-from-hourly",
            "Timestamp, Service, Requests, Errors, ErrorRate",
            lambda start, end: sample.error_rates(start, end, DAY),
        ),
        Case(
            "gitops/overlays/production/kustomization.yaml",
            "slow-requests-production",
            "Timestamp, Slow",
            _hourly(lambda s: s.value > sample.SLOW),
        ),
    )
}
LAST = "daily-from-hourly.yaml"  # it reads what another example writes
FIRST = "hourly-error-rate.yaml"  # the rule that hourly-error-rate-backfill.yaml adds to


@dataclass
class ExampleSandbox:
    """The namespace of the examples and its Kusto endpoint."""

    shell: Shell
    kusto: KustoClient

    def sh(self, *commands: str) -> str:
        ran = self.shell.run(commands)
        assert all(each.code == 0 for each in ran), ran
        return "".join(each.printed for each in ran)

    def rules(self) -> dict[str, dict[str, Any]]:
        items = json.loads(self.sh("kubectl get summaryrules -o json"))["items"]
        return {item["metadata"]["name"]: item for item in items}

    def until(self, holds: Callable[[dict[str, Any]], bool], *names: str) -> None:
        last = time.monotonic() + 60.0
        while not all(holds(rule) for name, rule in self.rules().items() if name in names):
            assert time.monotonic() < last, self.sh("kubectl describe summaryrules")
            time.sleep(0.2)

    def rows(self, table: str, columns: str) -> Rows:
        found = self.kusto.execute_query(DATABASE, f"['{table}'] | project {columns}")
        return Counter(tuple(map(_plain, row)) for row in found.primary_results[0].raw_rows)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 9)
    return Instant.parse(value) if isinstance(value, str) and _TIME.match(value) else value


def commands(file: str) -> list[str]:
    """What the comment on top says to type; lines that end in a backslash go on."""
    text = "\n".join(_COMMENT.findall((FOLDER / file).read_text()))
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [line for line in lines if line.startswith(("kubectl ", "sed "))]


def is_done(rule: dict[str, Any]) -> bool:
    schedule = rule.get("status", {}).get("schedule", {})
    runs = not rule["spec"].get("suspend")
    quiet = not schedule.get("inFlight") and (not runs or "lastDone" in schedule)
    return quiet and "backfill" not in rule["spec"]


def is_paused(rule: dict[str, Any]) -> bool:
    return bool(rule.get("status", {}).get("backfill", {}).get("phase") == "Paused")


@pytest.fixture(scope="module")
def labels(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tell the worker where it is, which two examples ask."""
    helm = Helm(stack.helm, tmp_path_factory.mktemp("helm"), stack.kubeconfig)
    helm.run("upgrade", RELEASE, str(CHART), "--reuse-values", "--set", LABELS, "--wait")
    yield
    helm.run("rollback", RELEASE, "--wait")


@pytest.fixture(scope="module")
def sandbox(
    stack: Stack,
    kusto: KustoClient,
    labels: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ExampleSandbox]:
    """Apply all and run them to their end."""
    made = ExampleSandbox(
        on_the_stack(stack, tmp_path_factory.mktemp("examples"), "examples"), kusto
    )
    sample.load(kusto)
    for name in tables():
        kusto.execute_mgmt(DATABASE, f".drop table ['{name}'] ifexists")
    run_all(made)
    yield made
    made.sh("kubectl delete summaryrules --all", "kubectl delete namespace examples --wait=false")


def run_all(sandbox: ExampleSandbox) -> None:
    fixed = (FOLDER / "recompute-after-a-fix.yaml").read_text()
    buggy = fixed.replace(">= 500", ">= 400").replace(
        "    requestId: count-server-errors-only\n", ""
    )
    (sandbox.shell.folder / "buggy.yaml").write_text(buggy)
    [fix] = commands("recompute-after-a-fix.yaml")
    wait, *go = commands("paused-backfill.yaml")
    others = CASES.keys() - {LAST, "recompute-after-a-fix.yaml", "paused-backfill.yaml"}
    first = [*commands(FIRST), fix.replace("examples/recompute-after-a-fix.yaml", "buggy.yaml")]
    sandbox.sh(*first, wait, *(line for name in sorted(others) for line in commands(name)))
    sandbox.until(is_paused, "paused-backfill")
    assert "inFlight" not in sandbox.rules()["paused-backfill"]["status"]["backfill"]
    sandbox.until(is_done, "server-errors", "hourly-error-rate")
    sandbox.sh(fix, *go, *commands(LAST))
    sandbox.until(is_done, *(case.rule for case in CASES.values()))


def tables() -> list[str]:
    documents = [
        each for file in FOLDER.glob("*.yaml") for each in yaml.safe_load_all(file.read_text())
    ]
    return [*{each["spec"]["table"] for each in documents}, "HttpSlowRequestsProduction"]


def covered(rule: dict[str, Any]) -> tuple[Instant, Instant]:
    """The range whose windows the rule has run: its backfill's and its schedule's, side by side."""
    spec, status = rule["spec"], rule["status"]
    interval, delay = Duration.parse(spec["interval"]), Duration.parse(spec["ingestionDelay"])
    made = Instant.parse(rule["metadata"]["creationTimestamp"])
    first = floor(made.plus(-delay.ticks), interval).plus(-interval.ticks)
    history = status.get("backfillHistory")
    start = Instant.parse(history[0]["start"]) if history else first
    if spec.get("suspend"):
        return start, Instant.parse(history[0]["end"])
    return start, Instant.parse(status["schedule"]["lastDone"])


@pytest.mark.parametrize("file", CASES)
def test_the_example_computes_what_it_says(sandbox: ExampleSandbox, file: str) -> None:
    case = CASES[file]
    rule = sandbox.rules()[case.rule]
    start, end = covered(rule)
    expected = case.expected(start, end)
    assert expected
    assert sandbox.rows(rule["spec"]["table"], case.columns) == expected


def test_every_example_is_run_and_listed() -> None:
    files = {str(path.relative_to(FOLDER)) for path in FOLDER.glob("*.yaml")}
    assert files == {name for name in CASES if "/" not in name} | {FIRST}
    listed = (ROOT / "docs" / "examples.md").read_text()
    assert [name for name in sorted(files) if f"`{name}`" not in listed] == []


@pytest.mark.parametrize("path", sorted((FOLDER / "refused").glob("*.yaml")), ids=lambda p: p.stem)
def test_what_is_there_to_be_refused_is_refused(sandbox: ExampleSandbox, path: Path) -> None:
    [ran] = sandbox.shell.run([f"kubectl apply -f {path.relative_to(ROOT)}"])
    assert (ran.code, " is invalid: " in ran.printed) == (1, True), ran.printed
