"""The output of ``worker plan``: what scripts depend on."""

from typing import Any

from summaryrule.api.schema_validation import parse_rule
from summaryrule.planner.plan_json import explain
from tests.manifests import rule, span, stored
from tests.planner.call_counter import calls
from tests.planner.fake_environment import FIRST, FakeEnvironment, backfilling, hours


def _explain(env: FakeEnvironment) -> dict[str, Any]:
    return explain(parse_rule(env.raw), env.decide(), env.now, env.settings)


def _starts(plan: dict[str, Any], kind: str = "backfill") -> list[str]:
    return [window["start"] for window in plan[kind]]


def test_it_lists_every_due_window_oldest_first_with_the_text_a_run_sends() -> None:
    env = backfilling(6, suspend=False)
    plan = _explain(env)
    assert _starts(plan) == hours(6)
    assert _starts(plan, "interval") == ["2026-11-24T05:00:00Z"]
    assert (plan["name"], plan["held"], "more" in plan) == ("cpu-hourly", [], False)
    env.run()
    sent = {each.text: each for each in env.kusto.submits}
    for window in (*plan["interval"], *plan["backfill"]):
        assert sent[window["command"]].token == window["token"]


def test_end_is_exclusive_and_query_end_is_what_the_text_says() -> None:
    window = _explain(backfilling(1))["backfill"][0]
    assert (window["start"], window["end"]) == (FIRST, "2026-11-20T01:00:00Z")
    assert window["queryEnd"] == "2026-11-20T00:59:59.9999999Z"
    assert f"let _endTime=datetime({window['queryEnd']});" in window["command"]
    assert set(window) == {"start", "end", "queryEnd", "command", "token"}


def test_it_counts_and_says_how_long_that_should_take_and_from_what() -> None:
    env = backfilling(6, suspend=False, maxInFlight=4)
    unknown = {"duration": "unknown", "from": "no operation of this rule has ended yet"}
    plan = _explain(env)
    assert plan["count"] == {"interval": 1, "backfill": 6}
    assert plan["estimate"] == {"interval": unknown, "backfill": unknown}
    env.kusto.seconds = 90
    env.run()
    env.sleep(5)
    env.edit(backfill=span("2026-11-20T06:00:00Z", "2026-11-20T15:00:00Z", maxInFlight=4))
    plan = _explain(env)
    assert plan["count"] == {"interval": 5, "backfill": 9}
    assert plan["estimate"]["interval"] == {
        "duration": "3m",
        "from": "1m30s an operation on average, as its interval runs took; up to 4 at once",
    }
    assert plan["estimate"]["backfill"] == {
        "duration": "4m30s",
        "from": f"1m30s an operation on average, as its backfill from {FIRST} took; up to 4 at"
        " once",
    }


def test_what_an_ended_request_left_unfinished_is_planned_when_it_is_asked_for_again() -> None:
    env = backfilling(6, maxInFlight=2)
    env.kusto.is_slow = True
    env.settle()
    env.edit(backfill=...)
    env.settle()
    env.edit(backfill=span(FIRST, hours(7)[6]))
    assert _starts(_explain(env)) == hours(6)


def test_it_lists_no_window_that_is_not_due() -> None:
    env = backfilling(104)
    plan = _explain(env)
    assert _starts(plan) == hours(102)
    assert [each["reason"] for each in plan["held"]] == ["Suspended", "WaitingUntilDue"]


def test_what_is_in_flight_counts_as_submitted() -> None:
    env = backfilling(6, maxInFlight=2, suspend=False)
    env.kusto.is_slow = True
    env.settle()
    plan = _explain(env)
    assert (_starts(plan), _starts(plan, "interval")) == (hours(6)[2:], [])


def test_it_lists_the_first_thousand_of_each_kind_and_counts_the_rest() -> None:
    minutes = rule(span("2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"), interval="1m")
    cursor = {"schedule": {"cursor": "2026-11-23T00:00:00Z"}}
    plan = _explain(FakeEnvironment(stored(minutes, status=cursor)))
    assert (len(plan["interval"]), len(plan["backfill"])) == (1_000, 1_000)
    assert plan["more"] == 440 + 24 * 60 + 6 * 60 + 30 - 1_000
    assert plan["backfill"][0]["start"] == FIRST


def test_years_of_catch_up_are_counted_and_not_walked() -> None:
    status = {"schedule": {"cursor": "2020-01-01T00:00:00Z"}}
    env = FakeEnvironment(stored(rule(interval="1m"), status=status))
    assert _explain(env)["more"] > 3_000_000
    assert calls(lambda: _explain(env)) < 200 * 1_000


def test_a_paused_or_failed_backfill_lists_nothing_and_says_why() -> None:
    env = backfilling(6)
    env.edit(backfill={**env.raw["spec"]["backfill"], "suspend": True})
    plan = _explain(env)
    assert _starts(plan) == []
    assert [each["reason"] for each in plan["held"]] == ["Suspended", "Paused"]
    env = backfilling(6)
    env.refusals[FIRST] = "no such column"
    env.run()
    plan = _explain(env)
    assert _starts(plan) == []
    assert plan["held"][1]["reason"] == "BackfillFailed"
    assert "no such column" in plan["held"][1]["message"]


def test_a_rule_whose_criteria_do_not_hold_lists_nothing_and_says_why() -> None:
    env = backfilling(6, suspend=False)
    env.criteria_hold = False
    env.edit(criteriaExpression="region == 'x'")
    plan = _explain(env)
    assert (_starts(plan), _starts(plan, "interval")) == ([], [])
    assert [each["reason"] for each in plan["held"]] == ["CriteriaNotMet"]


def test_a_rule_of_another_owner_lists_nothing() -> None:
    env = backfilling(6)
    env.annotate(owner="adx-mon")
    assert [each["reason"] for each in _explain(env)["held"]] == ["NotOurs"]


def test_a_backfill_that_history_has_lists_nothing() -> None:
    env = backfilling(6)
    env.run()
    env.edit(backfill=span(FIRST, "2026-11-20T06:00:00Z"))
    assert _starts(_explain(env)) == []
    env.edit(backfill=span(FIRST, "2026-11-20T08:00:00Z"))
    assert _starts(_explain(env)) == hours(8)[6:]
