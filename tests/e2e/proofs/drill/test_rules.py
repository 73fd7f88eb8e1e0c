"""`make prove-drill`: rules that are wrong, many at once, and a clock that is wrong."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml

from devstack import binaries
from devstack.chart import CHART, RELEASE
from devstack.config import CHECKOUT
from tests.e2e.api import RULES
from tests.e2e.faults import Faults, fault
from tests.e2e.fixtures import Sandbox, SandboxMaker, backfill, hours_ago
from tests.e2e.proofs.drill.report import Report, Row
from tests.e2e.proofs.drill.surfaces import Operator, Surface, command_in

MANY = 500
LONGEST = 480.0
"""Seconds until the one window of each of them must be done."""
ALERT = "SummaryRuleWindowsFailing"
HOUR_SECONDS = 3600
SHIFTED_CLOCK = """\
import time
_now, _now_ns = time.time, time.time_ns
time.time = lambda: _now() + {seconds}
time.time_ns = lambda: _now_ns() + {seconds} * 10**9
"""

pytestmark = [pytest.mark.e2e, pytest.mark.proof, pytest.mark.timeout(600)]


def is_ready(operator: Operator, name: str) -> bool:
    line = f"kubectl wait summaryrule/{name} --for=condition=Ready --timeout=1s"
    return operator.run(line).returncode == 0


def test_a_typo_in_a_query(operator: Operator, report: Report, make: SandboxMaker) -> None:
    sandbox = make("typo")
    right = sandbox.rule(suspend=False)
    wrong = sandbox.rule(suspend=False, body=right["spec"]["body"].replace("summari", "sumari"))
    row = report.begin("a typo in the KQL")
    sandbox.admit(wrong)
    row.until_said(operator.of_rule(sandbox.name, "QueryInvalid", "sumarize"))
    remedy = operator.remedy(sandbox.name, "QueryInvalid")
    assert remedy.startswith("correct spec.body where the message says")
    sandbox.admit(right)
    row.until_recovered("`spec.body` was corrected", lambda: is_ready(operator, sandbox.name))


def test_a_table_that_is_missing(operator: Operator, report: Report, make: SandboxMaker) -> None:
    made = make("missing")
    sandbox = Sandbox(made.stack, made.kusto, made.name)
    row = report.begin("the table that the KQL reads is missing")
    sandbox.admit(sandbox.rule(suspend=False))
    row.until_said(operator.of_rule(sandbox.name, "QueryInvalid", sandbox.raw))
    assert "or create the table that it names" in operator.remedy(sandbox.name, "QueryInvalid")
    sandbox.load(hours_ago(4), hours_ago(0))
    row.until_recovered("the table was created", lambda: is_ready(operator, sandbox.name))


def metrics(operator: Operator, name: str) -> str:
    """The series of failed windows of a rule, as Prometheus scrapes them."""
    with urlopen(f"{operator.worker_url()}/metrics", timeout=10) as answer:  # noqa: S310 - http
        lines = answer.read().decode().splitlines()
    return "\n".join(
        line
        for line in lines
        if line.startswith("summaryrule_worker_failed_windows{") and f'rule="{name}"' in line
    )


@pytest.fixture(scope="session")
def promtool() -> Path:
    """It is built here once, which takes minutes, and not while a failure waits to be said."""
    (tool,) = [each for each in binaries.ON_DEMAND if each.name == "promtool"]
    return binaries.resolve(print, [tool])["promtool"]


@pytest.fixture
def fires(operator: Operator, promtool: Path, tmp_path: Path) -> Callable[[str], str]:
    """Whether the alert fires for a rule."""
    return lambda name: alert_test(operator, promtool, name, tmp_path)


def alert_test(operator: Operator, promtool: Path, name: str, folder: Path) -> str:
    """What promtool says of the chart's own alert, given what the worker exports."""
    rendered = operator.must(
        f"helm template {RELEASE} {CHART} --set monitoring.prometheusRule.enabled=true"
        " --show-only templates/monitoring/prometheusrule.yaml"
    )
    (folder / "rules.yaml").write_text(yaml.safe_dump(yaml.safe_load(rendered)["spec"]))
    series = [line.rpartition(" ") for line in metrics(operator, name).splitlines()]
    expected = {
        "expr": f'count by (namespace, rule, kind) (ALERTS{{alertname="{ALERT}",rule="{name}"}})',
        "eval_time": "2m",
        "exp_samples": [
            {
                "labels": f'{{namespace="default",rule="{name}",kind="interval"}}',
                "value": 1,
            }
        ],
    }
    given = [{"series": name, "values": f"{float(value)}x5"} for name, _, value in series]
    test = {"interval": "1m", "input_series": given, "promql_expr_test": [expected]}
    file = folder / "tests.yaml"
    file.write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": [test]}))
    done = subprocess.run(
        [str(promtool), "test", "rules", str(file)], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_a_window_that_failed_is_in_metrics_and_alerts(
    operator: Operator,
    report: Report,
    make: SandboxMaker,
    drill_faults: Faults,
    fires: Callable[[str], str],
) -> None:
    sandbox = make("failing")
    drill_faults.set(fault("operation-end", match=sandbox.table, state="Failed", status="boom"))
    row = report.begin("a window fails permanently (and metrics, and the alert)")
    sandbox.admit(sandbox.rule(suspend=False))
    exported = Surface(lambda: metrics(operator, sandbox.name), ('kind="interval"', " 1.0"))
    alert = Surface(lambda: fires(sandbox.name), ("SUCCESS",))
    places = operator.of_rule(sandbox.name, "WindowFailed", "boom")
    row.until_said({**places, "metrics": exported, "alert": alert})
    row.failure += f": {row.cells['metrics']}, {row.cells['alert']}"
    command = command_in(operator.remedy(sandbox.name, "WindowFailed"))
    drill_faults.clear()
    operator.must(command)
    row.until_recovered(
        f"`{command}`".replace(sandbox.name, "NAME"), lambda: is_ready(operator, sandbox.name)
    )
    deadline = time.monotonic() + 30
    while "SUCCESS" in fires(sandbox.name):
        assert time.monotonic() < deadline, "the alert goes on"
        time.sleep(1)


def test_the_documented_lines_run_after_the_eval(
    operator: Operator, report: Report, make: SandboxMaker, tmp_path: Path
) -> None:
    sandbox = make("documented")
    paused = backfill(hours_ago(5), hours_ago(2), suspend=True)
    sandbox.admit(sandbox.rule(backfill=paused))
    (tmp_path / "rule.yaml").write_text(json.dumps(sandbox.rule(interval="1d")))
    environment = f"{sys.executable} -m devstack env --state {operator.stack.state_dir.root}"
    begin = f'cd {CHECKOUT}; eval "$({environment})"; cd {tmp_path}; '
    plain = {"PATH": f"{Path(str(shutil.which('bash'))).parent}:/usr/bin:/bin", "PYTHONPATH": ""}
    row = report.begin("`worker plan NAME`, `webhook review FILE` after `make env`")
    row.cells |= dict.fromkeys(("kubectl get", "kubectl describe", "status page"), "not asked")
    planned = operator.must(f"{begin} python -m worker plan {sandbox.name}", **plain)
    reviewed = operator.output(f"{begin} python -m webhook review rule.yaml", **plain)
    assert "held: Paused: spec.backfill.suspend is true" in planned
    assert 'spec.interval: Invalid value: "1d": must be a Go duration' in reviewed
    row.cells["plugin"] = f"{row.seconds():.0f} s (the two commands)"
    (tmp_path / "rule.yaml").write_text(json.dumps(sandbox.rule(interval="24h")))
    row.until_recovered(
        "`interval: 24h` was written, as review says",
        lambda: (
            "would be admitted"
            in operator.output(f"{begin} python -m webhook review rule.yaml", **plain)
        ),
    )


NOT_BY_ITSELF = "no: it shows times as the worker wrote them"


def shifted(folder: Path, seconds: int) -> str:
    """A folder for PYTHONPATH, with which a Python process has a clock that is wrong."""
    (folder / "sitecustomize.py").write_text(SHIFTED_CLOCK.format(seconds=seconds))
    return str(folder)


def differs(operator: Operator, sandbox: Sandbox, word: str, path: str = "") -> Surface:
    """What `status` says of clocks; `path` is the PYTHONPATH of its process."""
    said = f"the clock of this machine is 1h {word} the worker's: LAG"
    line = f"kubectl summaryrule status {sandbox.name}"
    return Surface(lambda: operator.output(line, PYTHONPATH=path), (said, "do: set both clocks"))


def begin_with_wrong_clock(report: Report, failure: str) -> Row:
    row = report.begin(failure)
    row.cells |= dict.fromkeys(("kubectl get", "kubectl describe", "status page"), NOT_BY_ITSELF)
    return row


def until_ready(operator: Operator, sandbox: Sandbox) -> None:
    sandbox.admit(sandbox.rule(suspend=False))
    done = operator.must(
        f"kubectl wait summaryrule/{sandbox.name} --for=condition=Ready --timeout=60s"
    )
    assert "condition met" in done


@pytest.mark.parametrize("word", ["behind", "ahead of"])
def test_the_clock_of_the_operator_is_wrong(
    operator: Operator, report: Report, make: SandboxMaker, tmp_path: Path, word: str
) -> None:
    """The shifted clock is that of the plugin's process; kubectl itself asks no clock."""
    sandbox = make("clock")
    until_ready(operator, sandbox)
    path = shifted(tmp_path, HOUR_SECONDS if word == "ahead of" else -HOUR_SECONDS)
    row = begin_with_wrong_clock(report, f"the operator's own clock is 1h {word} the worker's")
    note = differs(operator, sandbox, word, path)
    row.until_said({"plugin": note})
    listed = operator.must(f"kubectl summaryrule status {sandbox.name}", PYTHONPATH=path)
    told = operator.must(f"kubectl summaryrule explain {sandbox.name}", PYTHONPATH=path)
    assert "NoLeader" not in listed + told
    assert re.search(r"\s-\d+[smhd]", listed + told) is None
    right = differs(operator, sandbox, word)
    row.until_recovered("the clock was set", lambda: not right.says())


def test_the_clock_of_the_worker_is_wrong(
    operator: Operator, report: Report, make: SandboxMaker, tmp_path: Path
) -> None:
    sandbox = make("clock")
    until_ready(operator, sandbox)
    path = shifted(tmp_path, -HOUR_SECONDS)
    row = begin_with_wrong_clock(report, "the worker's clock is 1h behind")
    operator.set_values(f"worker.env.PYTHONPATH={path}")
    note = differs(operator, sandbox, "ahead of")
    row.until_said({"plugin": note})
    operator.set_values("worker.env.PYTHONPATH=null")
    row.until_recovered("the clock was set", lambda: not note.says())


BLANK = "blank until the worker has reconciled it (documented)"


def are_done(sandbox: Sandbox) -> bool:
    """Whether each of the many rules is ready and its backfill has ended."""
    found = sandbox.api.get(f"{RULES}?labelSelector=many%3Dyes")["items"]
    return len(found) == MANY and all(
        "backfill" not in each["spec"] and "True" in ready(each) for each in found
    )


def ready(rule: dict[str, Any]) -> list[str]:
    conditions = rule.get("status", {}).get("conditions", [])
    return [each["status"] for each in conditions if each["type"] == "Ready"]


def test_many_rules_at_once(operator: Operator, report: Report, make: SandboxMaker) -> None:
    sandbox = make("many")
    past = backfill(hours_ago(3), hours_ago(2))
    rules: list[dict[str, Any]] = []
    for number in range(MANY):
        rule = sandbox.rule(backfill=past, table=f"{sandbox.table}_{number}")
        rule["metadata"] |= {"name": f"{sandbox.name}-{number:03}", "labels": {"many": "yes"}}
        rules.append(rule)
    last = rules[-1]["metadata"]["name"]
    began = time.monotonic()
    operator.must(
        "kubectl apply -f -", json.dumps({"apiVersion": "v1", "kind": "List", "items": rules})
    )
    took = f"applied in {time.monotonic() - began:.0f} s"
    row = report.begin(f"{MANY} rules at once ({took}): the last one")
    row.cells |= dict.fromkeys(("kubectl get", "kubectl describe"), BLANK)
    waits = "the rule waits in the work queue; rules ahead of it: "
    row.until_said(
        {
            "plugin": Surface(
                lambda: operator.output(f"kubectl summaryrule explain {last}"),
                (f"Held: Queued: {waits}", "nothing, if the number falls"),
            ),
            "status page": Surface(lambda: operator.page(last), ("Queued", waits)),
        }
    )
    row.until_recovered("none: the number falls", lambda: are_done(sandbox), LONGEST)
    operator.must("kubectl delete summaryrules -l many=yes --wait=false")
