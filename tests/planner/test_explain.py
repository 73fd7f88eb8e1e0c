"""``worker plan``: the contract of design section 12, on the explained plan."""

from typing import Any

from summaryrule.api.schema_validation import parse_rule
from summaryrule.planner.explain import explain
from tests.manifests import rule, span, stored
from tests.planner.call_counter import calls
from tests.planner.fake_environment import FIRST, World, backfilling, hours


def _told(world: World) -> dict[str, Any]:
    return explain(parse_rule(world.raw), world.decide(), world.now, world.settings)


def _starts(told: dict[str, Any], kind: str = "backfill") -> list[str]:
    return [window["start"] for window in told[kind]]


def test_it_lists_every_due_window_oldest_first_with_the_text_a_run_sends() -> None:
    world = backfilling(6, suspend=False)
    told = _told(world)
    assert _starts(told) == hours(6)
    assert _starts(told, "interval") == ["2026-11-24T05:00:00Z"]
    assert (told["name"], told["held"], "more" in told) == ("cpu-hourly", [], False)
    world.run()
    sent = {each.text: each for each in world.kusto.submits}
    for window in (*told["interval"], *told["backfill"]):
        assert sent[window["command"]].token == window["token"]


def test_end_is_exclusive_and_query_end_is_what_the_text_says() -> None:
    window = _told(backfilling(1))["backfill"][0]
    assert (window["start"], window["end"]) == (FIRST, "2026-11-20T01:00:00Z")
    assert window["queryEnd"] == "2026-11-20T00:59:59.9999999Z"
    assert f"let _endTime=datetime({window['queryEnd']});" in window["command"]
    assert set(window) == {"start", "end", "queryEnd", "command", "token"}


def test_it_counts_and_says_how_long_that_should_take_and_from_what() -> None:
    world = backfilling(6, suspend=False, maxInFlight=4)
    unknown = {"duration": "unknown", "from": "no operation of this rule has ended yet"}
    told = _told(world)
    assert told["count"] == {"interval": 1, "backfill": 6}
    assert told["estimate"] == {"interval": unknown, "backfill": unknown}
    world.kusto.seconds = 90
    world.run()
    world.sleep(5)
    world.edit(backfill=span("2026-11-20T06:00:00Z", "2026-11-20T15:00:00Z", maxInFlight=4))
    told = _told(world)
    assert told["count"] == {"interval": 5, "backfill": 9}
    assert told["estimate"]["interval"] == {
        "duration": "3m",
        "from": "1m30s an operation on average, as its interval runs took; up to 4 at once",
    }
    assert told["estimate"]["backfill"] == {
        "duration": "4m30s",
        "from": f"1m30s an operation on average, as its backfill from {FIRST} took; up to 4 at"
        " once",
    }


def test_what_an_ended_request_left_unfinished_is_planned_when_it_is_asked_for_again() -> None:
    world = backfilling(6, maxInFlight=2)
    world.kusto.is_slow = True
    world.settle()
    world.edit(backfill=...)
    world.settle()
    world.edit(backfill=span(FIRST, hours(7)[6]))
    assert _starts(_told(world)) == hours(6)


def test_it_lists_no_window_that_is_not_due() -> None:
    world = backfilling(104)
    told = _told(world)
    assert _starts(told) == hours(102)
    assert [held["reason"] for held in told["held"]] == ["Suspended", "WaitingUntilDue"]


def test_what_is_in_flight_counts_as_submitted() -> None:
    world = backfilling(6, maxInFlight=2, suspend=False)
    world.kusto.is_slow = True
    world.settle()
    told = _told(world)
    assert (_starts(told), _starts(told, "interval")) == (hours(6)[2:], [])


def test_it_lists_the_first_thousand_of_each_kind_and_counts_the_rest() -> None:
    minutes = rule(span("2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"), interval="1m")
    cursor = {"schedule": {"cursor": "2026-11-23T00:00:00Z"}}
    told = _told(World(stored(minutes, status=cursor)))
    assert (len(told["interval"]), len(told["backfill"])) == (1_000, 1_000)
    assert told["more"] == 440 + 24 * 60 + 6 * 60 + 30 - 1_000
    assert told["backfill"][0]["start"] == FIRST


def test_years_of_catch_up_are_counted_and_not_walked() -> None:
    status = {"schedule": {"cursor": "2020-01-01T00:00:00Z"}}
    world = World(stored(rule(interval="1m"), status=status))
    assert _told(world)["more"] > 3_000_000
    assert calls(lambda: _told(world)) < 200 * 1_000


def test_a_paused_or_failed_backfill_lists_nothing_and_says_why() -> None:
    world = backfilling(6)
    world.edit(backfill={**world.raw["spec"]["backfill"], "suspend": True})
    told = _told(world)
    assert _starts(told) == []
    assert [held["reason"] for held in told["held"]] == ["Suspended", "Paused"]
    world = backfilling(6)
    world.refusals[FIRST] = "no such column"
    world.run()
    told = _told(world)
    assert _starts(told) == []
    assert told["held"][1]["reason"] == "BackfillFailed"
    assert "no such column" in told["held"][1]["message"]


def test_a_rule_whose_criteria_do_not_hold_lists_nothing_and_says_why() -> None:
    world = backfilling(6, suspend=False)
    world.criteria_hold = False
    world.edit(criteriaExpression="region == 'x'")
    told = _told(world)
    assert (_starts(told), _starts(told, "interval")) == ([], [])
    assert [held["reason"] for held in told["held"]] == ["CriteriaNotMet"]


def test_a_rule_of_another_owner_lists_nothing() -> None:
    world = backfilling(6)
    world.annotate(owner="adx-mon")
    assert [held["reason"] for held in _told(world)["held"]] == ["NotOurs"]


def test_a_backfill_that_history_has_lists_nothing() -> None:
    world = backfilling(6)
    world.run()
    world.edit(backfill=span(FIRST, "2026-11-20T06:00:00Z"))
    assert _starts(_told(world)) == []
    world.edit(backfill=span(FIRST, "2026-11-20T08:00:00Z"))
    assert _starts(_told(world)) == hours(8)[6:]
