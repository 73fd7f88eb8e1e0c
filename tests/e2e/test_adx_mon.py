"""Beside adx-mon, after it and back to it: its CRD, its conditions, its annotations, its backfills.

``adx_mon.Exporter`` plays its writes. The commands are those of docs/migrating.md.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from azure.kusto.data import KustoClient, KustoConnectionStringBuilder

from devstack.config import CHECKOUT
from devstack.stack import Stack
from summaryrule.api.constants import FIELD_MANAGER
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from tests.e2e.adx_mon import EXPORTER, OWNER, Exporter, install_crd, progress, requested
from tests.e2e.fixtures import HOUR, Sandbox, backfill, hours_ago, now
from tests.e2e.workers import ACCOUNT, WorkerProcess

THEIR_CRD = (Path(__file__).parent / "upstream_crd.yaml").read_text(encoding="utf-8")
OUR_CRD = (CHECKOUT / "charts/summaryrule-operator/files/crd.yaml").read_text(encoding="utf-8")
PAGE = (CHECKOUT / "docs/migrating.md").read_text(encoding="utf-8")
OURS = "summaryrule-operator"
TWO_MINUTES = 120 * TICKS_PER_SECOND


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack with everything but a worker."""
    with Stack.start(tmp_path_factory.mktemp("beside"), without=frozenset({"worker"})) as stack:
        yield stack


@pytest.fixture
def worker(beside: Stack, tmp_path: Path) -> Iterator[WorkerProcess]:
    cluster = yaml.safe_load(beside.kubeconfig.read_text())["clusters"][0]["cluster"]
    endpoint = f"Telemetry={beside.env()['KUSTO_ENDPOINT']}"
    made = WorkerProcess(beside, "beside", tmp_path, cluster=cluster, endpoints=[endpoint])
    yield made
    made.end()


@pytest.fixture
def rules(beside: Stack) -> Iterator[dict[str, Sandbox]]:
    """Five rules as adx-mon leaves them, created with its CRD. It has run them for some hours."""
    _wait_while_the_hour_ends()
    env = beside.env()
    connection = KustoConnectionStringBuilder.with_no_authentication(env["KUSTO_ENDPOINT"])
    source = f"Raw_{time.time_ns()}"
    with KustoClient(connection) as kusto:
        Sandbox(beside, kusto, "all", source=source).load(hours_ago(8), hours_ago(0))
        found = {
            kind: Sandbox(beside, kusto, f"{kind}-{source[-6:]}", source=source)
            for kind in ("plain", "running", "completed", "failed", "handed")
        }
        install_crd(beside, THEIR_CRD)
        for kind, sandbox in found.items():
            _left_by_adx_mon(kind, sandbox)
        yield found
        install_crd(beside, OUR_CRD)
        for sandbox in found.values():
            sandbox.kubectl("delete", "summaryrule", sandbox.name, "--wait=false")


def _left_by_adx_mon(kind: str, sandbox: Sandbox) -> None:
    exporter, start, end = Exporter(sandbox.stack), hours_ago(8), hours_ago(5)
    has_backfill = kind in {"running", "completed", "failed"}
    sandbox.admit(manifest(sandbox, requested(start, end) if has_backfill else None))
    exporter.claim(sandbox)
    cursor = hours_ago(0) if kind == "handed" else hours_ago(2)
    first = hours_ago(5) if has_backfill else start
    for ticks in range(first.ticks, cursor.ticks, HOUR.ticks):
        exporter.run(sandbox, Instant(ticks))
    second, third = start.plus(HOUR.ticks), start.plus(2 * HOUR.ticks)
    if kind == "completed":
        for ticks in range(start.ticks, end.ticks, HOUR.ticks):
            exporter.run(sandbox, Instant(ticks))
        exporter.report(sandbox, cursor, backfill=progress("Completed", 3, end))
    elif kind == "running":
        exporter.run(sandbox, start)
        active = exporter.run(sandbox, second)
        left = progress("Running", 1, third, (active, second))
        exporter.report(sandbox, cursor, backfill=left)
    elif kind == "failed":
        exporter.run(sandbox, start)
        exporter.report(sandbox, cursor, backfill=progress("Failed", 1, third))
    else:
        exporter.report(sandbox, cursor)


def manifest(sandbox: Sandbox, request: dict[str, Any] | None = None) -> dict[str, Any]:
    made = sandbox.rule(**({"backfill": request} if request else {}))
    del made["spec"]["suspend"]
    return made


@pytest.mark.parametrize("crd", [THEIR_CRD, OUR_CRD], ids=["their CRD", "our CRD"])
def test_beside_adx_mon_nothing_of_ours_is_written_to_its_rules(
    beside: Stack, worker: WorkerProcess, rules: dict[str, Sandbox], crd: str
) -> None:
    install_crd(beside, crd)
    worker.start("--no-adopt-unowned")
    _until(lambda: all(_is_left_alone(worker, each) for each in rules.values()))
    exporter, third = Exporter(beside), hours_ago(6)
    exporter.report(rules["running"], hours_ago(1), backfill=progress("Running", 2, third))
    before = {kind: each.get() for kind, each in rules.items()}
    assert before["running"]["status"]["backfill"]["nextWindowStart"] == str(third)
    time.sleep(3)
    for kind, sandbox in rules.items():
        rule = sandbox.get()
        assert rule == before[kind]
        assert FIELD_MANAGER not in {each["manager"] for each in rule["metadata"]["managedFields"]}
        assert "finalizers" not in rule["metadata"]
        assert not _events(sandbox)
        assert _shown(sandbox)["reason"] == "NotOurs"
    assert not _writes_of_the_worker(beside, [each.name for each in rules.values()])
    _same_when_applied_again(rules["running"])


def test_a_take_over_and_a_hand_over_with_the_printed_commands(
    beside: Stack, worker: WorkerProcess, rules: dict[str, Sandbox]
) -> None:
    to_ours, take_all, plan, to_theirs = _commands()
    install_crd(beside, OUR_CRD)
    worker.start("--no-adopt-unowned")
    handed = rules["handed"]
    _run(beside, to_ours.replace("my-rule", handed.name))
    handed.until(lambda rule: rule["metadata"]["annotations"][OWNER] == OURS, "the take-over")
    assert "Adopted" in _events(handed)

    _run(beside, take_all)
    plain = rules["plain"].until(_has_caught_up, "its schedule")
    kinds = {each["type"] for each in plain["status"]["conditions"]}
    assert not kinds & {"Criteria", "Completed", "Failed"}
    for kind in ("plain", "completed"):
        rules[kind].until(_has_caught_up, "its schedule")
    rules["completed"].until_cleared()
    assert "BackfillAlreadyRan" in _events(rules["completed"])
    command = plan.replace("my-rule", rules["running"].name).replace("my-namespace", "default")
    assert "held: UpstreamBackfill: " in _run(beside, command)
    for kind in ("running", "failed"):
        held = rules[kind].until(_has_caught_up, "its schedule")
        ready = next(each for each in held["status"]["conditions"] if each["type"] == "Ready")
        assert (ready["status"], ready["reason"]) == ("False", "UpstreamBackfill")

    span = backfill(hours_ago(8), hours_ago(5), requestId="old")
    for kind in ("running", "failed", "completed"):
        rules[kind].admit(manifest(rules[kind], span))
        rules[kind].until_cleared()
    for sandbox in rules.values():
        sandbox.assert_exactly_once(hours_ago(8), hours_ago(0))

    sandbox = rules["plain"]
    _run(beside, to_theirs.replace("my-rule", sandbox.name))
    rule = sandbox.until(
        lambda rule: rule["metadata"]["annotations"] == {**_applied(rule), OWNER: EXPORTER},
        "the hand-over",
    )
    assert "HandedOver" in _events(sandbox)
    assert rule["status"].keys() == {"conditions"}
    Exporter(beside).report(sandbox, hours_ago(0))
    before = sandbox.get()
    time.sleep(3)
    assert sandbox.get() == before


def test_upstreams_form_is_taken_and_applied_again_quietly(
    beside: Stack, worker: WorkerProcess, rules: dict[str, Sandbox]
) -> None:
    """As our own form: client-side, on the server, and as a whole object."""
    install_crd(beside, OUR_CRD)
    worker.start("--adopt-owner=adx-exporter")
    sandbox = rules["plain"]
    sandbox.until(_has_caught_up, "its schedule")
    late = requested(hours_ago(8), hours_ago(0).plus(HOUR.ticks))
    rule = manifest(sandbox, late)
    assert "is adx-mon's field; it was copied to spec.backfill.start" in sandbox.admit(rule)
    sandbox.until(lambda rule: rule["status"]["backfill"]["windowsTotal"] == 9, "the backfill")
    sandbox.until(lambda rule: "done until" in _message(rule, "Backfill"), "progress")
    again = sandbox.apply(rule)
    assert (again.stdout.split()[-1], again.stderr) == ("unchanged", "")
    for flags in (("--server-side", "--force-conflicts"), ("--server-side",)):
        assert sandbox.apply(rule, *flags).stderr == ""
    version = sandbox.get()["spec"]["backfill"]["start"]
    done = _replace(sandbox, rule)
    assert (done.returncode, done.stderr) == (0, "")
    assert sandbox.get()["spec"]["backfill"]["start"] >= version
    sandbox.until(lambda rule: rule["status"]["backfill"]["windowsDone"] == 8, "all that are due")
    rows = Counter(timestamp for timestamp, *_ in sandbox.summary().elements())
    assert set(rows.values()) == {2}, "adx-mon or the schedule ran each window once, and we once"


def _replace(sandbox: Sandbox, rule: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Replace the rule, again while the worker writes between kubectl's read and its write."""
    for _ in range(20):
        done = sandbox.kubectl("replace", "-f", "-", stdin=json.dumps(rule))
        if "the object has been modified" not in done.stderr:
            return done
    raise AssertionError("the worker wrote before each of twenty replacements")


def _wait_while_the_hour_ends() -> None:
    left = hours_ago(0).plus(HOUR.ticks).ticks - now().ticks
    if left < TWO_MINUTES:
        time.sleep(left / TICKS_PER_SECOND)


def _has_caught_up(rule: dict[str, Any]) -> bool:
    schedule = rule["status"]["schedule"]
    return bool(schedule["lastDone"] == str(hours_ago(0)) and "inFlight" not in schedule)


def _message(rule: dict[str, Any], kind: str) -> str:
    return next(
        str(each["message"]) for each in rule["status"]["conditions"] if each["type"] == kind
    )


def _is_left_alone(worker: WorkerProcess, sandbox: Sandbox) -> bool:
    lines = worker.log.read_text(encoding="utf-8").splitlines()
    return any("NotOurs" in line and sandbox.name in line for line in lines)


def _until(condition: Any) -> None:
    give_up_at = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.1)


def _events(sandbox: Sandbox) -> list[str]:
    path = "/apis/events.k8s.io/v1/namespaces/default/events"
    found = sandbox.api.get(path)["items"]
    return [each["reason"] for each in found if each["regarding"]["name"] == sandbox.name]


def _shown(sandbox: Sandbox) -> dict[str, Any]:
    """What `kubectl summaryrule status` says."""
    command = [sys.executable, "-m", "plugin", "status", sandbox.name, "-o", "json"]
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env={**os.environ, **sandbox.stack.env()},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _writes_of_the_worker(stack: Stack, names: list[str]) -> list[str]:
    user = f"system:serviceaccount:summaryrule-system:{ACCOUNT}"
    lines = map(json.loads, stack.audit.read_text(encoding="utf-8").splitlines())
    return [
        each["requestURI"]
        for each in lines
        if each["user"]["username"] == user
        and each["verb"] not in {"get", "list", "watch"}
        and any(name in each["requestURI"] for name in names)
    ]


def _same_when_applied_again(sandbox: Sandbox) -> None:
    before = sandbox.get()
    done = sandbox.apply(manifest(sandbox, requested(hours_ago(8), hours_ago(5))))
    assert (done.stdout.split()[-1], done.stderr) == ("unchanged", "")
    assert sandbox.get() == before


def _applied(rule: dict[str, Any]) -> dict[str, str]:
    """The annotation of kubectl apply."""
    name = "kubectl.kubernetes.io/last-applied-configuration"
    return {name: rule["metadata"]["annotations"][name]}


def _commands() -> list[str]:
    """The commands of the page for rules of adx-mon, in their order."""
    found = re.findall(
        r"<!-- not run: the rule is adx-mon's -->\s*```bash\n\s*(.*?)\n\s*```", PAGE, re.DOTALL
    )
    return [str(each) for each in found]


def _run(stack: Stack, command: str) -> str:
    """Run a printed command; `kubectl exec … --` runs its command here, as the pod would."""
    words = shlex.split(command.replace(" \\\n", " "))
    if "exec" in words:
        words = [sys.executable, *words[words.index("--") + 2 :]]
    else:
        words[0] = str(stack.kubectl)
    done = subprocess.run(
        words,
        cwd=CHECKOUT,
        env={**os.environ, **stack.env()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
