"""What follows from the endpoint's answer about a rule's query, without a server."""

from dataclasses import replace

import pytest

from summaryrule.planner import query_validity
from summaryrule.planner.types import Column, PlannerSettings, QueryAnswer, QueryCheck
from tests.manifests import rule, span, stored
from tests.planner.fake_environment import (
    FIRST,
    SETTINGS,
    FakeEnvironment,
    backfilling,
    hours,
    is_valid,
)

WHY = "SEM0100: Failed to resolve scalar expression named 'Valu' (line 3, position 17 of spec.body)"


def is_invalid(check: QueryCheck) -> QueryAnswer:
    return query_validity.invalid(check, WHY)


def is_not_checked(check: QueryCheck) -> QueryAnswer:
    return query_validity.not_checked(check, "http://kusto gave no usable answer")


def has_other_columns(check: QueryCheck) -> QueryAnswer:
    return query_validity.compare(check, [Column("N", "long")], [Column("N", "real")])


def condition_of(env: FakeEnvironment) -> tuple[str, str, str]:
    found = env.condition("QueryValid")
    return found.status, found.reason, found.message


def test_the_query_of_a_check_is_that_of_a_window_and_says_where_the_body_begins() -> None:
    env = FakeEnvironment(stored(rule(body="\n  T | count")), settings=_with_labels())
    env.answer = None
    check = env.decide().query_check
    assert check is not None
    assert check.query.splitlines()[check.body_line - 1] == "T | count"
    assert "let _startTime=datetime(2026-11-24T05:00:00Z);" in check.query
    assert 'let _region="eastus";' in check.query
    assert not check.is_repeat


def test_a_valid_query_is_asked_about_once_also_by_a_restarted_worker() -> None:
    env = FakeEnvironment(stored(rule()))
    env.settle()
    assert condition_of(env) == ("True", "Valid", "the query is valid")
    env.crash()
    env.answer = None
    assert env.decide().query_check is None
    env.edit(backfill=span(FIRST, hours(2)[1]))
    assert env.decide().query_check is None


@pytest.mark.parametrize(
    "change", [{"body": "T | count"}, {"table": "Other"}, {"database": "Other"}]
)
def test_a_query_that_was_edited_is_asked_about_again(change: dict[str, str]) -> None:
    env = FakeEnvironment(stored(rule()))
    env.settle()
    env.answer = None
    env.edit(**change)
    check = env.decide().query_check
    assert check is not None
    assert not check.is_repeat


def test_another_endpoint_or_label_is_asked_again() -> None:
    env = FakeEnvironment(stored(rule()))
    env.settle()
    env.answer = None
    env.settings = replace(SETTINGS, endpoints={"Telemetry": "http://elsewhere"})
    assert env.decide().query_check is not None
    env.settings = _with_labels()
    assert env.decide().query_check is not None


def test_no_window_of_an_invalid_query_is_sent_and_one_event_says_why() -> None:
    env = backfilling(3, suspend=False)
    env.answer = is_invalid
    env.settle()
    env.sleep(3)
    env.settle()
    assert env.kusto.submits == []
    assert condition_of(env) == ("False", "QueryInvalid", WHY)
    for kind in ("summaryrule.adx-mon.azure.com", "Backfill"):
        assert (env.condition(kind).reason, env.condition(kind).status) == ("QueryInvalid", "False")
    assert env.event_messages("QueryInvalid") == [WHY]
    assert "QueryInvalid" in env.block_reasons()


def test_a_restarted_worker_sends_no_window_of_a_query_that_was_invalid() -> None:
    env = FakeEnvironment(stored(rule()))
    env.answer = is_invalid
    env.settle()
    env.crash()
    env.answer = None
    env.settle()
    assert env.kusto.submits == []
    check = env.decide().query_check
    assert check is not None
    assert check.is_repeat


def test_windows_run_without_a_retry_once_the_query_is_valid() -> None:
    env = backfilling(3, suspend=False)
    env.answer = is_invalid
    env.settle()
    env.answer = is_valid
    env.run()
    assert env.kusto.starts == [*hours(3), "2026-11-24T05:00:00Z"]
    assert env.event_messages("QueryValid") == ["the query is valid"]
    assert "WindowFailed" not in env.events


def test_a_window_that_kusto_rejected_before_the_answer_does_not_fail() -> None:
    env = FakeEnvironment(stored(rule()))
    env.answer = None
    env.refusals = {"2026-11-24T05:00:00Z": WHY}
    env.settle()
    assert env.schedule.failed == ()
    env.answer = is_invalid
    env.settle()
    assert env.schedule.failed == ()
    env.refusals, env.answer = {}, is_valid
    env.settle()
    assert env.kusto.starts == ["2026-11-24T05:00:00Z"]
    assert env.schedule.failed == ()


def test_a_window_that_kusto_rejected_fails_if_the_query_is_valid_or_not_checked() -> None:
    for answer in (is_valid, is_not_checked):
        env = FakeEnvironment(stored(rule()))
        env.answer = None
        env.refusals = {"2026-11-24T05:00:00Z": "no ingestion rights"}
        env.settle()
        env.answer = answer
        env.settle()
        assert [each.error for each in env.schedule.failed] == ["no ingestion rights"]


def test_an_endpoint_that_does_not_answer_holds_nothing_and_causes_no_event() -> None:
    env = backfilling(3)
    env.answer = is_not_checked
    env.run()
    assert env.kusto.starts == hours(3)
    assert condition_of(env)[:2] == ("Unknown", "NotChecked")
    assert env.events == ["BackfillStarted", "BackfillCompleted"]


@pytest.mark.parametrize("first", [is_invalid, is_valid, has_other_columns])
def test_a_check_without_answer_does_not_replace_an_answer(first: object) -> None:
    env = FakeEnvironment(stored(rule()))
    env.answer = first  # type: ignore[assignment]
    env.settle()
    before = condition_of(env)
    env.answer = is_not_checked
    env.settle()
    assert condition_of(env) == before


def test_columns_that_differ_are_named_and_hold_nothing() -> None:
    env = FakeEnvironment(stored(rule()))
    env.answer = has_other_columns
    env.settle()
    text = "column 1 is N:long, and N:real in table CpuHourly: write toreal(N)"
    assert condition_of(env) == ("True", "ColumnsDiffer", text)
    assert env.event_messages("ColumnsDiffer") == [text]
    assert env.kusto.starts == ["2026-11-24T05:00:00Z"]


def test_a_rule_that_does_not_run_here_is_not_asked_about() -> None:
    env = FakeEnvironment(stored(rule(database="Nowhere")))
    assert env.decide().query_check is None
    env = FakeEnvironment(stored(rule()), settings=replace(SETTINGS, checks_queries=False))
    assert env.decide().query_check is None


def test_a_worker_that_asks_nothing_forgets_an_answer() -> None:
    env = FakeEnvironment(stored(rule()))
    env.answer = is_invalid
    env.settle()
    env.settings = replace(SETTINGS, checks_queries=False)
    env.settle()
    assert condition_of(env)[:2] == ("Unknown", "NotChecked")
    assert env.kusto.starts == ["2026-11-24T05:00:00Z"]


A, B, C = Column("A", "datetime"), Column("B", "long"), Column("C c", "string")
ORDER = "columns match by position: end the query with | project A, B, ['C c']"
RENAME = "columns match by position, so rename it or put it elsewhere"
CHECK = QueryCheck("key", "Telemetry", "T", "T", "T", 1)


@pytest.mark.parametrize(
    ("query", "table", "message"),
    [
        ((A, B), (A, B), "the query is valid; it fits table T"),
        (
            (A, B),
            None,
            "the query is valid; table T did not exist yet: the first window creates it",
        ),
        (None, (A,), "the query is valid"),
        (
            (A, B, C),
            (A,),
            "the query is valid; the first window adds B:long, C c:string to table T",
        ),
        (
            (A, C),
            (A, Column("C c", "real")),
            "column 2 is C c:string, and C c:real in table T: write toreal(['C c'])",
        ),
        (
            (C, B, Column("A", "string")),
            (A, B),
            f"{ORDER}; column 1 is A:string, and A:datetime in table T: write todatetime(A)",
        ),
        (
            (Column("N", "long"),),
            (B,),
            f"column 1 is N:long, and B:long in table T: {RENAME}",
        ),
        ((A,), (A, B), "the query lacks column 2 of table T, B:long"),
    ],
)
def test_the_columns_of_query_and_table_are_compared_by_position(
    query: tuple[Column, ...] | None, table: tuple[Column, ...] | None, message: str
) -> None:
    answer = query_validity.compare(CHECK, query, table)
    assert (answer.status, answer.message) == ("True", message)
    assert (answer.reason == "Valid") == message.startswith("the query is valid")


def test_a_message_names_the_first_columns_of_many() -> None:
    many = [Column(f"C{number}", "long") for number in range(20)]
    answer = query_validity.compare(CHECK, many, [Column(each.name, "real") for each in many])
    assert answer.message.endswith("write toreal(C4); and 15 more")


def _with_labels() -> PlannerSettings:
    return replace(SETTINGS, labels={"region": "eastus"})
