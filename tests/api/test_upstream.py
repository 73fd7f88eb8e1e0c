"""What works in adx-mon works here: windows, criteria, KQL and the documented rules."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime.cel import evaluate
from summaryrule import window_command
from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant
from summaryrule.api.schema_validation import validate_schema
from summaryrule.api.v1 import SummaryRuleSpec
from summaryrule.api.windows import Window, next_window
from summaryrule.planner.preconditions import any_key_matches, evaluate_criteria
from tests.manifests import admit

HERE = Path(__file__).parent
# Facts of Azure/adx-mon, commit 905bfa4d (MIT); the files name their source.
CASES = json.loads((HERE / "upstream_cases.json").read_text())["cases"]
RULES = list(yaml.safe_load_all((HERE / "upstream_rules.yaml").read_text()))
UNLIKE_OURS = {"importfn", "hourly-avg"}


def _of(*functions: str) -> list[Any]:
    return [
        pytest.param(case["inputs"], case["expected"], id=case["id"])
        for case in CASES
        if case["function"] in functions
    ]


def _instant(text: str | None) -> Instant | None:
    return Instant.parse(text) if text else None


@pytest.mark.parametrize(("inputs", "expected"), _of("NextExecutionWindow"))
def test_the_next_window_is_upstreams(inputs: dict[str, Any], expected: dict[str, str]) -> None:
    window = next_window(
        Instant.parse(inputs["now"]),
        Duration.parse(inputs["interval"]),
        Duration.parse(inputs["ingestionDelay"] or "0s"),
        _instant(inputs["lastExecution"]),
    )
    assert (str(window.start), str(window.end)) == (expected["start"], expected["endExclusive"])


@pytest.mark.parametrize(("inputs", "expected"), _of("OneTick"))
def test_every_query_ends_one_tick_before_its_window(
    inputs: dict[str, Any], expected: dict[str, str]
) -> None:
    start, end = map(Instant.parse, inputs["window"])
    assert str(Window(start, end).query_end) == expected["regularEnd"] == expected["catchupEnd"]


@pytest.mark.parametrize(("inputs", "expected"), _of("matchesCriteria"))
def test_criteria_match_as_upstreams_do(inputs: dict[str, Any], *, expected: bool) -> None:
    criteria = inputs["criteria"]
    assert (not criteria or any_key_matches(criteria, inputs["labels"])) is expected


@pytest.mark.parametrize(
    ("inputs", "expected"), _of("shouldProcessRule", "EvaluateExecutionCriteria")
)
def test_criteria_and_expression_decide_as_upstreams_do(
    inputs: dict[str, Any], *, expected: bool | dict[str, Any]
) -> None:
    spec = SummaryRuleSpec.model_validate(
        {
            "database": "D",
            "table": "T",
            "body": "B",
            "interval": "1h",
            "criteria": inputs.get("criteria"),
            "criteriaExpression": inputs.get("criteriaExpression"),
        }
    )
    result = evaluate_criteria(spec, inputs["labels"], evaluate)
    if isinstance(expected, bool):
        assert result.proceed is expected
        return
    assert (result.proceed, result.reason) == (expected["proceed"], expected["reason"])
    assert result.message.startswith(expected["message"].removesuffix("..."))


@pytest.mark.parametrize(("inputs", "expected"), _of("ApplySubstitutions"))
def test_bounds_and_labels_are_bound_in_upstreams_lines(
    inputs: dict[str, Any], expected: dict[str, Any]
) -> None:
    start = Instant.parse(inputs.get("start", "2024-01-01T00:00:00Z"))
    last = Instant.parse(inputs.get("end", "2024-01-01T01:00:00Z"))
    text = window_command.bind_variables(
        "  T | take 1\n", Window(start, last.plus(1)), inputs["labels"]
    )
    *lines, body = text.splitlines()
    assert body == "T | take 1"
    assert lines[:2] == expected.get("prefixLines", lines[:2])
    more = expected.get("extraLines", []) + expected.get("extraLinesInOrder", [])
    assert lines[2:] == more


@pytest.mark.parametrize(
    "rule",
    [rule for rule in RULES if rule["metadata"]["name"] not in UNLIKE_OURS],
    ids=lambda rule: rule["metadata"]["name"],
)
def test_every_documented_rule_of_upstream_is_admitted_unchanged(rule: dict[str, Any]) -> None:
    result = admit(rule)
    assert result.violations == ()
    assert result.object == {**rule, "spec": {"ingestionDelay": "0s", **rule["spec"]}}


def _named(name: str) -> dict[str, Any]:
    return next(rule for rule in RULES if rule["metadata"]["name"] == name)


def test_an_interval_of_1d_is_refused_with_24h_to_write() -> None:
    result = admit(_named("importfn"))
    assert result.fields == ["spec.interval"]
    assert "write 24h for one day" in result.messages[0]


def test_upstreams_backfill_is_read_and_judged_as_ours() -> None:
    """Its documented range is longer ago than a backfill may be here."""
    result = admit(_named("hourly-avg"))
    assert result.fields == ["spec.backfill.start", "spec.backfill.end"]
    assert all("is more than 30 days ago" in message for message in result.messages)
    assert admit(_named("hourly-avg"), now=Instant.parse("2026-01-31T00:00:00Z")).violations == ()


def test_a_blank_criteria_expression_is_none() -> None:
    rule = _named("samplefn")
    rule = {**rule, "spec": {**rule["spec"], "criteriaExpression": " \n"}}
    assert admit(rule).violations == ()
    assert SummaryRuleSpec.model_validate(rule["spec"]).criteria_expression is None


def test_a_bracketed_table_is_refused_with_its_bare_name_to_write() -> None:
    rule = _named("samplefn")
    result = admit({**rule, "spec": {**rule["spec"], "table": "['My Table']"}})
    assert result.fields == ["spec.table"]
    assert result.messages[0].endswith("write My Table")


@pytest.mark.parametrize("more", [{"maxInFlight": 0}, {"endTime": 5}, {"requestId": ""}])
def test_a_backfill_in_upstreams_form_has_the_schema_of_ours(more: dict[str, Any]) -> None:
    rule = _named("hourly-avg")
    backfill = {**rule["spec"]["backfill"], **more}
    found = validate_schema({**rule, "spec": {**rule["spec"], "backfill": backfill}})
    assert [each.field for each in found] == [f"spec.backfill.{next(iter(more))}"]
    assert validate_schema(rule) == ()
