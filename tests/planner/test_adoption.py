"""Rules of other owners: left alone, taken over, and handed back; and adx-mon's backfills."""

import copy
from dataclasses import replace
from typing import Any

import pytest

from summaryrule.api.ownership import Ownership
from tests.manifests import Json, admit, rule, span, stored
from tests.planner.fake_environment import SETTINGS, FakeEnvironment

SCHEDULE = "summaryrule.adx-mon.azure.com"
CURSOR = f"{SCHEDULE}/LastSuccessfulExecution"
OPERATIONS = f"{SCHEDULE}/OperationId"
START, END = "2026-11-20T00:00:00Z", "2026-11-20T06:00:00Z"
THEIRS = {"requestId": "november", "startTime": START, "endTime": END}
OURS = span(START, END, requestId="november")
UNREADABLE = {"requestId": 5, "startTime": [], "maxInFlight": "x"}


def upstream(backfill: Json | None = None, progress: Json | None = None, **spec: Any) -> Json:
    """A rule as adx-mon's exporter leaves it: owner, conditions, its own form of a backfill."""
    raw = stored(rule(**spec))
    raw["metadata"] |= {"generation": 1, "annotations": {"adx-mon.azure.com/owner": "adx-exporter"}}
    if backfill:
        raw["spec"]["backfill"] = copy.deepcopy(backfill)
    raw["status"] = {
        "conditions": [
            condition(SCHEDULE, "Rule submitted successfully", observedGeneration=1),
            condition(OPERATIONS, "[]"),
            condition(CURSOR, "2026-11-24T06:00:00Z"),
            condition("Criteria", "no criteria specified (default allow)"),
            condition("Completed", "Most recent submission succeeded"),
            condition("Failed", "Most recent submission succeeded"),
            *([condition("Backfill", "Backfill Running")] if progress else []),
        ],
        **({"backfill": copy.deepcopy(progress)} if progress else {}),
    }
    return raw


def condition(kind: str, message: str, **more: Any) -> Json:
    return {"type": kind, "status": "True", "reason": "X", "message": message, **more}


def progress(phase: str, done: int, following: str, *active: tuple[str, str, str]) -> Json:
    return {
        "requestId": "november",
        "phase": phase,
        "observedGeneration": 1,
        "nextWindowStart": following,
        "submittedWindows": done + len(active),
        "completedWindows": done,
        "retriedWindows": 0,
        "activeOperations": [
            {"operationId": each, "startTime": start, "endTime": end} for each, start, end in active
        ],
    }


COMPLETED = progress("Completed", 6, END)


def adopting(*owners: str) -> Any:
    return replace(SETTINGS, ownership=Ownership(adopt_owners=frozenset(owners)))


# Another owner


@pytest.mark.parametrize("backfill", [None, THEIRS, UNREADABLE, OURS])
@pytest.mark.parametrize("interval", ["1h", "30s", "1 day"])
def test_a_rule_of_another_owner_is_never_written(backfill: Json | None, interval: str) -> None:
    raw = upstream(backfill, COMPLETED)
    raw["spec"]["interval"] = interval
    env = FakeEnvironment(raw)
    assert (env.block_reasons(), env.next_effects()) == (["NotOurs"], ())


def test_an_unowned_rule_is_left_alone_if_such_rules_are_not_adopted() -> None:
    raw = upstream(UNREADABLE)
    del raw["metadata"]["annotations"]
    env = FakeEnvironment(raw, settings=replace(SETTINGS, ownership=Ownership(adopt_unowned=False)))
    assert (env.block_reasons(), env.run().writes, env.log) == (["NotOurs"], (), [])


# Taking over


def test_a_rule_of_a_named_owner_is_taken_over_and_runs_on_from_its_cursor() -> None:
    env = FakeEnvironment(upstream(), settings=adopting("ingestor", "adx-exporter"))
    env.sleep(2)
    env.run()
    assert env.raw["metadata"]["annotations"] == {"adx-mon.azure.com/owner": "summaryrule-operator"}
    assert env.performed[:2] == ["SetOwner", "Adopted"]
    assert env.event_messages("Adopted") == ["the rule was taken over from 'adx-exporter'"]
    assert env.kusto.starts == ["2026-11-24T06:00:00Z", "2026-11-24T07:00:00Z"]
    stale = {"Criteria", "Completed", "Failed", "Backfill"}
    assert {each.type for each in env.status.conditions} & {*stale, "Ready"} == {"Ready"}
    assert env.condition("Ready").reason == "Active"


def test_with_desired_owner_a_rule_is_taken_from_a_running_adx_mon_when_nothing_is_due() -> None:
    raw = upstream(progress=progress("Running", 1, "2026-11-20T02:00:00Z"))
    conditions = {each["type"]: each for each in raw["status"]["conditions"]}
    conditions[OPERATIONS]["message"] = '[{"operationId":"op"}]'
    env = FakeEnvironment(raw)
    env.annotate(desired_owner="summaryrule-operator")
    status = env.raw["status"]
    operations, cursor, seen = (
        next(each for each in status["conditions"] if each["type"] == kind)
        for kind in (OPERATIONS, CURSOR, SCHEDULE)
    )

    def waits_for() -> str:
        (blocked,) = env.decide().blocked
        assert (env.next_effects(), blocked.reason) == ((), "NotOurs")
        return blocked.message

    assert "adx-mon has windows in flight" in waits_for()
    operations["message"] = "[]"
    assert "adx-mon has a backfill under way" in waits_for()
    status["backfill"]["phase"] = "Completed"
    seen["observedGeneration"] = 0
    assert "adx-mon is about to submit a window" in waits_for()
    seen["observedGeneration"] = 1
    cursor["message"] = "2026-11-24T05:00:00Z"
    assert "adx-mon is about to submit a window" in waits_for()
    cursor["message"] = "2026-11-24T06:00:00Z"
    env.settle()
    assert env.raw["metadata"]["annotations"] == {"adx-mon.azure.com/owner": "summaryrule-operator"}
    assert env.events == ["Adopted"]


def test_a_window_that_upstream_could_not_submit_is_submitted() -> None:
    raw = upstream()
    operations = next(each for each in raw["status"]["conditions"] if each["type"] == OPERATIONS)
    operations["message"] = (
        '[{"operationId": "", "startTime": "2026-11-24T04:00:00Z",'
        ' "endTime": "2026-11-24T04:59:59.9999999Z"}]'
    )
    env = FakeEnvironment(raw, settings=adopting("adx-exporter"))
    env.run()
    assert env.kusto.starts == ["2026-11-24T04:00:00Z"]


# adx-mon's backfills


def taken_over(backfill: Json | None, status: Json | None) -> FakeEnvironment:
    env = FakeEnvironment(upstream(backfill, status), settings=adopting("adx-exporter"))
    env.settle()
    return env


def test_a_completed_backfill_is_reported_and_removed_and_the_schedule_runs() -> None:
    env = taken_over(THEIRS, COMPLETED)
    assert "backfill" not in env.raw["spec"]
    assert env.events == ["Adopted", "BackfillAlreadyRan"]
    (record,) = env.status.backfill_history
    assert (record.id, record.phase, record.windows) == ("november", "Completed", 6)
    assert (str(record.start), str(record.end), str(record.done_until)) == (START, END, END)
    env.sleep(1)
    env.run()
    assert env.kusto.starts == ["2026-11-24T06:00:00Z"]
    assert env.condition("Ready").reason == "Active"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("form", [THEIRS, OURS], ids=["unchanged", "ported"])
def test_a_completed_backfill_does_not_run_again_when_it_is_ported(form: Json, when: str) -> None:
    """Before: the manifest is applied before the worker has taken the rule over."""
    raw = upstream(THEIRS, COMPLETED)
    env = FakeEnvironment(raw, settings=adopting("adx-exporter"))
    if when == "after":
        env.settle()
    ported = rule(form)
    found = admit(ported, env.raw, now=env.now)
    if when == "after" or form is OURS:
        assert any("was done up to 2026-11-20T06:00:00Z" in each for each in found.warnings)
    env.apply(ported)
    env.run()
    assert env.kusto.starts == []
    assert "backfill" not in env.raw["spec"]


def test_without_a_webhook_a_ported_backfill_does_not_run_again_either() -> None:
    raw = upstream(OURS, COMPLETED)
    env = FakeEnvironment(raw, settings=adopting("adx-exporter"))
    env.run()
    assert (env.kusto.starts, "backfill" in env.raw["spec"]) == ([], False)
    assert "BackfillAlreadyRan" in env.events


def test_a_completed_backfill_whose_request_is_gone_from_spec_is_known_by_its_counts() -> None:
    env = taken_over(None, COMPLETED)
    (record,) = env.status.backfill_history
    assert (str(record.start), str(record.done_until)) == (START, END)
    env.apply(rule(OURS))
    env.run()
    assert env.kusto.starts == []


UNFINISHED = progress(
    "Running",
    2,
    "2026-11-20T04:00:00Z",
    ("theirs-3", "2026-11-20T03:00:00Z", "2026-11-20T03:59:59.9999999Z"),
    ("theirs-1", "2026-11-20T01:00:00Z", "2026-11-20T01:59:59.9999999Z"),
)


def test_an_unfinished_backfill_holds_the_backfill_alone() -> None:
    env = taken_over(THEIRS, UNFINISHED)
    assert env.block_reasons() == ["UpstreamBackfill"]
    assert "done until 2026-11-20T01:00:00Z" in env.decide().blocked[0].message
    assert env.condition("Ready").reason == "UpstreamBackfill"
    assert env.raw["spec"]["backfill"] == THEIRS
    env.sleep(2)
    env.run()
    assert env.kusto.starts == ["2026-11-24T06:00:00Z", "2026-11-24T07:00:00Z"]
    assert env.events == ["Adopted", "UpstreamBackfill"]


def test_an_unfinished_backfill_that_is_ported_continues_after_its_operations() -> None:
    env = taken_over(THEIRS, UNFINISHED)
    env.kusto._states |= {"theirs-1": "Completed", "theirs-3": "InProgress"}  # noqa: SLF001
    env.apply(rule({**OURS, "maxInFlight": 20}))
    env.settle()
    rest = ["2026-11-20T04:00:00Z", "2026-11-20T05:00:00Z"]
    assert env.kusto.starts == rest
    env.kusto._states["theirs-3"] = "Failed?"  # noqa: SLF001
    env.run()
    assert env.kusto.starts == sorted([*rest, "2026-11-20T03:00:00Z"])
    (record, _) = env.status.backfill_history
    assert (record.phase, record.windows) == ("Completed", 6)


def test_a_failed_backfill_continues_after_its_first_completed_windows() -> None:
    env = taken_over(THEIRS, progress("Failed", 2, "2026-11-20T03:00:00Z"))
    env.apply(rule(OURS))
    env.run()
    assert env.kusto.starts == [f"2026-11-20T0{hour}:00:00Z" for hour in (2, 3, 4, 5)]


def test_a_request_that_upstream_never_began_is_held() -> None:
    env = taken_over(THEIRS, None)
    assert env.block_reasons() == ["UpstreamBackfill"]
    assert env.event_messages("UpstreamBackfill") == ["spec.backfill is a request to adx-mon"]
    assert env.condition("Ready").status == "False"


# Admission of adx-mon's form


def test_upstreams_form_is_kept_and_its_range_copied() -> None:
    found = admit(rule(THEIRS))
    assert found.violations == ()
    assert found.backfill == {**THEIRS, "start": START, "end": END}
    assert [each.partition(":")[0] for each in found.warnings] == [
        "spec.backfill.startTime",
        "spec.backfill.endTime",
    ]


def test_another_apply_of_upstreams_form_changes_nothing_and_is_quiet() -> None:
    env = FakeEnvironment(stored(rule(THEIRS)))
    env.kusto.is_slow = True
    env.settle()
    env.kusto.end_all()
    env.settle()
    assert env.raw["spec"]["backfill"]["start"] > START
    merged = {**env.raw["spec"]["backfill"], **THEIRS}
    for sent in (merged, THEIRS):
        found = admit(rule(sent), env.raw)
        assert found.backfill["start"] == env.raw["spec"]["backfill"]["start"]
        assert (found.warnings, found.violations) == ((), ())


def test_a_new_end_and_a_new_request_id_in_upstreams_form_take_effect() -> None:
    env = FakeEnvironment(stored(rule(THEIRS, suspend=True)))
    env.run()
    env.apply(rule({**THEIRS, "endTime": "2026-11-20T08:00:00Z"}, suspend=True))
    env.run()
    env.apply(rule({**THEIRS, "requestId": "again"}, suspend=True))
    env.run()
    first = [f"2026-11-20T0{hour}:00:00Z" for hour in range(6)]
    assert env.kusto.starts == sorted(
        [*first, *first, "2026-11-20T06:00:00Z", "2026-11-20T07:00:00Z"]
    )


# Handing over


def test_a_rule_is_handed_over_when_nothing_is_in_flight() -> None:
    env = FakeEnvironment(upstream(), settings=adopting("adx-exporter"))
    env.kusto.is_slow = True
    env.sleep(1)
    env.settle()
    env.annotate(desired_owner="adx-exporter")
    env.sleep(2)
    env.settle()
    assert env.block_reasons() == ["HandingOver"]
    assert [each.start for each in env.kusto.submits] == ["2026-11-24T06:00:00Z"]
    env.kusto.end_all()
    env.settings = SETTINGS
    env.run()
    assert env.raw["metadata"]["annotations"] == {"adx-mon.azure.com/owner": "adx-exporter"}
    assert env.events == ["Adopted", "HandedOver"]
    assert env.raw["status"].keys() == {"conditions"}
    assert {each.type for each in env.status.conditions} == {SCHEDULE, CURSOR, OPERATIONS}
    assert env.condition(CURSOR).message == "2026-11-24T07:00:00Z"
    assert env.condition(SCHEDULE).observed_generation == 1
    assert (env.block_reasons(), env.next_effects()) == (["NotOurs"], ())


def test_a_rule_is_not_handed_over_before_its_backfill_is_done() -> None:
    env = FakeEnvironment(stored(rule(span(START, END), suspend=True)))
    env.annotate(desired_owner="adx-exporter")
    env.kusto.is_slow = True
    env.settle()
    assert "HandingOver" in env.block_reasons()
    assert env.raw["metadata"]["finalizers"] != []
    env.kusto.is_slow = False
    env.kusto.end_all()
    env.run()
    assert env.kusto.starts == [f"2026-11-20T0{hour}:00:00Z" for hour in range(6)]
    assert env.raw["metadata"]["annotations"]["adx-mon.azure.com/owner"] == "adx-exporter"
    assert env.raw["metadata"]["finalizers"] == []
