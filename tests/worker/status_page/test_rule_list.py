"""The view of all rules: which match, in which order, and what they share."""

from typing import Any

import pytest

from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from tests.plugin.rules import NOW, condition, rule, running
from tests.worker.status_page.views import OWNER, data, many, status_page
from worker.status_page.rule_list import ROWS, RuleList
from worker.status_page.rule_query import RuleQuery


def names(found: dict[str, Any]) -> list[str]:
    return [item["name"] for item in found["items"]]


def failing(name: str, window: str = "[a, b)") -> dict[str, Any]:
    message = f"1 windows failed, the first {window}: no table 'CPU'"
    return rule(name, conditions=[condition(OWNER, "WindowFailed", message)])


def test_a_search_and_a_kind_choose_rules_and_the_counts_are_of_all() -> None:
    held = rule("held", conditions=[condition(OWNER, "NoEndpoint", "none")])
    page = status_page([held, rule("quiet"), rule("busy", backfill=running())])
    assert names(data(page, "show=problem")) == ["held"]
    assert names(data(page, "show=backfill")) == ["busy"]
    found = data(page, "search=default/Q")
    assert names(found) == ["quiet"]
    assert (found["rules"], found["backfills"], found["troubled"], found["matched"]) == (3, 1, 1, 1)


def test_rules_with_a_problem_come_first() -> None:
    page = status_page([rule("a"), failing("z"), rule("b")])
    assert names(data(page)) == ["z", "a", "b"]
    assert names(data(page, "sort=name")) == ["a", "b", "z"]


def test_a_problem_of_several_rules_is_said_once_and_each_item_names_their_number() -> None:
    page = status_page([*(failing(f"bad-{n}", f"[{n}, b)") for n in range(4)), failing_alone()])
    found = data(page)
    assert [group["count"] for group in found["groups"]] == [4]
    assert [item["sharedBy"] for item in found["items"]] == [0, 4, 4, 4, 4]
    assert found["items"][0]["cause"] == "out of memory"


@pytest.mark.parametrize(
    ("reason", "first", "second", "shared"),
    [
        ("WindowFailed", "1 windows failed, the first [a, b): no table", None, "no table"),
        (
            "TooManyFailed",
            "48 interval windows failed, the first [a, b): no table; no new one is started",
            None,
            "no table; no new one is started",
        ),
        ("WindowFailed", "window [a, b) failed: no table", None, "no table"),
        (
            "EndpointUnavailable",
            "https://c gave no usable answer: 502; window [a, b) waits for it",
            "3/9 windows, done until 2026-11-24T05:00:00Z; https://c gave no usable answer: 502",
            "https://c gave no usable answer: 502",
        ),
        (
            "EndpointUnavailable",
            "https://c asked for fewer calls; submits wait 25 s; window [a, b) waits for it",
            "https://c asked for fewer calls; submits wait 3 s",
            "https://c asked for fewer calls",
        ),
        ("QueryInvalid", "no column X at [line 4, position 38)", None, None),
    ],
)
def test_a_shared_problem_keeps_its_cause_and_loses_only_what_differs_between_rules(
    reason: str, first: str, second: str | None, shared: str | None
) -> None:
    messages = (first, second or first, first.replace("[a, b)", "[c, d)"))
    rules = [
        rule(f"r{n}", conditions=[condition(OWNER, reason, m)]) for n, m in enumerate(messages)
    ]
    (group,) = data(status_page(rules))["groups"]
    assert (group["count"], group["message"]) == (3, shared or first)


def failing_alone() -> dict[str, Any]:
    message = "2 windows failed, the first [a, b): out of memory"
    return rule("alone", conditions=[condition(OWNER, "WindowFailed", message)])


def test_an_object_that_is_no_rule_is_malformed_and_one_of_those_with_a_problem() -> None:
    broken = {"metadata": {"name": "x", "namespace": "y"}, "spec": None}
    found = data(status_page([rule("a"), broken]))
    assert names(found) == ["x", "a"]
    assert [item["reason"] for item in found["items"]] == ["Malformed", ""]
    assert found["items"][0]["problems"][0]["message"] == "spec: Required value"
    assert (found["troubled"], found["reasons"]) == (1, {"Malformed": 1})


def test_the_most_overdue_come_first_on_request() -> None:
    late = rule("late", schedule={"cursor": "2026-11-20T00:00:00Z"})
    page = status_page([rule("a", schedule={"cursor": "2026-11-24T10:00:00Z"}), late])
    assert names(data(page, "sort=overdue")) == ["late", "a"]


def test_a_rule_that_falls_behind_is_a_problem_from_then_on() -> None:
    late = rule("late", schedule={"cursor": "2026-11-24T09:00:00Z"})
    listed = RuleList([rule("a"), late])
    query, delay = RuleQuery(show="problem"), 5 * 60 * TICKS_PER_SECOND
    behind = Instant.parse("2026-11-24T11:00:00Z").plus(delay)
    before, after = (listed.as_json(query, at, {}) for at in (behind.plus(-1), behind))
    assert (before["troubled"], names(before)) == (0, [])
    assert (after["troubled"], names(after)) == (1, ["late"])
    assert names(listed.as_json(RuleQuery(), behind, {})) == ["late", "a"]
    assert after["items"][0]["problems"][0]["reason"] == "Behind"


@pytest.mark.parametrize("reason", ["CriteriaNotMet", "NotOurs"])
def test_a_rule_that_others_run_is_no_problem_however_old_its_last_window_is(reason: str) -> None:
    condition_here = condition(OWNER, reason, "for another cluster")
    moved = rule("moved", schedule={"cursor": "2026-11-01T00:00:00Z"}, conditions=[condition_here])
    suspended = rule("suspended", schedule={"cursor": "2026-11-01T00:00:00Z"})
    suspended["spec"]["suspend"] = True
    found = data(status_page([moved, suspended]))
    assert found["troubled"] == 0
    assert [(item["problems"], item["overdueWindows"]) for item in found["items"]] == [([], 0)] * 2


def test_namespace_database_label_and_reason_choose_too() -> None:
    other = rule("other")
    other["metadata"] |= {"namespace": "team-b", "labels": {"team": "b"}}
    other["spec"]["database"] = "Logs"
    page = status_page([rule("cpu"), other, failing("bad")])
    for query in ("namespace=team-b", "database=Logs", "label=team", "label=team%3Db"):
        assert names(data(page, query)) == ["other"]
    assert names(data(page, "reason=WindowFailed")) == ["bad"]
    assert names(data(page, "label=team%3Da")) == []
    found = data(page)
    assert found["namespaces"] == ["default", "team-b"]
    assert found["databases"] == ["Logs", "Telemetry"]
    assert found["reasons"] == {"WindowFailed": 1}


def test_a_search_finds_the_text_of_an_error() -> None:
    page = status_page([rule("cpu"), failing("bad")])
    assert names(data(page, "search=no+TABLE+%27cpu%27")) == ["bad"]


def test_rules_that_share_an_error_are_one_group_whatever_their_windows() -> None:
    page = status_page([failing(f"r{n}", f"[{n}, {n + 1})") for n in range(18)] + [rule("cpu")])
    (group,) = data(page)["groups"]
    assert (group["count"], group["reason"]) == (18, "WindowFailed")
    assert group["message"] == "no table 'CPU'"
    assert "kubectl summaryrule retry" in group["remedy"]


def test_two_rules_with_an_error_are_no_group() -> None:
    assert data(status_page([failing("a"), failing("b")]))["groups"] == []


def test_a_rule_that_waits_says_how_many_are_before_it() -> None:
    page = status_page([rule("cpu")], ahead={("default", "cpu"): 7})
    assert data(page)["items"][0]["ahead"] == 7


def test_pages_have_a_bounded_number_of_rules() -> None:
    page = status_page(many(2 * ROWS + 1))
    assert len(data(page)["items"]) == ROWS
    assert len(data(page, "page=3")["items"]) == 1
    assert data(page, "page=999999")["page"] == 3


@pytest.mark.parametrize("number", ["0", "-1", "x", "1e9", "99999999999999999999", ""])
def test_a_page_that_there_is_not_is_the_nearest_one(number: str) -> None:
    assert RuleQuery.parse({"page": number}).page in {0, 1}
    assert data(status_page(many(1)), f"page={number}")["page"] == 1


def test_a_query_of_any_length_or_shape_is_answered() -> None:
    page = status_page(many(1))
    for query in ("&" * 4_000, "search=" + "x" * 6_000, "a=1&" * 50, "%", "=&;", "search=%ff"):
        assert data(page, query)["rules"] == 1


def test_objects_that_are_no_rules_are_listed_too() -> None:
    broken: list[dict[str, Any]] = [{"metadata": {"name": "x"}, "spec": None, "status": 3}, {}]
    found = data(status_page(broken))
    assert (found["rules"], len(found["items"])) == (2, 2)


def test_a_row_is_made_again_only_when_its_object_changed() -> None:
    rules = many(3)
    listed = RuleList(rules)
    before = listed.rows(NOW)
    rules[1] = rule("rule-00001")
    after = listed.rows(NOW)
    assert [one is other for one, other in zip(before, after, strict=True)] == [True, False, True]
    assert not after[1].has_backfill
