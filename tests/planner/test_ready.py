"""Condition `Ready`: what it says of each state, and what kstatus makes of it."""

from collections.abc import Callable
from typing import Any

import pytest

from summaryrule.api.constants import SCHEDULE_CONDITION
from summaryrule.api.v1 import dump
from summaryrule.planner import query_validity
from summaryrule.planner.plan import plan_unreadable
from summaryrule.planner.types import RecordStatus
from tests.manifests import NOW, rule, span, stored
from tests.planner.fake_environment import FakeEnvironment, backfilling, hours

CURSOR = {"schedule": {"cursor": "2026-11-24T02:00:00Z"}}


def _scheduled(status: Any = CURSOR, **spec: Any) -> FakeEnvironment:
    """A rule whose schedule has four windows to run."""
    return FakeEnvironment(stored(rule(**spec), status=status))


def _ran(env: FakeEnvironment) -> FakeEnvironment:
    env.run()
    return env


def _failing(env: FakeEnvironment) -> FakeEnvironment:
    env.kusto.state_of = lambda _start, _attempt: "BadInput"
    return _ran(env)


def _unanswered(**spec: Any) -> FakeEnvironment:
    env = _scheduled(**spec)
    env.memory.endpoint_error = "http://kusto gave no usable answer: 502"
    return _ran(env)


def _with_backfill(**changes: Any) -> FakeEnvironment:
    env = backfilling(3)
    env.edit(backfill={**env.raw["spec"]["backfill"], **changes})
    return _ran(env)


def _edited_mid_run() -> FakeEnvironment:
    env = backfilling(3)
    env.kusto.is_slow = True
    env.settle()
    env.edit(body="Metrics | take 1")
    env.settle()
    return env


def _unchecked(env: FakeEnvironment) -> FakeEnvironment:
    env.answer = None
    return _ran(env)


def _refused(env: FakeEnvironment) -> FakeEnvironment:
    env.answer = lambda check: query_validity.invalid(check, "SEM0100: no column 'Valu'")
    return _ran(env)


def _broken(env: FakeEnvironment) -> FakeEnvironment:
    env.criteria_hold = False
    return _ran(env)


def kstatus(raw: Any) -> str:
    """The status of an object by the rules of kstatus for resources that it does not know.

    kubernetes-sigs/cli-utils, pkg/kstatus/README.md, "Statuses" and "Conditions".
    """
    metadata, status = raw["metadata"], raw.get("status", {})
    if "deletionTimestamp" in metadata:
        return "Terminating"
    found = {each["type"]: each["status"] for each in status.get("conditions", [])}
    if status.get("observedGeneration", metadata["generation"]) != metadata["generation"]:
        return "InProgress"
    if found.get("Reconciling") == "True":
        return "InProgress"
    if found.get("Stalled") == "True":
        return "Failed"
    return "Current" if found.get("Ready", "True") == "True" else "InProgress"


NOWHERE = {"suspend": True, "database": "Nowhere"}
GARBAGE = {
    "conditions": [
        {
            "type": f"{SCHEDULE_CONDITION}/LastSuccessfulExecution",
            "status": "True",
            "reason": "X",
            "message": "yesterday",
        }
    ]
}
CASES: dict[str, tuple[Callable[[], FakeEnvironment], str, str, str]] = {
    "schedule runs": (lambda: _ran(_scheduled()), "True Active", "Current", "as they are due"),
    "suspended": (
        lambda: _ran(_scheduled(suspend=True)),
        "True Suspended",
        "Current",
        "spec.suspend is true",
    ),
    "for other clusters": (
        lambda: _ran(_scheduled(criteria={"region": ["eastus"]})),
        "True OtherCluster",
        "Current",
        "no criteria matched",
    ),
    "for other clusters by its expression": (
        lambda: _broken(_scheduled(criteriaExpression="region == 'x'")),
        "True OtherCluster",
        "Current",
        "evaluated to false",
    ),
    "paused backfill": (
        lambda: _ran(FakeEnvironment(stored(rule(span(*hours(2), suspend=True))))),
        "True Paused",
        "Current",
        "spec.backfill.suspend",
    ),
    "backfill runs beside a suspended schedule": (
        lambda: _ran(backfilling(3)),
        "True Suspended",
        "Current",
        "spec.suspend is true",
    ),
    "no endpoint": (
        lambda: _ran(_scheduled(database="Nowhere")),
        "False NoEndpoint",
        "Failed",
        "'Nowhere'",
    ),
    "no answer": (_unanswered, "False EndpointUnavailable", "InProgress", "no usable answer"),
    "no answer, and suspended with nothing to send": (
        lambda: _unanswered(suspend=True),
        "True Suspended",
        "Current",
        "spec.suspend is true",
    ),
    "suspended, and without an endpoint": (
        lambda: _ran(_scheduled(suspend=True, database="Nowhere")),
        "True Suspended",
        "Current",
        "spec.suspend is true",
    ),
    "suspended, with a backfill and without an endpoint": (
        lambda: _ran(FakeEnvironment(stored(rule(span(*hours(2)), **NOWHERE)))),
        "False NoEndpoint",
        "Failed",
        "'Nowhere'",
    ),
    "query not checked yet": (
        lambda: _unchecked(_scheduled()),
        "False CheckingQuery",
        "InProgress",
        "has not said yet",
    ),
    "query not checked yet, and suspended": (
        lambda: _unchecked(_scheduled(suspend=True)),
        "True Suspended",
        "Current",
        "spec.suspend is true",
    ),
    "query refused": (
        lambda: _refused(_scheduled()),
        "False QueryInvalid",
        "Failed",
        "SEM0100",
    ),
    "query refused, and suspended": (
        lambda: _refused(_scheduled(suspend=True)),
        "True Suspended",
        "Current",
        "spec.suspend is true",
    ),
    "windows of the schedule failed": (
        lambda: _failing(_scheduled()),
        "False WindowFailed",
        "Failed",
        "4 windows failed, the first [2026-11-24T02:00:00Z, 2026-11-24T03:00:00Z): BadInput: boom",
    ),
    "too many of them failed": (
        lambda: _failing(_scheduled({"schedule": {"cursor": "2026-11-20T02:00:00Z"}})),
        "False TooManyFailed",
        "Failed",
        "the first [2026-11-20T02:00:00Z, 2026-11-20T03:00:00Z): BadInput: boom",
    ),
    "backfill failed": (
        lambda: _failing(backfilling(3)),
        "False BackfillFailed",
        "Failed",
        f"window [{hours(1)[0]}, {hours(2)[1]}) failed: BadInput: boom",
    ),
    "edited while its backfill runs": (
        _edited_mid_run,
        "False SpecChanged",
        "Failed",
        "still in flight",
    ),
    "backfill whose start is not before its end": (
        lambda: _with_backfill(end=hours(1)[0]),
        "False Malformed",
        "Failed",
        "must be before end",
    ),
    "a condition of adx-mon that cannot be read": (
        lambda: _ran(_scheduled(GARBAGE)),
        "False Malformed",
        "Failed",
        "'yesterday'",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_ready_names_the_state_of_the_rule_and_kstatus_agrees(case: str) -> None:
    make, said, verdict, message = CASES[case]
    env = make()
    ready = env.condition("Ready")
    assert f"{ready.status} {ready.reason}" == said
    assert message in ready.message
    assert ready.observed_generation == env.status.observed_generation
    assert env.status.observed_generation == env.raw["metadata"]["generation"]
    assert kstatus(env.raw) == verdict


def test_stalled_and_reconciling_go_when_the_cause_is_gone() -> None:
    env = _failing(_scheduled())
    assert env.condition("Stalled").reason == "WindowFailed"
    env.kusto.state_of = lambda _start, _attempt: "Completed"
    env.annotate(backfill_retry="all")
    env.run()
    env.memory.endpoint_error = "http://kusto gave no usable answer: 502"
    env.sleep(1)
    env.run()
    assert env.condition("Reconciling").status == "True"
    env.memory.endpoint_error = ""
    env.sleep(1)
    env.run()
    kinds = {each.type for each in env.status.conditions}
    assert "Ready" in kinds
    assert not kinds & {"Stalled", "Reconciling"}


def test_ready_keeps_its_transition_time_while_its_status_stays() -> None:
    env = _ran(_scheduled())
    since = env.condition("Ready").last_transition_time
    env.sleep(1)
    env.edit(suspend=True)
    env.run()
    assert (env.condition("Ready").reason, env.condition("Ready").last_transition_time) == (
        "Suspended",
        since,
    )


def test_an_object_that_cannot_be_read_is_not_ready_and_is_written_once_per_generation() -> None:
    raw = rule(interval="1 day")
    raw["metadata"]["generation"] = 4
    first = plan_unreadable(raw, "spec.interval: no", NOW, is_new=True)
    (write,) = (each for each in first.writes if isinstance(each, RecordStatus))
    conditions = {each.type: each for each in write.status.conditions}
    assert conditions["Ready"].status == "False"
    assert conditions["Ready"].reason == conditions["Stalled"].reason == "Malformed"
    assert write.status.observed_generation == 4
    raw["status"] = dump(write.status)
    assert plan_unreadable(raw, "spec.interval: no", NOW, is_new=False).writes == ()
    raw["metadata"]["generation"] = 5
    (again,) = plan_unreadable(raw, "spec.interval: no", NOW, is_new=False).writes
    assert isinstance(again, RecordStatus)
    assert again.status.observed_generation == 5
