"""Applying the same manifest again, by every tool: a backfill is neither rewound nor run twice.

A rule is applied, a manual worker sets its backfill to a moment, the manifest is applied again.
Each tool has a rule of its own; tools go side by side.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from devstack import binaries
from devstack.binaries import CHECKERS
from devstack.stack import Stack
from summaryrule.api.instant import Instant
from tests.chart.helm import Helm
from tests.e2e.fixtures import HOUR, Sandbox, backfill, hours_ago
from tests.e2e.kubectl import RESOURCE, Kubectl, Said, at_path, side_by_side
from tests.e2e.manifests import ADMIN, END, START, asking
from tests.e2e.manual_worker import ManualWorker, manual_worker
from tests.e2e.proofs.say import say

FIRST, SECOND = START.plus(HOUR.ticks), START.plus(2 * HOUR.ticks)
FINISHED = hours_ago(1)
RAN = (
    f"spec.backfill: from {START} was done at {FINISHED} up to {END} and is not run again; to run"
    " it again set spec.backfill.requestId to a new value"
)
FLAGS = {
    "kubectl apply": (),
    "kubectl apply --server-side": ("--server-side",),
    "kubectl apply --server-side --force-conflicts": ("--server-side", "--force-conflicts"),
}
# NB: of a custom resource helm 3 sends what differs between the manifests, here nothing (3.22);
# with --force it replaces the object by the manifest.
HELMS = {"helm 3": (), "helm 3 --force": ("--force",), "helm 4": ()}
TRY_AGAIN = ("conflict", "the object has been modified; please apply your changes to the latest")
"""What a tool may be told in the middle of the worker's own writes."""
Apply = Callable[[str], Said]


@dataclass(frozen=True, slots=True)
class Moment:
    """What the manual worker does before a re-apply, and the start that must be stored after it."""

    title: str
    act: Callable[[ManualWorker, str], None]
    start: Instant | None


def status(phase: str, until: Instant) -> dict[str, Any]:
    return {
        "backfill": {
            "requestKey": "key",
            "requestedStart": str(START),
            "requestedEnd": str(END),
            "requestedBy": ADMIN,
            "phase": phase,
            "doneUntil": str(until),
        }
    }


def fly(worker: ManualWorker, name: str) -> None:
    worker.report(name, status("Running", FIRST))
    worker.advance(name, FIRST, "operation-2")


def wait(worker: ManualWorker, name: str) -> None:
    worker.report(name, status("Running", SECOND))
    worker.advance(name, SECOND, None)


def fail(worker: ManualWorker, name: str) -> None:
    worker.report(name, status("Failed", SECOND))


def finish(worker: ManualWorker, name: str) -> None:
    record = {
        "key": "key",
        "start": str(START),
        "end": str(END),
        "by": ADMIN,
        "phase": "Completed",
        "doneUntil": str(END),
        "finishedAt": str(FINISHED),
    }
    worker.report(name, status("Completed", END) | {"backfillHistory": [record]})
    worker.remove(name)


MOMENTS = (
    Moment("with a window in flight", fly, FIRST),
    Moment("between windows", wait, SECOND),
    Moment("after a window has failed", fail, SECOND),
    Moment("when it is done", finish, None),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the tool said, and the backfill that was stored then."""

    said: Said
    backfill: dict[str, Any] | None


def rule_of(tool: str) -> str:
    return "again-" + tool.replace("kubectl ", "").replace("--", "").replace(" ", "-")


@pytest.fixture(scope="module")
def helms(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Helm]:
    [older] = [tool for tool in CHECKERS if tool.name == "helm3"]
    paths = {"3": binaries.resolve(print, [older])["helm3"], "4": stack.helm}
    return {
        tool: Helm(paths[tool.split()[1]], tmp_path_factory.mktemp("helm"), stack.kubeconfig)
        for tool in HELMS
    }


def chart_of(folder: Path, rule: Mapping[str, Any]) -> Path:
    """A chart that is this one rule."""
    (folder / "templates").mkdir()
    about = {"apiVersion": "v2", "name": rule["metadata"]["name"], "version": "1.0.0"}
    (folder / "Chart.yaml").write_text(json.dumps(about))
    (folder / "templates" / "rule.yaml").write_text(json.dumps(rule))
    return folder


def upgrade(helm: Helm, chart: Path, flags: tuple[str, ...], name: str) -> Said:
    done = helm.try_to("upgrade", "--install", name, str(chart), *flags)
    return Said(done.returncode, (), tuple(done.stderr.splitlines()))


def _apply(kubectl: Kubectl, flags: tuple[str, ...], name: str) -> Said:
    return kubectl.feed(asking(name), "apply", *flags)


@pytest.fixture(scope="module")
def tools(
    stack: Stack, helms: dict[str, Helm], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Apply]]:
    kubectl = Kubectl.of(stack)
    made: dict[str, Apply] = {
        tool: partial(_apply, kubectl, flags) for tool, flags in FLAGS.items()
    }
    for tool, helm in helms.items():
        chart = chart_of(tmp_path_factory.mktemp("chart"), asking(rule_of(tool)))
        made[tool] = partial(upgrade, helm, chart, HELMS[tool])
    yield made
    for tool, helm in helms.items():
        helm.run("uninstall", rule_of(tool))
    kubectl.must("delete", RESOURCE, *map(rule_of, FLAGS), "--ignore-not-found", "--wait=false")


@pytest.fixture(scope="module")
def seen(stack: Stack, tools: dict[str, Apply]) -> dict[str, list[Seen]]:
    with manual_worker(stack) as worker:
        return side_by_side(
            {tool: partial(_live, worker, rule_of(tool), apply) for tool, apply in tools.items()}
        )


def _live(worker: ManualWorker, name: str, apply: Apply) -> list[Seen]:
    first = apply(name)
    assert first.code == 0, first
    found = []
    for moment in MOMENTS:
        moment.act(worker, name)
        said = apply(name)
        found.append(Seen(said, at_path(worker.get(name), "spec.backfill")))
    return found


@pytest.mark.parametrize("number", range(len(MOMENTS)), ids=[each.title for each in MOMENTS])
@pytest.mark.parametrize("tool", [*FLAGS, *HELMS])
def test_applying_a_manifest_again_keeps_the_cursor(
    seen: dict[str, list[Seen]], tool: str, number: int
) -> None:
    found, moment = seen[tool][number], MOMENTS[number]
    assert found.said.code == 0, found.said
    assert at_path(found.backfill, "start") == (moment.start and str(moment.start))
    assert at_path(found.backfill, "operationId") == ("operation-2" if number == 0 else None)


@pytest.mark.parametrize("tool", FLAGS)
def test_kubectl_says_only_that_it_applied_and_what_ran_before(
    seen: dict[str, list[Seen]], tool: str
) -> None:
    for number, found in enumerate(seen[tool]):
        is_done = MOMENTS[number].start is None
        assert found.said.err == ((f"Warning: {RAN}",) if is_done else ())
        [line] = found.said.out
        assert line.startswith(f"{RESOURCE}/{rule_of(tool)} ")


@pytest.mark.parametrize("tool", ["helm 3 --force", "helm 4"])
def test_helm_passes_on_what_ran_before(seen: dict[str, list[Seen]], tool: str) -> None:
    assert any(RAN in line for line in seen[tool][-1].said.err)


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_upgrading_a_release_while_its_backfill_runs_loses_and_doubles_nothing(
    sandbox: Sandbox, helms: dict[str, Helm], tmp_path: Path
) -> None:
    """The worker runs these; a helm each upgrades them all the while."""
    start, end = hours_ago(50), hours_ago(2)
    sandboxes = {
        tool: Sandbox(sandbox.stack, sandbox.kusto, f"{sandbox.name}-{number}")
        for number, tool in enumerate(HELMS)
    }
    again: dict[str, Callable[[], Said]] = {}
    for tool, each in sandboxes.items():
        each.load(start, end)
        (tmp_path / each.name).mkdir()
        chart = chart_of(tmp_path / each.name, each.rule(backfill=backfill(start, end)))
        again[tool] = partial(upgrade, helms[tool], chart, HELMS[tool], each.name)
        assert again[tool]().code == 0
    codes: Counter[int] = Counter()
    while any("backfill" in each.get()["spec"] for each in sandboxes.values()):
        for said in side_by_side(again).values():
            assert said.code == 0 or any(words in str(said.err) for words in TRY_AGAIN), said
            codes[said.code] += 1
    say(f"{codes[0]} upgrades of running backfills, {codes[1]} more that were told to try again")
    assert codes[0] > 5 * len(HELMS)
    for tool, each in sandboxes.items():
        each.until_cleared()
        each.assert_exactly_once(start, end)
        helms[tool].run("uninstall", each.name)
